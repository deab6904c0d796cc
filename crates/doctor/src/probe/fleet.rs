//! Who resumes whose sessions in a fleet: each node gives sessions, and each is asked to resume those of the others.
//!
//! `plan` decides who is asked what next, and when; here it is done, at many nodes at once, and what came of it kept.

mod plan;
mod psks;

use std::time::Duration;

use raincheck_diagnosis::evidence::{Ask, Connection, Failure, Fleet, Gives, KeyName, Node, Reply, Way, Ways};
use rustls::pki_types::ServerName;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::clock;
use super::{Attempt, Offer, Outcome, Protocol, Session, Speech, Target, Trust, Versions};
use plan::{Plan, Step, Task};
use psks::Psks;

/// A probe of a fleet.
#[derive(Debug)]
pub struct FleetProbe {
    /// The nodes, each at an address of its own.
    pub targets: Vec<Target>,
    /// Whom to trust.
    pub trust: Trust,
    /// What is spoken before TLS begins, if anything.
    pub starttls: Option<Protocol>,
    /// What to say to a node, so that it sends its TLS 1.3 tickets: nothing where that is empty; where it is `None`, what
    /// goes with the protocol, which is HTTP if there is no other.
    pub request: Option<Vec<u8>>,
    /// How long after the first time nodes are asked again; they are not where that is nothing.
    pub wait: Duration,
}

/// How far a probe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many times nodes were asked to resume.
    pub done: usize,
    /// How many times they are still to be asked, as far as is known.
    pub left: usize,
}

impl FleetProbe {
    /// Asks all nodes, and tells how far it is. At each node there is one connection after the other, at most five in a
    /// second; where three in a row fail, it is left alone.
    pub async fn run(self, mut progress: impl FnMut(Progress)) -> Fleet {
        let mut errand = Errand::new(self);
        let begin = Instant::now();
        let mut running = JoinSet::new();
        loop {
            while let Some((node, step)) = errand.plan.next(begin.elapsed(), &errand.psks) {
                running.spawn(errand.attempt(node, step));
            }
            let due = errand.plan.due(&errand.psks).map(|due| begin + due);
            if running.is_empty() && due.is_none() {
                return errand.fleet;
            }
            tokio::select! {
                Some(done) = running.join_next() => {
                    errand.done(done.expect("an attempt does not panic"), begin.elapsed());
                    progress(errand.plan.progress());
                }
                () = sleep_until(due.unwrap_or(begin)), if due.is_some() => {}
            }
        }
    }
}

/// A probe that is under way.
struct Errand {
    probe: FleetProbe,
    plan: Plan,
    psks: Psks<Held>,
    /// What each node gave in TLS 1.2, to be offered as often as one likes.
    tls12: Vec<Ways<Option<Held>>>,
    fleet: Fleet,
}

/// A session, and the cipher suite of the connection that brought it.
#[derive(Debug)]
struct Held {
    session: Session,
    suite: u16,
}

/// A step that was taken.
struct Done {
    node: usize,
    step: Step,
    /// The suite of the session that was offered.
    suite: u16,
    outcome: Outcome,
}

impl Errand {
    fn new(probe: FleetProbe) -> Self {
        let nodes = probe.targets.iter().map(|target| Node {
            name: target.name.clone(),
            address: target.address,
            gives: Ways::default(),
            key_names: Ways::default(),
            certificate: None,
            gone: None,
        });
        let fleet = Fleet { nodes: nodes.collect(), asks: Vec::new() };
        let nodes = fleet.nodes.len();
        Self {
            plan: Plan::new(nodes, probe.wait),
            psks: Psks::new(nodes),
            tls12: (0..nodes).map(|_| Ways::default()).collect(),
            fleet,
            probe,
        }
    }

    /// Takes a step at `node`.
    fn attempt(&mut self, node: usize, step: Step) -> impl Future<Output = Done> + use<> {
        let way = step.way();
        let (named, session, speaks) = match step {
            Step::Give(_) => (node, None, way == Way::Psk),
            // A client asks all nodes for the one name that it knows them by: here, that of the node with the session.
            Step::Ask { task, speaks } => (task.issuer, self.session(node, task), speaks),
        };
        let (session, suite) = session.map_or((None, 0), |held| (Some(held.session), held.suite));
        let offer = match (session, way) {
            (None, Way::SessionId) => Offer::NoTickets,
            (None, Way::Psk | Way::Ticket) => Offer::Nothing,
            (Some(session), Way::SessionId) => Offer::SessionId(session),
            (Some(session), Way::Psk | Way::Ticket) => Offer::Session(session),
        };
        let FleetProbe { targets, trust, starttls, request, .. } = &self.probe;
        let (target, trust, server_name) = (targets[node].clone(), trust.clone(), targets[named].server_name.clone());
        let speech = match speaks.then(|| request.clone().unwrap_or_else(|| greeting(*starttls, &server_name))) {
            Some(request) if !request.is_empty() => Speech::Ask { after: Duration::ZERO, request },
            _ => Speech::Nothing(Duration::ZERO),
        };
        let versions = if way == Way::Psk { Versions::Tls13 } else { Versions::Tls12 };
        let attempt = Attempt { server_name, starttls: *starttls, offer, speech, ..Attempt::new(&target, versions) };
        async move { Done { node, step, suite, outcome: attempt.run(&target, &trust).await } }
    }

    /// The session to ask `node` for.
    fn session(&mut self, node: usize, task: Task) -> Option<Held> {
        match task.way {
            Way::Psk if task.takes_ticket(node) => self.psks.take(task.issuer),
            Way::Psk => self.psks.take_kept_back(node),
            Way::Ticket | Way::SessionId => self.tls12[task.issuer][task.way].as_ref().and_then(Held::again),
        }
    }

    /// Keeps what came of a step.
    fn done(&mut self, done: Done, now: Duration) {
        let Done { node, step, suite, outcome } = done;
        let Outcome { connection, failure, gained, leaf, .. } = outcome;
        let gained = self.keep(node, step.way(), &connection, gained);
        let certificate = &mut self.fleet.nodes[node].certificate;
        match step {
            Step::Give(_) if certificate.is_none() => *certificate = leaf.map(|leaf| leaf.as_ref().into()),
            _ => {}
        }
        match step {
            Step::Give(way) => self.gave(node, way, gained, &connection, failure),
            Step::Ask { task, .. } => {
                let Task { way, issuer, again } = task;
                let reply = Reply::of(way, &connection, failure.as_ref());
                let key_name = connection.offered_key_name().filter(|_| way != Way::SessionId);
                if let (Way::Psk, Some(name)) = (way, key_name) {
                    self.fleet.nodes[issuer].key_names.psk.note(name);
                }
                self.plan.replied(node, task, &reply, now);
                self.fleet.asks.push(Ask {
                    way,
                    issuer,
                    asked: node,
                    again,
                    at: clock::now().time,
                    key_name,
                    suite,
                    reply,
                });
                self.leave_alone(node, failure);
            }
        }
    }

    fn gave(&mut self, node: usize, way: Way, gained: usize, connection: &Connection, failure: Option<Failure>) {
        let said = self.probe.request.as_ref().is_none_or(|request| !request.is_empty());
        let gives = Gives::of(way, gained, said, connection, failure.as_ref());
        let failed = gives != Gives::NotSpoken && failure.is_some() && !connection.is_established();
        self.plan.gave(node, way, &gives, failed);
        let before = &mut self.fleet.nodes[node].gives;
        if gives == Gives::NotSpoken {
            Way::ALL
                .into_iter()
                .filter(|other| other.version() == way.version())
                .for_each(|way| before[way] = Gives::NotSpoken);
        } else if before[way] != Gives::Sessions {
            before[way] = gives;
        }
        self.leave_alone(node, failure);
    }

    /// Keeps the sessions that a connection to `node` brought, and says how many they are.
    fn keep(&mut self, node: usize, way: Way, connection: &Connection, gained: Vec<Session>) -> usize {
        let suite = connection.server_hello.as_ref().map_or(0, |hello| hello.suite);
        let mut held: Vec<Held> = gained.into_iter().map(|session| Held { session, suite }).collect();
        if way == Way::Ticket {
            let names = connection.tickets.iter().filter_map(|ticket| KeyName::of(&ticket.ticket));
            names.for_each(|name| self.fleet.nodes[node].key_names.ticket.note(name));
            if connection.tickets.is_empty() {
                held.clear(); // a session by its ID
            }
        }
        let count = held.len();
        match way {
            Way::Psk => self.psks.keep(node, held, self.fleet.nodes[node].gives.psk != Gives::Sessions),
            Way::Ticket | Way::SessionId => {
                let first = &mut self.tls12[node][way];
                *first = first.take().or_else(|| held.into_iter().next());
            }
        }
        count
    }

    /// Notes why `node` is left alone from here on, if it is.
    fn leave_alone(&mut self, node: usize, failure: Option<Failure>) {
        if self.plan.is_gone(node) {
            self.fleet.nodes[node].gone = failure;
        }
    }
}

impl Held {
    /// The same once more, where that is allowed.
    fn again(&self) -> Option<Self> {
        match &self.session {
            Session::Tls12(value) => Some(Self { session: Session::Tls12(value.clone()), suite: self.suite }),
            Session::Tls13(_) => None,
        }
    }
}

/// What a server of the protocol answers; one of HTTP, where there is none, closes the connection after.
fn greeting(starttls: Option<Protocol>, name: &ServerName<'_>) -> Vec<u8> {
    let host = name.to_str();
    if let Some(protocol) = starttls {
        return protocol.greeting(&host);
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host.into_owned() };
    format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: raincheck-doctor\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}
