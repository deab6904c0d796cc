//! A fleet in a world with a clock of its own: a store, nodes, and one of them that makes the rings.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::AddAssign;
use std::rc::Rc;
use std::time::Duration;

use raincheck_keyring::{Decision, Epoch, KeyName, KeySize, NodeName, Ring, Rollout, Schedule, TicketKey, UnixTime};

use crate::random::Random;

/// What a fleet is like. Times are those of the world.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) nodes: usize,
    pub(crate) schedule: Schedule,
    pub(crate) patience: Duration,
    /// How far apart two clocks may be: less than a rotation.
    pub(crate) skew: Duration,
    /// How long it runs.
    pub(crate) rotations: u32,
    /// How many times less goes wrong than can.
    pub(crate) calm: u32,
    /// A rule that is broken on purpose.
    pub(crate) breach: Option<Breach>,
}

/// A rule that the fleet breaks, so that it is seen what the rule is for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Breach {
    /// It rotates when it is time, whoever lacks the newest ring.
    AcknowledgementsIgnored,
    /// The fresh key seals at once.
    PromotedAtOnce,
    /// A ring retains a key less.
    OneKeyLess,
    /// A ticket expires when `accept` is over on the clock of whoever opens it.
    SkewIgnored,
    /// A node that lapsed is not waited for.
    LapsedForgotten,
    /// A new maker waits only for who is registered.
    RecipientsIgnored,
    /// It rotates when everybody has the newest ring, without waiting for the time.
    Hurried,
}

/// What happened in a run.
#[derive(Clone, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) rotations: u64,
    pub(crate) makers: u64,
    /// Nodes that rotation went on without.
    pub(crate) left_behind: u64,
    pub(crate) sealed: u64,
    pub(crate) opened: u64,
    /// Messages: rings to nodes, acknowledgements, registrations.
    pub(crate) rings: u64,
    pub(crate) acknowledgements: u64,
    pub(crate) registrations: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rotations += other.rotations;
        self.makers += other.makers;
        self.left_behind += other.left_behind;
        self.sealed += other.sealed;
        self.opened += other.opened;
        self.rings += other.rings;
        self.acknowledgements += other.acknowledgements;
        self.registrations += other.registrations;
    }
}

/// Runs a fleet, and says how the rules were broken if they were.
pub(crate) fn run(settings: &Settings, seed: u64) -> Result<Counts, String> {
    let mut fleet = Fleet::new(settings.clone(), seed);
    let end = START + settings.schedule.rotate * settings.rotations;
    while let Some(Reverse(Due { at, event, .. })) = fleet.events.pop() {
        if at > end {
            break;
        }
        fleet.now = at;
        fleet.happens(event);
        if let Some(broken) = fleet.broken.take() {
            return Err(format!("{broken}, {:?} after the beginning", at.since(START)));
        }
    }
    Ok(fleet.counts)
}

struct Fleet {
    settings: Settings,
    random: Random,
    now: UnixTime,
    events: BinaryHeap<Reverse<Due>>,
    scheduled: u64,
    nodes: Vec<Node>,
    positions: BTreeMap<NodeName, usize>,
    store: Store,
    maker: Option<Maker>,
    /// The rings of the nodes that the rules are for, and how many have each.
    census: BTreeMap<Epoch, (Rc<Ring>, usize)>,
    broken: Option<String>,
    counts: Counts,
}

/// What everybody sees who can reach it, and what is changed by one at a time.
struct Store {
    newest: Rc<Ring>,
    made: UnixTime,
    /// Who can open what the newest ring is wrapped in.
    recipients: BTreeSet<usize>,
}

struct Maker {
    node: usize,
    /// Tells makers apart.
    term: u64,
    rollout: Rollout,
}

struct Node {
    name: NodeName,
    /// Grows with each start.
    incarnation: u64,
    is_up: bool,
    /// From the store; clients reach it all the same.
    is_cut_off: bool,
    /// In the store, and what it has acknowledged there.
    registered: Option<Epoch>,
    ring: Option<Rc<Ring>>,
    /// How far its clock is behind the fastest there may be.
    behind: Duration,
    /// A rotation went on without it, and it has not caught up since: the rules are not for it.
    left_behind: bool,
}

enum Event {
    Arrives { node: usize, incarnation: u64, ring: Rc<Ring> },
    Acknowledged { node: usize, incarnation: u64, epoch: Epoch },
    Polls { node: usize, incarnation: u64 },
    LeaseEnds { node: usize, incarnation: u64 },
    Heals { node: usize, incarnation: u64 },
    Starts { node: usize },
    Decides { term: u64 },
    Elects,
    Trouble,
    MakerStops,
    Seals,
    Opens(Ticket),
}

struct Ticket {
    key: KeyName,
    sealed_at: UnixTime,
}

impl Fleet {
    fn new(settings: Settings, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let nodes: Vec<_> = (0..settings.nodes).map(Node::new).collect();
        let [issuing, next] = [(); 2].map(|()| fresh_key(&mut random));
        let ring = Rc::new(Ring::new(issuing, Some(next), START + settings.skew).unwrap());
        let mut fleet = Self {
            positions: nodes.iter().enumerate().map(|(position, node)| (node.name.clone(), position)).collect(),
            store: Store { newest: ring, made: START, recipients: BTreeSet::new() },
            now: START,
            events: BinaryHeap::new(),
            scheduled: 0,
            maker: None,
            census: BTreeMap::new(),
            broken: None,
            counts: Counts::default(),
            settings,
            random,
            nodes,
        };
        for node in 0..fleet.nodes.len() {
            // The first four have the ring, and are there. Some join later.
            if node < 4 {
                fleet.store.recipients.insert(node);
                fleet.starts(node);
                fleet.takes(node, Rc::clone(&fleet.store.newest));
            } else {
                let within = if fleet.random.one_in(4) { fleet.rotations(8) } else { fleet.rotate() / 10 };
                let joins = fleet.random.up_to(within);
                fleet.after(joins, Event::Starts { node });
            }
        }
        for event in [Event::Elects, Event::Trouble, Event::MakerStops, Event::Seals] {
            fleet.after(Duration::ZERO, event);
        }
        fleet
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives { node, incarnation, ring } if self.is_reached(node, incarnation) => self.takes(node, ring),
            Event::Acknowledged { node, incarnation, epoch } if self.nodes[node].incarnation == incarnation => {
                self.acknowledged(node, epoch);
            }
            Event::Polls { node, incarnation } if self.nodes[node].incarnation == incarnation => self.polls(node),
            Event::LeaseEnds { node, incarnation } if !self.is_reached(node, incarnation) => {
                self.lease_ends(node, incarnation);
            }
            Event::Heals { node, incarnation } if self.nodes[node].incarnation == incarnation => {
                self.nodes[node].is_cut_off = false;
                self.looks(node);
            }
            Event::Starts { node } if !self.nodes[node].is_up => self.starts(node),
            Event::Decides { term } if self.maker.as_ref().is_some_and(|maker| maker.term == term) => self.decides(),
            Event::Elects => self.elects(),
            Event::Trouble => self.trouble(),
            Event::MakerStops => self.maker_stops(),
            Event::Seals => self.seals(),
            Event::Opens(ticket) => self.opens(&ticket),
            _ => {}
        }
    }

    // The nodes.

    fn starts(&mut self, node: usize) {
        let behind = self.clock_is_behind();
        let started = &mut self.nodes[node];
        (started.is_up, started.is_cut_off, started.left_behind, started.behind) = (true, false, false, behind);
        started.incarnation += 1;
        // A peer may have a ring for it, which need not be the newest. It serves with that once whoever
        // makes the rings knows of it: a maker that is elected later would not, if it is cut off by then.
        if self.maker.is_some()
            && self.random.one_in(3)
            && let Some(peer) = self.somebody()
        {
            self.nodes[node].ring = self.nodes[peer].ring.clone();
            self.counted_in(node);
        }
        self.registers(node);
        let incarnation = self.nodes[node].incarnation;
        let first = self.random.up_to(self.rotate() / 2);
        self.after(first, Event::Polls { node, incarnation });
    }

    fn registers(&mut self, node: usize) {
        self.counts.registrations += 1;
        let held = self.nodes[node].epoch();
        self.nodes[node].registered = Some(held);
        if let Some(maker) = &mut self.maker {
            maker.rollout.registered(self.nodes[node].name.clone(), held);
            // What the ring was wrapped in for an earlier start of it, this one cannot open.
            self.store.recipients.insert(node);
            self.send(node);
        }
    }

    fn polls(&mut self, node: usize) {
        self.looks(node);
        let incarnation = self.nodes[node].incarnation;
        self.after(self.rotate() / 2, Event::Polls { node, incarnation });
    }

    /// Does what was missed: registers, takes the newest ring, acknowledges it.
    fn looks(&mut self, node: usize) {
        if !self.nodes[node].is_up || self.nodes[node].is_cut_off {
            return;
        }
        match self.nodes[node].registered {
            None => self.registers(node),
            Some(acknowledged) if acknowledged < self.nodes[node].epoch() => self.acknowledges(node),
            Some(_) => {}
        }
        if self.store.recipients.contains(&node) {
            self.takes(node, Rc::clone(&self.store.newest));
        }
    }

    fn takes(&mut self, node: usize, ring: Rc<Ring>) {
        // As `Ring::succeeded_by` has it.
        if ring.epoch() <= self.nodes[node].epoch() {
            return;
        }
        // The last ticket under the ring before.
        if self.random.one_in(self.nodes.len().div_ceil(50)) {
            self.seals_at(node);
        }
        self.counted_out(node);
        if ring.epoch() == self.store.newest.epoch() {
            self.nodes[node].left_behind = false;
        }
        self.nodes[node].ring = Some(ring);
        self.counted_in(node);
        self.acknowledges(node);
    }

    fn acknowledges(&mut self, node: usize) {
        self.counts.acknowledgements += 1;
        let (incarnation, epoch) = (self.nodes[node].incarnation, self.nodes[node].epoch());
        self.deliver(Event::Acknowledged { node, incarnation, epoch });
    }

    fn stops(&mut self, node: usize) {
        self.counted_out(node);
        self.nodes[node].is_up = false;
        self.nodes[node].ring = None;
        self.disconnected(node);
    }

    fn is_cut_off_for(&mut self, node: usize, span: Duration) {
        self.nodes[node].is_cut_off = true;
        let incarnation = self.nodes[node].incarnation;
        self.after(span, Event::Heals { node, incarnation });
        self.disconnected(node);
    }

    fn disconnected(&mut self, node: usize) {
        let incarnation = self.nodes[node].incarnation;
        let lease = self.rotate() / 20;
        self.after(lease, Event::LeaseEnds { node, incarnation });
        if self.maker.as_ref().is_some_and(|maker| maker.node == node) {
            self.maker = None;
            self.after(lease, Event::Elects);
        }
    }

    // The store, and who makes the rings.

    fn acknowledged(&mut self, node: usize, epoch: Epoch) {
        let Some(acknowledged) = &mut self.nodes[node].registered else { return };
        *acknowledged = epoch.max(*acknowledged);
        if let Some(maker) = &mut self.maker {
            maker.rollout.acknowledged(&self.nodes[node].name, epoch);
        }
    }

    fn lease_ends(&mut self, node: usize, incarnation: u64) {
        let lapsed = &mut self.nodes[node];
        // Another start of it has a lease of its own.
        if lapsed.incarnation != incarnation {
            return;
        }
        lapsed.registered = None;
        if let Some(maker) = &mut self.maker {
            match self.settings.breach {
                Some(Breach::LapsedForgotten) => maker.rollout.left(&lapsed.name),
                _ => maker.rollout.lapsed(&lapsed.name),
            }
        }
    }

    /// Whoever has the newest ring, or can open it, may make the next.
    fn elects(&mut self) {
        if self.maker.is_some() {
            return;
        }
        let node = self.random.below(self.nodes.len());
        let is_able = self.nodes[node].is_up && !self.nodes[node].is_cut_off && self.store.recipients.contains(&node);
        if !is_able {
            self.after(self.rotate() / 500, Event::Elects);
            return;
        }
        self.takes(node, Rc::clone(&self.store.newest));
        self.counts.makers += 1;
        let made_at = self.store.newest.entries().next().unwrap().since;
        let mut rollout = Rollout::new(self.store.newest.epoch(), made_at);
        if self.settings.breach != Some(Breach::RecipientsIgnored) {
            for recipient in &self.store.recipients {
                rollout.expected(self.nodes[*recipient].name.clone());
            }
        }
        let term = self.counts.makers;
        self.maker = Some(Maker { node, term, rollout });
        for node in 0..self.nodes.len() {
            if let Some(held) = self.nodes[node].registered {
                let name = self.nodes[node].name.clone();
                self.maker.as_mut().unwrap().rollout.registered(name, held);
                if self.store.recipients.insert(node) {
                    self.send(node);
                }
            }
        }
        self.after(Duration::ZERO, Event::Decides { term });
    }

    fn decides(&mut self) {
        let Some(maker) = &mut self.maker else { return };
        let term = maker.term;
        let clock = self.now + self.nodes[maker.node].ahead(self.settings.skew);
        let rotate = match self.settings.breach {
            Some(Breach::Hurried) => self.settings.schedule.rotate / 8,
            _ => self.settings.schedule.rotate,
        };
        let decision = maker.rollout.decide(clock, rotate, self.settings.patience);
        // Its clock may be set in the meantime.
        let soon = self.rotate() / 10;
        let again = match decision {
            Decision::NotDue { due } => due.since(clock).min(soon),
            Decision::Wait { .. } if self.settings.breach == Some(Breach::AcknowledgementsIgnored) => {
                self.rotates(clock, &[]);
                soon
            }
            Decision::Wait { until, .. } => until.since(clock).min(soon / 5),
            Decision::Rotate { without } => {
                self.rotates(clock, &without);
                soon
            }
        };
        self.after(again.max(Duration::from_millis(1)), Event::Decides { term });
    }

    fn rotates(&mut self, clock: UnixTime, without: &[NodeName]) {
        self.counts.rotations += 1;
        let retained = match self.settings.breach {
            Some(Breach::OneKeyLess) => self.settings.schedule.retained() - 1,
            _ => self.settings.schedule.retained(),
        };
        let mut ring = Ring::clone(&self.store.newest);
        ring.advance(clock, fresh_key(&mut self.random), retained).unwrap();
        if self.settings.breach == Some(Breach::PromotedAtOnce) {
            ring.advance(clock, fresh_key(&mut self.random), retained).unwrap();
        }
        let ring = Rc::new(ring);
        let maker = self.maker.as_mut().unwrap();
        maker.rollout.rotated(ring.epoch(), clock);
        let recipients: BTreeSet<_> = maker.rollout.nodes().map(|(node, _)| self.positions[node]).collect();
        let maker = maker.node;
        for name in without {
            self.goes_on_without(self.positions[name], &recipients);
        }
        self.store = Store { newest: Rc::clone(&ring), made: self.now, recipients: recipients.clone() };
        self.takes(maker, ring);
        for node in recipients {
            self.send(node);
        }
    }

    /// A node that has the ring although it could not say so is left behind only if it is not waited
    /// for the next time.
    fn goes_on_without(&mut self, node: usize, counted: &BTreeSet<usize>) {
        let held = self.nodes[node].epoch();
        let has_it = held == self.store.newest.epoch();
        if !self.nodes[node].counts() || (has_it && counted.contains(&node)) {
            return;
        }
        self.counts.left_behind += 1;
        // Nobody is given up who is late by less than that.
        let late = self.now.since(self.store.made) + self.settings.skew;
        if late < self.rotate() + self.settings.patience {
            self.broken = Some(format!("{} was given up early", self.nodes[node].name));
        }
        self.counted_out(node);
        self.nodes[node].left_behind = true;
    }

    /// The newest ring to that node, if it can be reached at all.
    fn send(&mut self, node: usize) {
        let (incarnation, ring) = (self.nodes[node].incarnation, Rc::clone(&self.store.newest));
        if ring.epoch() > self.nodes[node].epoch() {
            self.counts.rings += 1;
            self.deliver(Event::Arrives { node, incarnation, ring });
        }
    }

    /// Mostly soon; now and then late, or never.
    fn deliver(&mut self, message: Event) {
        let within = match self.random.below(20 * self.settings.calm as usize) {
            0 => return,
            1 => self.rotate() / 2,
            _ => self.rotate() / 500,
        };
        let delay = self.random.up_to(within);
        self.after(delay, message);
    }

    // What goes wrong.

    fn trouble(&mut self) {
        let unlucky = 1 + self.random.below(self.nodes.len().div_ceil(100));
        for _ in 0..unlucky {
            let node = self.random.below(self.nodes.len());
            self.befalls(node);
        }
        let next = self.random.up_to(self.rotate() / 3 * self.settings.calm);
        self.after(next, Event::Trouble);
    }

    /// It hands over, or has its clock set, or more befalls it.
    fn maker_stops(&mut self) {
        if let Some(node) = self.maker.as_ref().map(|maker| maker.node) {
            match self.random.below(8) {
                0 => self.befalls(node),
                1 | 2 => self.sets_clock(node),
                _ => {
                    self.maker = None;
                    self.after(Duration::ZERO, Event::Elects);
                }
            }
        }
        let next = self.random.up_to(self.rotations(2));
        self.after(next, Event::MakerStops);
    }

    fn befalls(&mut self, node: usize) {
        if !self.nodes[node].is_up {
            return;
        }
        match self.random.below(8) {
            0 => {
                self.stops(node);
                let again = self.random.up_to(self.rotations(3));
                self.after(again, Event::Starts { node });
            }
            1 => {
                self.stops(node);
                let at_once = self.random.up_to(self.rotate() / 50);
                self.after(at_once, Event::Starts { node });
            }
            2 => self.leaves(node),
            3 => self.sets_clock(node),
            _ if self.nodes[node].is_cut_off => {}
            4 => {
                let long = self.random.up_to(self.rotations(4));
                self.is_cut_off_for(node, long);
            }
            _ => {
                let brief = self.random.up_to(self.rotations(2));
                self.is_cut_off_for(node, brief);
            }
        }
    }

    fn leaves(&mut self, node: usize) {
        if !self.nodes[node].is_cut_off {
            self.nodes[node].registered = None;
            if let Some(maker) = &mut self.maker {
                maker.rollout.left(&self.nodes[node].name);
            }
        }
        self.stops(node);
        let again = self.random.up_to(self.rotations(3));
        self.after(again, Event::Starts { node });
    }

    fn sets_clock(&mut self, node: usize) {
        self.nodes[node].behind = self.clock_is_behind();
    }

    /// Mostly as far as can be, one way or the other.
    fn clock_is_behind(&mut self) -> Duration {
        let most = self.settings.skew;
        match self.random.below(3) {
            0 => Duration::ZERO,
            1 => most,
            _ => self.random.up_to(most),
        }
    }

    // Clients, and the rules.

    fn seals(&mut self) {
        for _ in 0..4 {
            if let Some(node) = self.somebody() {
                self.seals_at(node);
            }
        }
        let next = self.random.up_to(self.rotate() / 8);
        self.after(next, Event::Seals);
    }

    fn seals_at(&mut self, node: usize) {
        if !self.nodes[node].counts() {
            return;
        }
        self.counts.sealed += 1;
        let sealed_at = self.clock(node);
        let key = self.nodes[node].ring.as_ref().unwrap().issuing().name();
        let accept = self.settings.schedule.accept;
        for used in [self.random.up_to(accept), accept] {
            self.after(used, Event::Opens(Ticket { key, sealed_at }));
        }
    }

    /// Inside its window a ticket opens with every ring that a node has, and by any node's clock.
    fn opens(&mut self, ticket: &Ticket) {
        let Some(node) = self.somebody() else { return };
        self.counts.opened += 1;
        for (ring, _) in self.census.values() {
            if ring.find(ticket.key).is_none() {
                self.broken = Some(format!("a ring of epoch {} does not open a ticket", ring.epoch()));
            }
        }
        let mut schedule = self.settings.schedule;
        if self.settings.breach == Some(Breach::SkewIgnored) {
            schedule.rotate = Duration::ZERO;
        }
        if schedule.is_expired(ticket.sealed_at, self.clock(node)) {
            self.broken = Some(format!("by the clock of {} a ticket is expired", self.nodes[node].name));
        }
    }

    /// Nobody seals with a key that another lacks.
    fn is_fair(&mut self) {
        for (sealer, _) in self.census.values() {
            for (peer, _) in self.census.values() {
                if peer.find(sealer.issuing().name()).is_none() {
                    let (sealer, peer) = (sealer.epoch(), peer.epoch());
                    self.broken = Some(format!("a ring of epoch {sealer} seals, and one of {peer} lacks the key"));
                }
            }
        }
    }

    fn counted_in(&mut self, node: usize) {
        let counted = &self.nodes[node];
        if counted.counts() {
            let ring = counted.ring.as_ref().unwrap();
            let (_, count) = self.census.entry(ring.epoch()).or_insert_with(|| (Rc::clone(ring), 0));
            *count += 1;
            if *count == 1 {
                self.is_fair();
            }
        }
    }

    fn counted_out(&mut self, node: usize) {
        let counted = &self.nodes[node];
        if counted.counts() {
            let epoch = counted.epoch();
            let (_, count) = self.census.get_mut(&epoch).unwrap();
            *count -= 1;
            if *count == 0 {
                self.census.remove(&epoch);
            }
        }
    }

    /// One of those the rules are for.
    fn somebody(&mut self) -> Option<usize> {
        (0..20).map(|_| self.random.below(self.nodes.len())).find(|&node| self.nodes[node].counts())
    }

    // Time.

    fn after(&mut self, span: Duration, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse(Due { at: self.now + span, order: self.scheduled, event }));
    }

    fn clock(&self, node: usize) -> UnixTime {
        self.now + self.nodes[node].ahead(self.settings.skew)
    }

    fn rotate(&self) -> Duration {
        self.settings.schedule.rotate
    }

    fn rotations(&self, count: u32) -> Duration {
        self.rotate() * count
    }

    fn is_reached(&self, node: usize, incarnation: u64) -> bool {
        let node = &self.nodes[node];
        node.is_up && !node.is_cut_off && node.incarnation == incarnation
    }
}

impl Node {
    fn new(number: usize) -> Self {
        Self {
            name: format!("node-{number}").parse().unwrap(),
            incarnation: 0,
            is_up: false,
            is_cut_off: false,
            registered: None,
            ring: None,
            behind: Duration::ZERO,
            left_behind: false,
        }
    }

    fn epoch(&self) -> Epoch {
        self.ring.as_ref().map_or(Epoch::NONE, |ring| ring.epoch())
    }

    /// How far its clock is ahead of the slowest there may be.
    fn ahead(&self, skew: Duration) -> Duration {
        skew - self.behind
    }

    /// Whether the rules are for it: it has a ring, and has not been left behind.
    fn counts(&self) -> bool {
        self.ring.is_some() && !self.left_behind
    }
}

/// An event that comes; of those at one time, in the order they were scheduled.
struct Due {
    at: UnixTime,
    order: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

fn fresh_key(random: &mut Random) -> TicketKey {
    TicketKey::generate(KeySize::Bits256, |bytes| random.fill(bytes)).unwrap()
}

const START: UnixTime = UnixTime::from_millis(1_800_000_000_000);
