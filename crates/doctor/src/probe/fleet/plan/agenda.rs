use std::collections::VecDeque;
use std::time::Duration;

use raincheck_diagnosis::evidence::{Gives, Way, Ways};

use super::{Step, Task};

/// What is still to be done at one node.
#[derive(Debug)]
pub(super) struct Agenda {
    /// What it is still to give.
    pub(super) give: VecDeque<Way>,
    pub(super) gives: Ways<Gives>,
    /// What it is still to be asked: its own first, then those of the nodes behind it, so that no two nodes are asked for
    /// the sessions of one at a time.
    pub(super) ask: VecDeque<Task>,
    /// What it is to be asked again, and from when on, in that order.
    pub(super) again: VecDeque<(Duration, Task)>,
    /// How often it may still be asked once more for its own, which it refused.
    pub(super) retries: Ways<usize>,
    /// How many connections in a row brought no TLS 1.3 tickets.
    pub(super) dry: usize,
    /// Whether a connection is under way.
    pub(super) busy: bool,
    /// When the next connection may begin.
    pub(super) ready: Duration,
    /// How many connections in a row came to nothing.
    failures: usize,
}

impl Agenda {
    /// All that `node` of so many is to be asked.
    pub(super) fn new(node: usize, nodes: usize) -> Self {
        let tasks = |offset: usize| {
            let ways = if offset < 2 { &Way::ALL[..] } else { &[Way::Psk, Way::Ticket] };
            ways.iter().map(move |&way| Task { way, issuer: (node + offset) % nodes, again: false })
        };
        Self {
            give: Way::ALL.into(),
            gives: Ways::default(),
            ask: (0..nodes).flat_map(tasks).collect(),
            again: VecDeque::new(),
            retries: Ways { psk: RETRIES, ticket: RETRIES, session_id: 0 },
            dry: 0,
            busy: false,
            ready: Duration::ZERO,
            failures: 0,
        }
    }

    /// Takes a step at `now`.
    pub(super) fn begin(&mut self, step: Step, now: Duration) {
        match step {
            Step::Give(way) => self.give.retain(|&other| other != way),
            Step::Ask { task, .. } if task.again => self.again.retain(|(_, other)| *other != task),
            Step::Ask { task, .. } => self.ask.retain(|other| *other != task),
        }
        self.busy = true;
        self.ready = now + BETWEEN;
    }

    /// The connection of the step is over.
    pub(super) fn connected(&mut self, failed: bool) {
        self.busy = false;
        self.failures = if failed { self.failures + 1 } else { 0 };
    }

    /// Whether a connection can begin at `now`.
    pub(super) fn is_free(&self, now: Duration) -> bool {
        !self.busy && self.ready <= now
    }

    /// Whether it failed so often that it is left alone.
    pub(super) fn is_gone(&self) -> bool {
        self.failures >= STRIKES
    }

    /// Whether it is worth asking for more TLS 1.3 tickets.
    pub(super) fn can_give_more(&self) -> bool {
        self.gives.psk == Gives::Sessions && self.dry < STRIKES
    }

    /// Whether it was asked for sessions, and gave none.
    pub(super) fn refuses_to_give(&self, way: Way) -> bool {
        !matches!(self.gives[way], Gives::Sessions | Gives::NotAsked)
    }

    pub(super) fn gives_ids_alone(&self) -> bool {
        self.gives.session_id == Gives::Sessions && [Way::Psk, Way::Ticket].iter().all(|&way| self.refuses_to_give(way))
    }
}

/// How often in a row connections may come to nothing.
const STRIKES: usize = 3;
/// How often a node is asked once more for its own, which it refused.
const RETRIES: usize = 2;
/// How long after the beginning of a connection to a node the next may begin.
const BETWEEN: Duration = Duration::from_millis(200);
