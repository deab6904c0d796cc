//! A server of keys: hands the ring out to nodes (`ring`), and keys made from it to whatever polls (`ticket_keys`).
//!
//! [`run`] is all of it. One thread does everything, and nothing on it waits for anybody else: whoever is slow or silent
//! has a limit of time, and a place that somebody else gets.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use raincheck_keyring::Schedule;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::admin::answer_on;
use crate::reading::{self, Asked, Reading, Signals};
use crate::{KeySource, Keys, Prepared};

mod admin;
mod answer;
mod listen;
mod network;
mod nodes;
mod notice;
mod refused;
mod ring;
mod tally;
mod ticket_keys;

pub use listen::tls_config;
pub use network::{Network, NoNetwork};
use nodes::Nodes;
pub use notice::{Error, Notice};
pub use refused::Refusal;
use tally::Tally;
pub use ticket_keys::TicketKeys;

/// What a server of keys is to do.
#[derive(Debug)]
pub struct Setup {
    /// Where its keys come from.
    pub source: KeySource,
    /// How long each serves.
    pub schedule: Schedule,
    /// Whom it serves.
    pub serve: Serve,
}

impl reading::Setup for Setup {
    fn keys(&self) -> (&KeySource, Schedule) {
        (&self.source, self.schedule)
    }
}

/// Whom a server of keys serves, where.
#[derive(Debug, Clone)]
pub struct Serve {
    /// Where nodes ask for the ring; at least one.
    pub listen: Vec<SocketAddr>,
    /// With client certificates required.
    pub tls: Arc<ServerConfig>,
    /// Where lines for HAProxy are served, if anywhere.
    pub ticket_keys: Option<TicketKeys>,
    /// Where metrics, health and status are served, and promotion is asked for; nowhere if none.
    pub admin: Option<SocketAddr>,
}

/// Runs a server of keys on this thread, until SIGTERM or SIGINT; SIGHUP reloads.
///
/// `reload` reads the configuration anew, on another thread. `notices` is told what an operator should know; it must not
/// block.
///
/// # Errors
/// What a start can fail of; nothing was served then.
pub fn run<E: Display>(
    setup: Setup,
    reload: impl Fn() -> Result<Setup, E> + Send + Sync + 'static,
    notices: impl Fn(Notice) + Send + Sync + 'static,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::System)?;
    let result = runtime.block_on(async {
        let mut signals = Signals::new().map_err(Error::System)?;
        let server = start(setup, Arc::new(notices))?;
        let mut following = server.keys.follow();
        let mut reading = Reading::new(reload);
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Reload => reading.begin(&server.keys),
                    Asked::End => return Ok(()),
                },
                read = reading.done() => server.reload(read),
                never = following.ended() => match never {},
            }
        }
    });
    // Another thread may still read a configuration.
    runtime.shutdown_background();
    result
}

/// What is running.
struct Server {
    keys: Keys,
    source: ArcSwap<KeySource>,
    serve: ArcSwap<Serve>,
    nodes: Nodes,
    /// Changes with a reload.
    reloaded: watch::Sender<()>,
    /// For connections of nodes.
    room: Arc<Semaphore>,
    versions: ticket_keys::Versions,
    tally: Arc<Tally>,
    notices: Arc<dyn Fn(Notice) + Send + Sync>,
    started: Instant,
}

impl Server {
    fn tell(&self, notice: Notice) {
        (self.notices)(notice);
    }

    fn refuse(&self, address: IpAddr, refusal: Refusal) {
        if self.tally.refused.count(refusal) {
            self.tell(Notice::Refused { address: address.to_canonical(), refusal });
        }
    }

    /// Everything that is new takes effect, or nothing.
    fn reload(&self, read: Result<(Setup, Prepared), String>) {
        let (setup, keys) = match read {
            Ok(read) => read,
            Err(error) => return self.tell(Notice::ReloadFailed(error)),
        };
        let serve = Arc::new(setup.serve);
        let before = self.serve.swap(Arc::clone(&serve));
        self.source.store(Arc::new(setup.source));
        keys.apply();
        self.reloaded.send_replace(());
        self.tell(Notice::Reloaded);
        for setting in needs_restart(&before, &serve) {
            self.tell(Notice::NeedsRestart { setting });
        }
    }

    /// Since 1970.
    fn started_at(&self) -> Duration {
        (SystemTime::now() - self.started.elapsed()).duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

fn start(setup: Setup, notices: Arc<dyn Fn(Notice) + Send + Sync>) -> Result<Arc<Server>, Error> {
    let Setup { source, schedule, serve } = setup;
    let bind = |what| move |address: &SocketAddr| open(*address, what);
    let for_nodes: Vec<_> = serve.listen.iter().map(bind("the ring, for nodes")).collect::<Result<_, _>>()?;
    let polled = serve.ticket_keys.iter().flat_map(|ticket_keys| &ticket_keys.listen);
    let for_polls: Vec<_> = polled.map(bind("ticket keys, for HAProxy")).collect::<Result<_, _>>()?;
    let for_operators = serve.admin.as_ref().map(bind("the admin address")).transpose()?;

    let tally = Arc::new(Tally::default());
    let observer = {
        let (tally, notices) = (Arc::clone(&tally), Arc::clone(&notices));
        move |event| {
            tally.follow(&event);
            notices(Notice::Keys(event));
        }
    };
    let keys = Keys::start(&source, schedule, observer)?;
    let server = Arc::new(Server {
        nodes: Nodes::new(keys.clone()),
        keys,
        source: ArcSwap::from_pointee(source),
        serve: ArcSwap::from_pointee(serve),
        reloaded: watch::Sender::new(()),
        room: Arc::new(Semaphore::new(ring::MOST_NODES)),
        versions: ticket_keys::Versions::default(),
        tally,
        notices,
        started: Instant::now(),
    });
    let listening = |opened: &Opened| server.tell(Notice::Listening { address: opened.address, what: opened.what });
    for opened in for_nodes {
        listening(&opened);
        tokio::spawn(ring::serve(opened.listener, Arc::clone(&server)));
    }
    for opened in for_polls {
        listening(&opened);
        tokio::spawn(ticket_keys::serve(opened.listener, Arc::clone(&server)));
    }
    if let Some(opened) = for_operators {
        server.tell(Notice::Admin(opened.address));
        tokio::spawn(answer_on(opened.listener, Arc::clone(&server), admin::answer));
    }
    tokio::spawn(sweep(Arc::clone(&server)));
    Ok(server)
}

/// Ends registrations of nodes that have not asked for long.
async fn sweep(server: Arc<Server>) {
    loop {
        sleep(nodes::SWEEP).await;
        server.nodes.sweep().into_iter().for_each(|node| server.tell(Notice::Lapsed(node)));
    }
}

pub(crate) struct Opened {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    what: &'static str,
}

pub(crate) fn open(address: SocketAddr, what: &'static str) -> Result<Opened, Error> {
    let opened = listen::bind(address).and_then(|listener| {
        let address = listener.local_addr()?;
        Ok(Opened { listener, address, what })
    });
    opened.map_err(|error| Error::Bind { address, what, error })
}

/// The settings that are read at the start and never again, as far as they have changed.
fn needs_restart(before: &Serve, now: &Serve) -> impl Iterator<Item = &'static str> {
    let polled = |serve: &Serve| serve.ticket_keys.as_ref().map(|ticket_keys| ticket_keys.listen.clone());
    [
        ("serve.listen", before.listen != now.listen),
        ("serve.ticket-keys.listen", polled(before) != polled(now)),
        ("serve.admin", before.admin != now.admin),
    ]
    .into_iter()
    .filter_map(|(setting, changed)| changed.then_some(setting))
}
