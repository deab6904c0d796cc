//! Edges that make their ticket keys together, each on a host of its own, with an etcd on hosts of its own; and clients that
//! go from one to another.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use raincheck_control::etcd::Etcd;
use raincheck_control::https::Trust;
use raincheck_control::source::etcd::EtcdSource;
use raincheck_keyring::Epoch;

use crate::address;
use crate::client::{Ending, Version};
use crate::config::{Config, Listener, quoted};
use crate::deadline::until;
use crate::edge::{Edge, ask_admin, raincheck};
use crate::etcd::Cluster;
use crate::metrics::Metrics;
use crate::network::{Host, Network};
use crate::raw::{REQUEST, Raw};
use crate::site::{NAME, Site};
use crate::upstream::Upstream;

/// A fleet in a [`Network`]. Nodes and members are asked and stopped one by one.
pub struct Fleet<'a> {
    site: &'a Site,
    /// etcd.
    pub cluster: Cluster,
    /// Where its members are.
    pub stores: Vec<Arc<Host>>,
    /// The edges.
    pub nodes: Vec<Node>,
    network: Network,
    app: Upstream,
    schedule: Schedule,
    secret: PathBuf,
}

/// How often the fleet rotates, and how long its tickets open.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// Whole seconds.
    pub rotate: Duration,
    /// Whole seconds.
    pub accept: Duration,
}

/// An edge of a fleet.
#[derive(Debug)]
pub struct Node {
    /// What the fleet calls it.
    pub name: String,
    /// Where it runs.
    pub host: Host,
    /// The process.
    pub edge: Edge,
}

impl<'a> Fleet<'a> {
    /// An etcd of three members and so many edges, called `a`, `b`, `c`, ....
    pub fn start(site: &'a Site, schedule: Schedule, nodes: usize) -> Self {
        let network = Network::new();
        let stores: Vec<_> = (0..3).map(|_| Arc::new(network.host())).collect();
        let cluster = Cluster::start_on(&site.scratch, &stores);
        let app = Upstream::http_at(Network::HERE);
        let secret = site.scratch.write("fleet-secret", random_secret());
        let mut fleet = Self { site, cluster, stores, nodes: Vec::new(), network, app, schedule, secret };
        (0..nodes).for_each(|_| fleet.join(|command| command));
        fleet
    }

    /// Starts another edge, by its command as `wrap` changes it, and waits until it is ready.
    pub fn join(&mut self, wrap: impl FnOnce(Command) -> Command) {
        let name = char::from(b'a' + u8::try_from(self.nodes.len()).unwrap()).to_string();
        let host = self.network.host();
        let at = |port: SocketAddr| SocketAddr::new(host.address, port.port());
        let listener = Listener::new("web", &self.site.certificate).on(at(address::unused()));
        let config = self.site.config(listener, self.app.address()).admin_on(at(address::unused()));
        let config = self.settings(config, &name);
        let command = wrap(host.command(raincheck().get_program()));
        let edge = Edge::start_by(command, &self.site.scratch, config);
        self.nodes.push(Node { name, host, edge });
    }

    /// The same with another secret than the others have.
    pub fn join_with_another_secret(&mut self) {
        let other = self.site.scratch.write("another-secret", random_secret());
        let secret = std::mem::replace(&mut self.secret, other);
        self.join(|command| command);
        self.secret = secret;
    }

    /// What lies in etcd at a [`key`] of the fleet, which must be there.
    pub fn value(&self, what: &str) -> Vec<u8> {
        self.ask(async |etcd| etcd.get(&key(what)).await).unwrap().0.unwrap_or_else(|| panic!("no {what}")).value
    }

    /// What a node of this fleet is told of it.
    pub fn source(&self, name: &str) -> EtcdSource {
        EtcdSource {
            endpoints: self.cluster.urls().iter().map(|url| url.parse().unwrap()).collect(),
            fleet: FLEET.parse().unwrap(),
            secret_file: self.secret.clone(),
            node: name.parse().unwrap(),
            generation: 1,
            trust: Trust::default(),
        }
    }

    /// How often the nodes have refused what was brought as keys.
    pub fn keys_refused(&self) -> f64 {
        self.nodes.iter().map(|node| node.edge.sum("raincheck_keys_refused_total", &[])).sum()
    }

    /// Starts an edge again, as it was.
    pub fn restart(&mut self, index: usize) {
        let Node { host, edge, .. } = &mut self.nodes[index];
        let command = host.command(raincheck().get_program());
        *edge = Edge::start_by(command, &self.site.scratch, edge.config().clone());
    }

    /// Raises the generation, as an operator does: in every node's configuration, read again.
    pub fn raise_generation(&mut self, generation: u64) {
        for node in &self.nodes {
            let text = node.edge.config().text();
            let line = "[keys.etcd]\n";
            assert!(text.contains(line));
            node.edge.write_config(&text.replace(line, &format!("{line}generation = {generation}\n")));
            node.edge.hang_up();
        }
    }

    /// The configuration with what makes an edge the node of this name.
    fn settings(&self, config: Config, name: &str) -> Config {
        let Schedule { rotate, accept } = self.schedule;
        let endpoints: Vec<String> = self.cluster.urls().iter().map(quoted).collect();
        let fleet = [
            ("endpoints", format!("[{}]", endpoints.join(", "))),
            ("fleet", quoted(FLEET)),
            ("secret-file", quoted(self.secret.display())),
        ];
        config
            .keys("rotate", quoted(format!("{}s", rotate.as_secs())))
            .keys("accept", quoted(format!("{}s", accept.as_secs())))
            .keys("node", quoted(name))
            .fleet(fleet.map(|(key, value)| (key.to_owned(), value)).to_vec())
    }

    /// The file with the secret.
    pub fn secret(&self) -> &PathBuf {
        &self.secret
    }

    /// etcd's addresses.
    pub fn store_addresses(&self) -> Vec<IpAddr> {
        self.stores.iter().map(|store| store.address).collect()
    }

    /// Which of the nodes leads, as etcd has it.
    pub fn leader(&self) -> Option<usize> {
        let name = self.ask(async |etcd| etcd.get(&key("leader")).await.ok())?.0?.value;
        self.nodes.iter().position(|node| node.name.as_bytes() == name)
    }

    /// Waits until one of the nodes leads.
    pub fn expect_leader(&self) -> usize {
        until("a node leads", || self.leader())
    }

    /// Kills the node that leads, and waits until another leads; gives which those are.
    pub fn kill_leader(&mut self) -> (usize, usize) {
        let leader = self.expect_leader();
        self.nodes[leader].edge.kill();
        (leader, until("another node leads", || self.leader().filter(|now| *now != leader)))
    }

    /// All but this node.
    pub fn others(&self, than: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| *node != than).collect()
    }

    /// Waits until each of these nodes has had so many rotations more.
    pub fn rotates(&self, nodes: &[usize], count: u64) {
        let newest = nodes.iter().map(|node| self.nodes[*node].epoch()).max().unwrap();
        for node in nodes {
            self.nodes[*node].reaches(newest.counter + count);
        }
    }

    /// All nodes.
    pub fn all(&self) -> Vec<usize> {
        (0..self.nodes.len()).collect()
    }

    /// Clients that go about from now on.
    pub fn travellers(&self) -> Travellers {
        let places = self.nodes.iter().map(|node| (node.name.clone(), node.edge.address("web")));
        Travellers::start(self.site, places.collect(), self.schedule)
    }

    /// How often a ticket was offered to an edge that runs and did not open, by reason. Edges that were started again count
    /// from then on.
    pub fn refused(&self) -> BTreeMap<String, f64> {
        let answers = self.nodes.iter().filter_map(|node| ask_admin(node.edge.config().admin(), "/metrics"));
        let mut refused = BTreeMap::new();
        for metrics in answers.map(|answer| Metrics::parse(&answer.body)) {
            for sample in metrics.all("raincheck_handshakes_total") {
                let reason = sample.labels["reason"].clone();
                if !["", "not-offered"].contains(&&*reason) && sample.value > 0.0 {
                    *refused.entry(reason).or_default() += sample.value;
                }
            }
        }
        refused
    }

    /// Asks etcd.
    pub fn ask<A>(&self, question: impl AsyncFnOnce(Etcd) -> A) -> A {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let urls = self.cluster.urls().iter().map(|url| url.parse().unwrap()).collect();
            question(Etcd::new(urls, &Trust::default(), Duration::from_secs(2)).unwrap()).await
        })
    }
}

impl Node {
    /// The epoch of its ring.
    pub fn epoch(&self) -> Epoch {
        self.edge.status()["keys"]["epoch"].as_str().expect("an epoch").parse().expect("an epoch")
    }

    /// How it stands with its source.
    pub fn standing(&self) -> String {
        self.edge.status()["keys"]["standing"].as_str().expect("a word").to_owned()
    }

    /// Waits until its ring is of an epoch that far, or farther.
    pub fn reaches(&self, counter: u64) {
        until(&format!("node {} has epoch {counter}", self.name), || (self.epoch().counter >= counter).then_some(()));
    }
}

/// A key of the fleet in etcd.
pub fn key(what: &str) -> Vec<u8> {
    format!("/raincheck/{FLEET}/{what}").into_bytes()
}

fn random_secret() -> [u8; 32] {
    std::array::from_fn(|_| fastrand::u8(..))
}

/// What the fleet is called.
pub const FLEET: &str = "web";

/// Clients that take a ticket at one place and offer it at others, at any age it may have; stopped when dropped.
pub struct Travellers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    places: Mutex<Vec<(String, SocketAddr)>>,
    raw: Box<dyn Fn(Version) -> Raw + Send + Sync>,
    accept: Duration,
    journal: Mutex<Journal>,
    begun: Instant,
}

/// What came of the travels so far.
#[derive(Clone, Default, Debug)]
pub struct Journal {
    /// Whether it is over.
    over: bool,
    /// Tickets that opened, by their age in tenths of how long they may open.
    pub opened: [u64; 10],
    /// Those that did not.
    pub refused: Vec<Refusal>,
    /// Visits that came to nothing, at places that are down perhaps.
    pub failed: u64,
    /// Tickets that nobody came to offer in time: the machine is busy.
    pub late: u64,
}

/// A ticket that did not open.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct Refusal {
    pub version: Version,
    pub from: String,
    pub to: String,
    pub age: Duration,
    /// Since the travels began.
    pub after: Duration,
}

impl Travellers {
    fn start(site: &Site, places: Vec<(String, SocketAddr)>, schedule: Schedule) -> Self {
        let ca = site.authority.file();
        let shared = Arc::new(Shared {
            places: Mutex::new(places),
            raw: Box::new(move |version| Raw::new(&ca, version, None)),
            accept: schedule.accept,
            journal: Mutex::default(),
            begun: Instant::now(),
        });
        let travel = || {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.travel())
        };
        Self { threads: (0..THREADS).map(|_| travel()).collect(), shared }
    }

    /// Sends them to this place too, if they do not go there yet.
    pub fn visit(&self, node: &Node) {
        let place = (node.name.clone(), node.edge.address("web"));
        let mut places = self.shared.places.lock().unwrap();
        if !places.contains(&place) {
            places.push(place);
        }
    }

    /// What came of it so far.
    pub fn journal(&self) -> Journal {
        self.shared.journal.lock().unwrap().clone()
    }

    /// Lets them go on for so long that every ticket there was before has been offered for the last time.
    pub fn one_window(&self) {
        let (begun, window) = (Instant::now(), self.shared.accept);
        until("a window has passed", || (begun.elapsed() > window).then_some(()));
    }

    /// Calls them home.
    pub fn home(mut self) -> Journal {
        self.stop();
        self.journal()
    }

    fn stop(&mut self) {
        self.shared.journal.lock().unwrap().over = true;
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "a client failed");
        }
    }
}

impl Journal {
    /// Asserts that every ticket opened, of each age, and that there were many.
    pub fn expect_all_opened(&self) {
        assert!(self.refused.is_empty(), "{self}");
        assert!(self.opened.iter().all(|count| *count >= FEW), "of some age too few were offered: {self}");
    }

    /// How many opened.
    pub fn total(&self) -> u64 {
        self.opened.iter().sum()
    }
}

impl std::fmt::Display for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { opened, refused, failed, late, .. } = self;
        write!(f, "opened by age {opened:?}, {} refused, {failed} visits failed, {late} late", refused.len())?;
        refused.iter().take(20).try_for_each(|refusal| write!(f, "\n  {refusal:?}"))
    }
}

/// A ticket on its way.
struct Carried {
    raw: Raw,
    version: Version,
    from: String,
    taken: Instant,
    /// Ages at which it is to be offered, the last one first.
    stops: Vec<Duration>,
}

impl Carried {
    /// Whether nothing is left to offer: a ticket of TLS 1.3 is offered once.
    fn is_spent(&self) -> bool {
        self.version == Version::Tls13 && self.raw.tickets() == 0
    }
}

impl Shared {
    fn travel(&self) {
        let mut carried: Vec<Carried> = Vec::new();
        let mut next = Instant::now();
        loop {
            if self.journal.lock().unwrap().over {
                return;
            }
            let now = Instant::now();
            if now >= next {
                carried.extend(self.take_ticket());
                next = now + BETWEEN_TICKETS;
            }
            for ticket in &mut carried {
                let age = ticket.taken.elapsed();
                if ticket.stops.pop_if(|stop| *stop <= age).is_some() {
                    self.offer(ticket);
                }
            }
            carried.retain(|ticket| !ticket.stops.is_empty());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// A ticket from anywhere.
    fn take_ticket(&self) -> Option<Carried> {
        let version = fastrand::choice([Version::Tls12, Version::Tls13]).unwrap();
        let (from, address) = self.place_other_than("");
        let raw = (self.raw)(version);
        // Its age counts from before it was sealed: what is said of its window is rather too strict than too lax.
        let taken = Instant::now();
        if visit(&raw, address).is_none() {
            self.journal.lock().unwrap().failed += 1;
            return None;
        }
        raw.keep_session();
        let last = self.accept.mul_f64(AT_THE_END);
        let random = || last.mul_f64(fastrand::f64());
        // In TLS 1.3 there are two tickets, each good for one stop.
        let mut stops = match version {
            Version::Tls12 => vec![Duration::ZERO, random(), random(), last],
            Version::Tls13 => vec![random(), random()],
        };
        stops.sort_by(|a, b| b.cmp(a));
        Some(Carried { raw, version, from, taken, stops })
    }

    /// Offers a ticket at another place than where it is from. If nobody is there, at another.
    fn offer(&self, ticket: &Carried) {
        let age = ticket.taken.elapsed();
        if age > self.accept.mul_f64(AT_THE_END) + SLACK {
            self.journal.lock().unwrap().late += 1;
            return;
        }
        let mut attempts = 0;
        let (to, resumed) = loop {
            let (to, address) = self.place_other_than(&ticket.from);
            // A visit that comes to nothing, for its place is killed meanwhile, may have spent it.
            let resumed = if ticket.is_spent() { None } else { visit(&ticket.raw, address) };
            attempts += 1;
            if resumed.is_some() || attempts == ATTEMPTS || ticket.is_spent() {
                break (to, resumed);
            }
            self.journal.lock().unwrap().failed += 1;
        };
        let mut journal = self.journal.lock().unwrap();
        match resumed {
            None => journal.failed += 1,
            Some(true) => {
                let tenth = 10.0 * age.as_secs_f64() / self.accept.as_secs_f64();
                journal.opened[(tenth as usize).min(9)] += 1;
            }
            Some(false) => {
                let (version, from, after) = (ticket.version, ticket.from.clone(), self.begun.elapsed());
                journal.refused.push(Refusal { version, from, to, age, after });
            }
        }
    }

    fn place_other_than(&self, from: &str) -> (String, SocketAddr) {
        let places = self.places.lock().unwrap();
        let others = places.iter().filter(|(name, _)| name != from);
        fastrand::choice(others.cloned().collect::<Vec<_>>()).expect("a fleet has two nodes or more")
    }
}

/// Whether the session was resumed; none where the visit came to nothing.
fn visit(raw: &Raw, address: SocketAddr) -> Option<bool> {
    let mut connection = raw.try_connect(address, NAME).ok()?;
    connection.try_write(REQUEST).ok()?;
    let (_, ending) = connection.read_to_end();
    connection.close();
    (ending == Ending::Clean).then(|| connection.resumed())
}

const ATTEMPTS: u32 = 5;
const THREADS: usize = 2;
const BETWEEN_TICKETS: Duration = Duration::from_millis(50);
/// Of the window: when tickets are offered for the last time. What is left is for the way there.
const AT_THE_END: f64 = 0.98;
/// How long after that an offer still is in time.
const SLACK: Duration = Duration::from_millis(50);
/// Tickets of each tenth of the window that a test must have seen at least.
const FEW: u64 = 10;
