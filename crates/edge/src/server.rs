//! The whole of a running edge: starts it, reloads it, and drains it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use raincheck_control::{Event as KeyEvent, Following, KeySource, Keys};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::access_log::AccessLog;
use crate::admin;
use crate::config::{self, Config, ConfigErrors, collide};
use crate::counters::TicketCounters;
use crate::listener::{self, Bound, Neighbours, Wanted};
use crate::notice::{Error, Notice, Notices, ReloadError};
use crate::reading::{Fresh, Reading};
use crate::service::{Common, Service};
use crate::upstream::Upstream;
use crate::watcher::Watcher;
use crate::worker::{Gate, Worker};
use crate::writer::Writer;

/// Runs the edge on this thread and its workers, until SIGTERM or SIGINT; SIGHUP reloads.
///
/// `reload` reads the configuration anew, on another thread: it may take its time. `notices` is told what an operator
/// should know.
///
/// # Errors
/// What a start can fail of; nothing was served then.
pub fn run(
    config: Config,
    reload: impl Fn() -> Result<Config, ConfigErrors> + Send + Sync + 'static,
    notices: Notices,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
    let result = runtime.block_on(async {
        let mut signals = Signals::new().map_err(Error::Thread)?;
        let mut server = Server::start(config, notices).await?;
        let mut reading = Reading::new(reload, server.common.keys.clone());
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Reload => reading.ask(),
                    Asked::End => break,
                },
                read = reading.done() => server.reload(read),
                never = server.following.ended() => match never {},
            }
        }
        server.drain(&mut signals).await;
        Ok(())
    });
    // Where the drain was cut short, a thread still waits for the workers; another may still read a configuration.
    runtime.shutdown_background();
    result
}

/// What is running now, as the admin side sees it.
#[derive(Debug)]
pub struct Snapshot {
    /// The listeners, in the order of the configuration.
    pub services: Vec<Arc<Service>>,
    /// The upstreams, likewise.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Where each address of the configuration is open: port 0 becomes another.
    pub addresses: HashMap<Wanted, SocketAddr>,
    /// The ticket keys.
    pub keys: Keys,
    /// Where they come from.
    pub key_source: KeySource,
    /// What is counted of tickets.
    pub tickets: Arc<TicketCounters>,
    /// How many workers serve.
    pub workers: usize,
}

impl Snapshot {
    fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name).map(|service| &**service)
    }
}

struct Server {
    common: Common,
    following: Following,
    workers: Vec<Worker>,
    gates: HashMap<Wanted, Arc<Gate>>,
    /// Those that lead nowhere any more. Each lasts until what was queued there is accepted.
    closing: Vec<Weak<Gate>>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    admin: admin::Admin,
    watcher: Watcher,
    log_writer: Option<Writer>,
    fixed: Fixed,
}

impl Server {
    async fn start(config: Config, notices: Notices) -> Result<Self, Error> {
        let tickets = Arc::new(TicketCounters::default());
        let keys = Keys::start(&config.keys.source, config.keys.schedule, observe(&tickets, &notices))?;
        tickets.hold(&keys.ring());
        let following = keys.follow();
        let (access_log, log_writer) = start_access_log(config.access_log)?;
        let common = Common { keys, tickets, access_log, notices };
        let planned = Plan::new(&config, &common, None)?;
        let snapshot = planned.snapshot(&common, config.workers, HashMap::new());
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot));
        let admin = admin::Admin::start(config.admin, config.stats_socket.as_deref(), &snapshot).await?;
        let workers = (0..config.workers)
            .map(|number| Worker::start(number, common.access_log.clone()))
            .collect::<Result<_, _>>()
            .map_err(Error::Thread)?;
        let watcher = Watcher::start(common.notices.clone()).map_err(Error::Thread)?;
        watcher.watch(&planned.upstreams);
        let mut server = Self {
            common,
            following,
            workers,
            gates: HashMap::new(),
            closing: Vec::new(),
            snapshot,
            admin,
            watcher,
            log_writer,
            fixed: Fixed::of(&config),
        };
        // Who connects before there are keys would wait for them; refused, he can go elsewhere.
        server.common.keys.settled().await;
        let opened = open(planned.missing(&HashMap::new()), config.workers, |address| server.occupant(address))?;
        let addresses = addresses(&HashMap::new(), &opened);
        server.snapshot.store(Arc::new(planned.snapshot(&server.common, config.workers, addresses)));
        server.open_gates(opened, &planned);
        if let Some(address) = server.admin.address() {
            server.common.notices.tell(Notice::Admin(address));
        }
        server.admin.ready();
        Ok(server)
    }

    /// Builds everything that is new, and swaps it in when nothing can fail any more.
    fn reload(&mut self, read: Result<Fresh, ReloadError>) {
        match read.and_then(|fresh| self.swap_in(fresh)) {
            Ok(()) => self.common.notices.tell(Notice::Reloaded),
            Err(error) => self.common.notices.tell(Notice::ReloadFailed(error)),
        }
    }

    fn swap_in(&mut self, Fresh { config, keys }: Fresh) -> Result<(), ReloadError> {
        let before = self.snapshot.load_full();
        let planned = Plan::new(&config, &self.common, Some(&before)).map_err(ReloadError::Start)?;
        let opened = open(planned.missing(&self.gates), self.workers.len(), |address| self.occupant(address))
            .map_err(ReloadError::Start)?;

        keys.apply();
        for (wanted, gate) in &self.gates {
            match planned.service_at(wanted) {
                Some(service) => gate.lead_to(Arc::clone(service)),
                None => {
                    gate.close();
                    self.closing.push(Arc::downgrade(gate));
                }
            }
        }
        self.closing.retain(|gate| gate.strong_count() > 0);
        self.gates.retain(|wanted, _| planned.service_at(wanted).is_some());
        // Not before the gates lead to them: who finds room now is served as the new configuration says.
        for service in &planned.services {
            if let Some(predecessor) = before.service(&service.name) {
                service.resize(predecessor);
            }
        }
        let addresses = addresses(&self.gates, &opened);
        self.snapshot.store(Arc::new(planned.snapshot(&self.common, self.workers.len(), addresses)));
        self.watcher.watch(&planned.upstreams);
        self.open_gates(opened, &planned);
        for setting in self.fixed.changed(&Fixed::of(&config)) {
            self.common.notices.tell(Notice::NeedsRestart { setting });
        }
        Ok(())
    }

    /// What of this edge is in the way of a socket on `address`.
    fn occupant(&self, address: SocketAddr) -> Occupant {
        let closing: Vec<_> = self.closing.iter().filter_map(Weak::upgrade).map(|gate| gate.address).collect();
        let open = self.gates.values().map(|gate| gate.address);
        if self.admin.address().is_some_and(|admin| collide(admin, address)) {
            Occupant::Admin
        } else if closing.contains(&address) {
            Occupant::Closing
        } else if open.chain(closing).any(|other| collide(other, address)) {
            Occupant::Neighbour
        } else {
            Occupant::Nobody
        }
    }

    fn open_gates(&mut self, opened: Vec<Opened>, planned: &Plan) {
        for opened in opened {
            let address = opened.address();
            let Opened { wanted, sockets } = opened;
            let Some(service) = planned.service_at(&wanted) else {
                continue;
            };
            let gate = Arc::new(Gate::new(address, Arc::clone(service)));
            for (worker, socket) in self.workers.iter().zip(sockets) {
                worker.listen(socket, Arc::clone(&gate));
            }
            self.gates.insert(wanted, gate);
            self.common.notices.tell(Notice::Listening { address, listener: service.name.clone() });
        }
    }

    /// Takes no more connections and waits for those that are there.
    async fn drain(self, signals: &mut Signals) {
        self.admin.draining();
        self.gates.values().for_each(|gate| gate.close());
        // Who comes with a ticket from now on goes elsewhere.
        let keys = self.common.keys.clone();
        let left = tokio::spawn(async move { keys.leave().await });
        let snapshot = self.snapshot.load_full();
        let open = || snapshot.services.iter().map(|service| service.counters.open.value()).sum::<usize>();
        self.common.notices.tell(Notice::Draining { connections: open() });
        let threads: Vec<_> = self.workers.into_iter().map(Worker::finish).collect();
        let ended = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // A panic has been printed already.
                let _ = thread.join();
            }
        });
        tokio::select! {
            _ = ended => {}
            () = sleep_until(Instant::now() + DRAIN) => {
                self.common.notices.tell(Notice::DrainTimeout { connections: open() });
            }
            () = signals.until_end() => {}
        }
        let _ = left.await;
        drop((self.common, self.snapshot, snapshot, self.gates, self.admin, self.watcher));
        if let Some(writer) = self.log_writer {
            // Not on this thread: the admin side's tasks know the services, and with them the log, until the runtime has
            // come round to drop them. Workers that were cut short never let go of the log, and whoever reads it may have
            // stopped: so there is a limit.
            let _ = tokio::task::spawn_blocking(move || writer.finish(LAST_LINES)).await;
        }
    }
}

/// The settings that are read at the start and never again.
#[derive(Debug, PartialEq)]
struct Fixed {
    workers: usize,
    admin: Option<SocketAddr>,
    stats_socket: Option<PathBuf>,
    access_log: config::AccessLog,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        let Config { workers, admin, ref stats_socket, access_log, .. } = *config;
        Self { workers, admin, stats_socket: stats_socket.clone(), access_log }
    }

    fn changed(&self, now: &Self) -> impl Iterator<Item = &'static str> {
        [
            ("workers", self.workers != now.workers),
            ("admin", self.admin != now.admin),
            ("stats-socket", self.stats_socket != now.stats_socket),
            ("access-log", self.access_log != now.access_log),
        ]
        .into_iter()
        .filter_map(|(setting, changed)| changed.then_some(setting))
    }
}

/// What a configuration comes to: services built, nothing started.
struct Plan {
    services: Vec<Arc<Service>>,
    upstreams: Vec<Arc<Upstream>>,
    key_source: KeySource,
}

impl Plan {
    fn new(config: &Config, common: &Common, before: Option<&Snapshot>) -> Result<Self, Error> {
        let upstreams: Vec<_> = config
            .upstreams
            .iter()
            .map(|upstream| {
                let same = |before: &&Arc<Upstream>| before.name() == upstream.name;
                let predecessor = before.and_then(|before| before.upstreams.iter().find(same));
                Upstream::new(upstream, predecessor.map(|upstream| &**upstream))
                    .map(Arc::new)
                    .map_err(|error| Error::UpstreamTls { upstream: upstream.name.clone(), error })
            })
            .collect::<Result<_, _>>()?;
        let services = config
            .listeners
            .iter()
            .map(|listener| {
                let predecessor = before.and_then(|before| before.service(&listener.name));
                let upstream = Arc::clone(&upstreams[listener.upstream]);
                Service::new(listener, config.keys.schedule, upstream, common, predecessor)
                    .map(Arc::new)
                    .map_err(|error| Error::Tls { listener: listener.name.clone(), error })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { services, upstreams, key_source: config.keys.source.clone() })
    }

    /// A gate that another one has come to include stays open, so that no connection to it is lost. No two listeners of a
    /// configuration have an address in common.
    fn service_at(&self, gate: &Wanted) -> Option<&Arc<Service>> {
        self.services.iter().find(|service| service.bind.iter().any(|wanted| wanted.covers(gate)))
    }

    /// The addresses that have no gate yet, and whose they are.
    fn missing(&self, gates: &HashMap<Wanted, Arc<Gate>>) -> Vec<(Wanted, String)> {
        self.services
            .iter()
            .flat_map(|service| service.bind.iter().map(|wanted| (wanted.clone(), service.name.clone())))
            .filter(|(wanted, _)| !gates.contains_key(wanted))
            .collect()
    }

    fn snapshot(&self, common: &Common, workers: usize, addresses: HashMap<Wanted, SocketAddr>) -> Snapshot {
        Snapshot {
            services: self.services.clone(),
            upstreams: self.upstreams.clone(),
            addresses,
            keys: common.keys.clone(),
            key_source: self.key_source.clone(),
            tickets: Arc::clone(&common.tickets),
            workers,
        }
    }
}

/// The sockets of an address.
struct Opened {
    wanted: Wanted,
    sockets: Vec<std::net::TcpListener>,
}

impl Opened {
    fn address(&self) -> SocketAddr {
        self.sockets.first().and_then(|socket| socket.local_addr().ok()).unwrap_or(self.wanted.address())
    }
}

/// Where each configured address is open, the new ones included.
fn addresses(gates: &HashMap<Wanted, Arc<Gate>>, opened: &[Opened]) -> HashMap<Wanted, SocketAddr> {
    let old = gates.iter().map(|(wanted, gate)| (wanted.clone(), gate.address));
    old.chain(opened.iter().map(|opened| (opened.wanted.clone(), opened.address()))).collect()
}

/// Opens what is missing, or nothing.
fn open(
    missing: Vec<(Wanted, String)>,
    workers: usize,
    occupant: impl Fn(SocketAddr) -> Occupant,
) -> Result<Vec<Opened>, Error> {
    let mut opened = Vec::new();
    let mut beside_others = Vec::new();
    for (wanted, listener) in missing {
        let (address, whose) = (wanted.address(), format!("listener {listener}"));
        let occupant = occupant(address);
        let explain = move |error| occupant.explain(address, whose, error);
        match occupant {
            Occupant::Neighbour => match listener::bind(address, workers, Neighbours::Ours) {
                Ok(bound) => beside_others.push((wanted, explain, bound)),
                Err(error) => return Err(explain(error)),
            },
            Occupant::Nobody | Occupant::Closing | Occupant::Admin => {
                let listening = listener::bind(address, workers, Neighbours::None).and_then(Bound::listen);
                opened.push(Opened { wanted, sockets: listening.map_err(explain)? });
            }
        }
    }
    // Connections come to these instead of to others as soon as they listen, and were lost if something failed then.
    for (wanted, explain, bound) in beside_others {
        opened.push(Opened { wanted, sockets: bound.listen().map_err(explain)? });
    }
    Ok(opened)
}

/// Who of this edge has an address that is to be opened, or a part of it.
#[derive(Clone, Copy)]
enum Occupant {
    Nobody,
    /// A listener, by a wider or a narrower address.
    Neighbour,
    /// A listener that is gone.
    Closing,
    Admin,
}

impl Occupant {
    fn explain(self, address: SocketAddr, whose: String, error: io::Error) -> Error {
        match self {
            Self::Closing if error.kind() == io::ErrorKind::AddrInUse => Error::Ours { address, whose, why: CLOSING },
            Self::Admin if error.kind() == io::ErrorKind::AddrInUse => Error::Ours { address, whose, why: ADMIN },
            _ => Error::Bind { address, whose, error },
        }
    }
}

const CLOSING: &str =
    "what was queued there when a reload closed it still waits for room; reload again once it has found some";
const ADMIN: &str = "it is this edge's admin address until a restart; restart it, or choose another address";

/// Counts what the control plane does, and passes it on.
fn observe(tickets: &Arc<TicketCounters>, notices: &Notices) -> impl Fn(KeyEvent) + Send + Sync + 'static {
    let (tickets, notices) = (Arc::clone(tickets), notices.clone());
    move |event| {
        tickets.follow(event.changes());
        notices.tell(Notice::Keys(event));
    }
}

fn start_access_log(target: config::AccessLog) -> Result<(Option<AccessLog>, Option<Writer>), Error> {
    let started = match target {
        config::AccessLog::Off => return Ok((None, None)),
        config::AccessLog::Stdout => AccessLog::start(io::stdout()),
        config::AccessLog::Stderr => AccessLog::start(io::stderr()),
    };
    let (log, writer) = started.map_err(Error::Thread)?;
    Ok((Some(log), Some(writer)))
}

/// The signals that mean something.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
        }
    }

    async fn until_end(&mut self) {
        while let Asked::Reload = self.next().await {}
    }
}

/// What a signal asks for.
enum Asked {
    Reload,
    End,
}

/// How long the access log has to write what it was given last.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How long connections have to end by themselves.
const DRAIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_a_restart_is_named() {
        let fixed = |workers, stats_socket: Option<&str>| Fixed {
            workers,
            admin: None,
            stats_socket: stats_socket.map(PathBuf::from),
            access_log: config::AccessLog::Off,
        };
        let changed: Vec<_> = fixed(1, None).changed(&fixed(2, Some("/run/stats"))).collect();
        assert_eq!(changed, ["workers", "stats-socket"]);
        assert_eq!(fixed(1, None).changed(&fixed(1, None)).count(), 0);
    }
}
