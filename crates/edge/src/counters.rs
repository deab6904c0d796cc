//! What the edge counts. Workers add, the admin thread reads; nobody waits for anybody.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use raincheck_control::admin::prometheus::Buckets;
use raincheck_keyring::{Change, KeyName, KeyState, Ring};
use raincheck_tls::{ClientOutcome, Closed, Kind, Outcome, Reason};
use rustls::ProtocolVersion;

/// A number that grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// The number as it is.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down, and the highest it has been.
#[derive(Debug, Default)]
pub struct Gauge {
    now: AtomicUsize,
    highest: AtomicUsize,
}

impl Gauge {
    /// One more, until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> Within {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.highest.fetch_max(now, Ordering::Relaxed);
        Within(Arc::clone(self))
    }

    /// The number as it is.
    pub fn value(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// The highest it has been.
    pub fn highest(&self) -> usize {
        self.highest.load(Ordering::Relaxed)
    }
}

/// Counts one in a [`Gauge`] for as long as it lives.
#[derive(Debug)]
pub struct Within(Arc<Gauge>);

impl Drop for Within {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How often something took how long, in buckets with upper bounds.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: [Duration; N],
    buckets: [Count; N],
    beyond: Count,
    microseconds: Count,
}

impl<const N: usize> Histogram<N> {
    /// An empty histogram; `bounds` ascend.
    pub fn new(bounds: [Duration; N]) -> Self {
        Self {
            bounds,
            buckets: [const { Count(AtomicU64::new(0)) }; N],
            beyond: Count::default(),
            microseconds: Count::default(),
        }
    }

    /// Counts one that took `duration`.
    pub fn observe(&self, duration: Duration) {
        let bucket = self.bounds.iter().position(|bound| duration <= *bound);
        bucket.map_or(&self.beyond, |bucket| &self.buckets[bucket]).increment();
        self.microseconds.add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Each upper bound with how many took no longer, as Prometheus has it.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut sum = 0;
        self.bounds.iter().zip(&self.buckets).map(move |(bound, bucket)| {
            sum += bucket.value();
            (*bound, sum)
        })
    }

    /// All of that, for a page of metrics.
    pub fn snapshot(&self) -> Buckets<impl Iterator<Item = (Duration, u64)>> {
        Buckets { cumulative: self.cumulative(), sum: self.sum(), count: self.count() }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Count::value).sum::<u64>() + self.beyond.value()
    }

    /// How long all took together.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.microseconds.value())
    }
}

/// How a side of a connection ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// With close_notify, or over plain TCP with a FIN.
    Clean,
    /// With a FIN and no close_notify.
    Truncated,
    /// With a reset, or a fatal alert.
    Reset,
    /// Not at all, within the time it had.
    Timeout,
}

impl How {
    /// Every way there is.
    pub const ALL: [Self; 4] = [Self::Clean, Self::Truncated, Self::Reset, Self::Timeout];

    /// The word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Truncated => "truncated",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
        }
    }
}

impl From<&Closed> for How {
    fn from(closed: &Closed) -> Self {
        match closed {
            Closed::Clean => Self::Clean,
            Closed::Truncated => Self::Truncated,
            Closed::Reset | Closed::Fault(_) => Self::Reset,
        }
    }
}

/// Which side of the edge.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// Towards the clients.
    Client,
    /// Towards the servers.
    Upstream,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Client, Self::Upstream];

    /// The word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
        }
    }
}

/// Why a handshake came to nothing.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The peer broke TLS, or offers nothing that is served here.
    Tls,
    /// The client's certificate is missing or does not verify.
    ClientCertificate,
    /// The client left.
    Left,
    /// It took too long.
    Timeout,
    /// The PROXY protocol header is missing or malformed.
    ProxyHeader,
}

impl Failure {
    /// Every one there is.
    pub const ALL: [Self; 5] = [Self::Tls, Self::ClientCertificate, Self::Left, Self::Timeout, Self::ProxyHeader];

    /// The word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::ClientCertificate => "client-certificate",
            Self::Left => "left",
            Self::Timeout => "timeout",
            Self::ProxyHeader => "proxy-header",
        }
    }
}

/// What is counted for one listener.
#[derive(Debug)]
pub struct ListenerCounters {
    /// Connections taken.
    pub connections: Count,
    /// Connections open now.
    pub open: Arc<Gauge>,
    /// Application bytes from clients.
    pub bytes_in: Count,
    /// Application bytes to clients.
    pub bytes_out: Count,
    /// Time from the first byte to the end of the handshake, full ones.
    pub full_seconds: Histogram<11>,
    /// The same of resumed ones.
    pub resumed_seconds: Histogram<11>,
    handshakes: [[Count; Reason::ALL.len() + Kind::ALL.len() - 1]; 2],
    failures: [Count; Failure::ALL.len()],
    closed: [[Count; How::ALL.len()]; 2],
    refused_upstream: Count,
}

impl Default for ListenerCounters {
    fn default() -> Self {
        Self {
            connections: Count::default(),
            open: Arc::default(),
            bytes_in: Count::default(),
            bytes_out: Count::default(),
            full_seconds: Histogram::new(HANDSHAKE_BOUNDS),
            resumed_seconds: Histogram::new(HANDSHAKE_BOUNDS),
            handshakes: Default::default(),
            failures: Default::default(),
            closed: Default::default(),
            refused_upstream: Count::default(),
        }
    }
}

impl ListenerCounters {
    /// Counts a handshake that ended well after `took`.
    pub fn handshake(&self, outcome: &Outcome, took: Duration) {
        let version = usize::from(outcome.version == ProtocolVersion::TLSv1_3);
        self.handshakes[version][slot(outcome.kind, outcome.reason)].increment();
        match outcome.kind {
            Kind::Full => &self.full_seconds,
            _ => &self.resumed_seconds,
        }
        .observe(took);
    }

    /// Every combination there can be of version, kind and reason, with its number.
    pub fn handshakes(&self) -> impl Iterator<Item = (&'static str, Kind, Option<Reason>, u64)> {
        ["TLSv1.2", "TLSv1.3"].into_iter().zip(&self.handshakes).flat_map(|(version, counts)| {
            let full = Reason::ALL.iter().map(|reason| (Kind::Full, Some(*reason)));
            let resumed = Kind::ALL[1..].iter().map(|kind| (*kind, None));
            full.chain(resumed).map(move |(kind, reason)| (version, kind, reason, counts[slot(kind, reason)].value()))
        })
    }

    /// All handshakes, and the full ones among them.
    pub fn handshakes_and_full(&self) -> (u64, u64) {
        self.handshakes().fold((0, 0), |(all, full), (_, kind, _, count)| {
            (all + count, full + if kind == Kind::Full { count } else { 0 })
        })
    }

    /// Counts a handshake that came to nothing.
    pub fn failed(&self, failure: Failure) {
        self.failures[failure as usize].increment();
    }

    /// How many handshakes came to nothing for this reason.
    pub fn failures(&self, failure: Failure) -> u64 {
        self.failures[failure as usize].value()
    }

    /// Counts the end of one side of a connection.
    pub fn closed(&self, side: Side, how: How) {
        self.closed[side as usize][how as usize].increment();
    }

    /// How many connections ended so on that side.
    pub fn closed_so(&self, side: Side, how: How) -> u64 {
        self.closed[side as usize][how as usize].value()
    }

    /// Counts a connection no server could be reached for.
    pub fn no_server(&self) {
        self.refused_upstream.increment();
    }

    /// How many connections no server could be reached for.
    pub fn without_server(&self) -> u64 {
        self.refused_upstream.value()
    }
}

/// What a connection to a server is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It carries a client's bytes.
    Traffic,
    /// It finds out whether the server can serve.
    Check,
}

impl Purpose {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Traffic, Self::Check];

    /// The word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traffic => "traffic",
            Self::Check => "check",
        }
    }
}

/// What is counted for one server.
#[derive(Debug, Default)]
pub struct ServerCounters {
    /// Connections open to it now, those of checks apart.
    pub open: Arc<Gauge>,
    /// Connections made to it, likewise.
    pub connections: Count,
    /// Connections it refused, did not answer in time, or did not get through TLS.
    pub failures: Count,
    /// Checks that passed.
    pub checks_passed: Count,
    /// Checks that failed.
    pub checks_failed: Count,
    /// Those of them that failed while it was up.
    pub checks_failed_up: Count,
    /// How often checks took it down.
    pub downs: Count,
    handshakes: [[Count; Kind::ALL.len()]; 2],
    refused: [Count; 2],
    failed_handshakes: [Count; 2],
}

impl ServerCounters {
    /// Counts a TLS handshake that ended well.
    pub fn handshake(&self, purpose: Purpose, outcome: &ClientOutcome) {
        self.handshakes[purpose as usize][outcome.kind as usize].increment();
        if outcome.refused {
            self.refused[purpose as usize].increment();
        }
    }

    /// Counts a TLS handshake that came to nothing.
    pub fn handshake_failed(&self, purpose: Purpose) {
        self.failed_handshakes[purpose as usize].increment();
    }

    /// How many handshakes were of that kind.
    pub fn handshakes(&self, purpose: Purpose, kind: Kind) -> u64 {
        self.handshakes[purpose as usize][kind as usize].value()
    }

    /// How many of the full ones were full although a session was offered.
    pub fn refused(&self, purpose: Purpose) -> u64 {
        self.refused[purpose as usize].value()
    }

    /// How many handshakes came to nothing.
    pub fn failed_handshakes(&self, purpose: Purpose) -> u64 {
        self.failed_handshakes[purpose as usize].value()
    }

    /// All handshakes, and the full ones among them, whatever they were for.
    pub fn handshakes_and_full(&self) -> (u64, u64) {
        let of = |kind: &Kind| Purpose::ALL.into_iter().map(|purpose| self.handshakes(purpose, *kind)).sum::<u64>();
        // Read once: counting goes on meanwhile, and no part may be more than the whole.
        let full = of(&Kind::Full);
        (full + Kind::ALL[1..].iter().map(of).sum::<u64>(), full)
    }
}

/// Where a combination of kind and reason is counted: the reasons first, then the resumed kinds.
fn slot(kind: Kind, reason: Option<Reason>) -> usize {
    match (kind, reason) {
        (Kind::Full, reason) => reason.map_or(0, |reason| reason as usize),
        (kind, _) => Reason::ALL.len() + kind as usize - 1,
    }
}

/// What is counted of tickets, by the name of their key.
///
/// Only names this node has held get a place; what a stranger made up is counted apart, and
/// only the most frequent are remembered.
#[derive(Debug)]
pub struct TicketCounters {
    /// Time since a ticket that resumed was sealed.
    pub age_seconds: Histogram<9>,
    named: Mutex<Named>,
    started: Instant,
    foreign_second: AtomicU64,
    foreign_logged: AtomicU64,
}

#[derive(Debug, Default)]
struct Named {
    held: BTreeMap<KeyName, HeldKey>,
    oldest_first: VecDeque<KeyName>,
    foreign: HashMap<KeyName, u64>,
    foreign_total: u64,
}

/// Of one key this node holds or held.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldKey {
    /// Tickets opened while it was next, issuing, retiring.
    pub opened: [u64; 3],
    /// Tickets refused because it was gone.
    pub refused_unknown: u64,
}

impl HeldKey {
    /// Tickets opened while the key was in `state`.
    pub fn opened_as(&self, state: KeyState) -> u64 {
        self.opened[state_slot(state)]
    }
}

impl Default for TicketCounters {
    fn default() -> Self {
        Self {
            age_seconds: Histogram::new(AGE_BOUNDS),
            named: Mutex::default(),
            started: Instant::now(),
            foreign_second: AtomicU64::new(0),
            foreign_logged: AtomicU64::new(0),
        }
    }
}

impl TicketCounters {
    /// Gives the keys of `ring` a place.
    pub fn hold(&self, ring: &Ring) {
        let mut named = self.named();
        ring.entries().for_each(|entry| named.hold(entry.key.name()));
    }

    /// Gives new keys a place.
    pub fn follow(&self, changes: &[Change]) {
        let mut named = self.named();
        for change in changes {
            if let Change::Introduced(name) | Change::Issuing(name) = change {
                named.hold(*name);
            }
        }
    }

    /// Counts what a handshake says of tickets. Answers the key name if it is a stranger's.
    pub fn handshake(&self, outcome: &Outcome) -> Option<KeyName> {
        if outcome.kind != Kind::Full
            && let Some(age) = outcome.age
        {
            self.age_seconds.observe(age);
        }
        let name = outcome.key_name?;
        let mut named = self.named();
        match (outcome.key_state, outcome.reason) {
            (Some(state), _) => {
                named.hold(name);
                if let Some(key) = named.held.get_mut(&name) {
                    key.opened[state_slot(state)] += 1;
                }
                None
            }
            (None, Some(Reason::UnknownKey)) => match named.held.get_mut(&name) {
                Some(key) => {
                    key.refused_unknown += 1;
                    None
                }
                None => {
                    named.foreign(name);
                    Some(name)
                }
            },
            _ => None,
        }
    }

    /// Whether a stranger's key name may go to the log now: a few a second may.
    pub fn may_log_foreign(&self) -> bool {
        let second = self.started.elapsed().as_secs();
        if self.foreign_second.swap(second, Ordering::Relaxed) != second {
            self.foreign_logged.store(0, Ordering::Relaxed);
        }
        self.foreign_logged.fetch_add(1, Ordering::Relaxed) < FOREIGN_NAMES_A_SECOND
    }

    /// The keys this node holds or held, with their counts.
    pub fn held(&self) -> Vec<(KeyName, HeldKey)> {
        self.named().held.iter().map(|(name, key)| (*name, *key)).collect()
    }

    /// How many tickets named a key this node never held, and the ten names seen most.
    pub fn foreign(&self) -> (u64, Vec<(KeyName, u64)>) {
        let named = self.named();
        let mut top: Vec<_> = named.foreign.iter().map(|(name, count)| (*name, *count)).collect();
        top.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        top.truncate(10);
        (named.foreign_total, top)
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Named {
    fn hold(&mut self, name: KeyName) {
        if self.held.contains_key(&name) {
            return;
        }
        self.held.insert(name, HeldKey::default());
        self.oldest_first.push_back(name);
        if self.held.len() > MOST_NAMES
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.held.remove(&oldest);
        }
    }

    /// Counts a stranger's name, and forgets the rare ones when there are too many.
    fn foreign(&mut self, name: KeyName) {
        self.foreign_total += 1;
        *self.foreign.entry(name).or_default() += 1;
        if self.foreign.len() > MOST_NAMES {
            let mut counts: Vec<u64> = self.foreign.values().copied().collect();
            counts.sort_unstable();
            let median = counts[counts.len() / 2];
            let mut to_go = counts.len() / 2;
            self.foreign.retain(|_, count| {
                let goes = *count <= median && to_go > 0;
                to_go -= usize::from(goes);
                !goes
            });
        }
    }
}

fn state_slot(state: KeyState) -> usize {
    match state {
        KeyState::Next => 0,
        KeyState::Issuing => 1,
        KeyState::Retiring => 2,
    }
}

/// How many key names of strangers the log takes.
const FOREIGN_NAMES_A_SECOND: u64 = 10;

/// How many key names are remembered, of each sort.
const MOST_NAMES: usize = 1024;

const HANDSHAKE_BOUNDS: [Duration; 11] = [
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

const AGE_BOUNDS: [Duration; 9] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(1800),
    Duration::from_secs(3600),
    Duration::from_secs(6 * 3600),
    Duration::from_secs(18 * 3600),
    Duration::from_secs(24 * 3600),
];
