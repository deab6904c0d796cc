//! Who is asked what next, and when. Pure: the time is an argument, since the beginning of the probe.

mod agenda;

use std::time::Duration;

use raincheck_diagnosis::evidence::{Gives, Reply, Way};

use super::Progress;
use super::psks::Psks;
use agenda::Agenda;

/// What is still to be done at each node.
#[derive(Debug)]
pub(super) struct Plan {
    wait: Duration,
    nodes: Vec<Agenda>,
    /// How many TLS 1.3 tickets of each node are still to be offered.
    wanted: Vec<usize>,
    /// Whether the session IDs of a node are offered to all others.
    ids_for_all: Vec<bool>,
    done: usize,
}

/// What one connection to a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To have it give sessions.
    Give(Way),
    /// To ask it to resume a session.
    Ask {
        /// Which.
        task: Task,
        /// Whether it is to be made to send tickets too.
        speaks: bool,
    },
}

/// A session to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) way: Way,
    /// The node that gave it.
    pub(super) issuer: usize,
    /// Whether it is the second time.
    pub(super) again: bool,
}

impl Plan {
    /// A plan for so many nodes, which are asked again after `wait`, unless that is nothing.
    pub(super) fn new(nodes: usize, wait: Duration) -> Self {
        let mut plan = Self {
            wait,
            nodes: (0..nodes).map(|node| Agenda::new(node, nodes)).collect(),
            wanted: vec![0; nodes],
            ids_for_all: vec![false; nodes],
            done: 0,
        };
        plan.count_wanted();
        plan
    }

    /// The next connection that can be made as of `now`; it is under way from here on.
    pub(super) fn next<S>(&mut self, now: Duration, psks: &Psks<S>) -> Option<(usize, Step)> {
        let mut idle = (0..self.nodes.len()).filter(|&node| self.nodes[node].is_free(now));
        let (node, step) = idle.find_map(|node| self.step(node, now, psks).map(|step| (node, step)))?;
        self.nodes[node].begin(step, now);
        if let Step::Ask { task, .. } = step
            && task.takes_ticket(node)
        {
            self.wanted[task.issuer] -= 1;
        }
        Some((node, step))
    }

    /// When there is something to do next, if nothing comes of what is under way.
    pub(super) fn due<S>(&self, psks: &Psks<S>) -> Option<Duration> {
        let due = |node: usize| {
            let agenda = &self.nodes[node];
            if self.step(node, agenda.ready, psks).is_some() {
                return Some(agenda.ready);
            }
            agenda.again.iter().find(|(_, task)| self.has_session(node, *task, psks)).map(|&(due, _)| due)
        };
        (0..self.nodes.len()).filter(|&node| !self.nodes[node].busy).filter_map(due).min()
    }

    /// `node` was to give sessions: what it does, and whether the connection came to nothing.
    pub(super) fn gave(&mut self, node: usize, way: Way, gives: &Gives, failed: bool) {
        let agenda = &mut self.nodes[node];
        agenda.connected(failed);
        if way == Way::Psk {
            agenda.dry = if *gives == Gives::Sessions { 0 } else { agenda.dry + 1 };
        }
        // Who gave sessions once and gives none now goes on with those there are.
        if agenda.gives[way] != Gives::Sessions {
            agenda.gives[way] = gives.clone();
            if *gives != Gives::Sessions {
                self.forget(|_, task| task.way == way && task.issuer == node);
            }
        }
        if *gives == Gives::NotSpoken {
            let other = |other: Way| other.version() == way.version();
            self.nodes[node].give.retain(|&way| !other(way));
            self.forget(|asked, task| asked == node && other(task.way));
        }
        self.forget_gone(node);
        if self.nodes[node].gives_ids_alone() {
            self.offer_ids_to_all(node);
        }
    }

    /// `node` replied to a task at `now`.
    pub(super) fn replied(&mut self, node: usize, task: Task, reply: &Reply, now: Duration) {
        self.done += 1;
        self.nodes[node].connected(matches!(reply, Reply::Failed(_)));
        let own = task.issuer == node;
        match (task.way, reply) {
            (Way::SessionId, Reply::Resumed) if !own => {
                (0..self.nodes.len()).for_each(|issuer| self.offer_ids_to_all(issuer));
            }
            (Way::SessionId, _) => {}
            (way, Reply::Refused(_)) if own && !task.again && self.nodes[node].retries[way] > 0 => {
                self.nodes[node].retries[way] -= 1;
                self.nodes[node].ask.push_front(task);
                self.wanted[node] += usize::from(task.takes_ticket(node));
            }
            // Of what resumed, its own tell whether it will later; of what did not, all may.
            (_, Reply::Resumed) if own => self.ask_again(node, task, now),
            (_, Reply::Refused(_)) if !own => self.ask_again(node, task, now),
            _ => {}
        }
        self.forget_gone(node);
    }

    /// Whether a node failed so often that it is left alone.
    pub(super) fn is_gone(&self, node: usize) -> bool {
        self.nodes[node].is_gone()
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Progress {
        let left = self.nodes.iter().map(|agenda| agenda.ask.len() + agenda.again.len()).sum();
        Progress { done: self.done, left }
    }

    /// What is to be done at `node` as of `now`.
    fn step<S>(&self, node: usize, now: Duration, psks: &Psks<S>) -> Option<Step> {
        let agenda = &self.nodes[node];
        if agenda.is_gone() {
            return None;
        }
        if let Some(&way) = agenda.give.front() {
            return Some(Step::Give(way));
        }
        let wanted = self.wanted[node];
        if wanted > 0 && psks.count(node) == 0 && agenda.can_give_more() {
            return Some(Step::Give(Way::Psk));
        }
        let first = agenda.ask.iter().find(|task| self.has_session(node, **task, psks));
        let due = || agenda.again.iter().take_while(|(due, _)| *due <= now).map(|(_, task)| task);
        let &task = first.or_else(|| due().find(|task| self.has_session(node, **task, psks)))?;
        Some(Step::Ask { task, speaks: task.way == Way::Psk && psks.count(node) < wanted })
    }

    /// Whether there is a session to ask `node` for.
    fn has_session<S>(&self, node: usize, task: Task, psks: &Psks<S>) -> bool {
        let given = self.nodes[task.issuer].gives[task.way] == Gives::Sessions;
        given
            && match task.way {
                Way::Psk if task.takes_ticket(node) => psks.count(task.issuer) > 0,
                Way::Psk => psks.has_kept_back(node),
                Way::Ticket | Way::SessionId => true,
            }
    }

    fn ask_again(&mut self, node: usize, task: Task, now: Duration) {
        if task.again || self.wait.is_zero() {
            return;
        }
        let task = Task { again: true, ..task };
        self.nodes[node].again.push_back((now + self.wait, task));
        self.wanted[task.issuer] += usize::from(task.takes_ticket(node));
    }

    /// A cache of session IDs seldom is for more than one node: a node and its neighbour are asked, and the others only if
    /// some neighbour knew an ID, or if there is nothing else to resume by.
    fn offer_ids_to_all(&mut self, issuer: usize) {
        if std::mem::replace(&mut self.ids_for_all[issuer], true) || self.nodes[issuer].refuses_to_give(Way::SessionId)
        {
            return;
        }
        let task = Task { way: Way::SessionId, issuer, again: false };
        let nodes = self.nodes.len();
        for node in (0..nodes).filter(|&node| node != issuer && (node + 1) % nodes != issuer) {
            let agenda = &mut self.nodes[node];
            if !agenda.is_gone() && agenda.gives[Way::SessionId] != Gives::NotSpoken {
                agenda.ask.push_back(task);
            }
        }
    }

    fn forget_gone(&mut self, node: usize) {
        if self.nodes[node].is_gone() {
            self.nodes[node].give.clear();
            self.forget(|asked, _| asked == node);
            for way in Way::ALL {
                if self.nodes[node].gives[way] == Gives::NotAsked {
                    self.forget(|_, task| task.issuer == node && task.way == way);
                }
            }
        }
    }

    /// Drops tasks that cannot be done.
    fn forget(&mut self, cannot: impl Fn(usize, Task) -> bool) {
        for (node, agenda) in self.nodes.iter_mut().enumerate() {
            agenda.ask.retain(|task| !cannot(node, *task));
            agenda.again.retain(|(_, task)| !cannot(node, *task));
        }
        self.count_wanted();
    }

    fn count_wanted(&mut self) {
        self.wanted.fill(0);
        for (node, agenda) in self.nodes.iter().enumerate() {
            let again = agenda.again.iter().map(|(_, task)| task);
            for task in agenda.ask.iter().chain(again).filter(|task| task.takes_ticket(node)) {
                self.wanted[task.issuer] += 1;
            }
        }
    }
}

impl Task {
    /// Whether `asked` is offered a TLS 1.3 ticket of those in stock. One was kept back for when it is asked again for its
    /// own.
    pub(super) fn takes_ticket(self, asked: usize) -> bool {
        self.way == Way::Psk && !(self.again && self.issuer == asked)
    }
}

impl Step {
    /// The way to resume that it is about.
    pub(super) fn way(self) -> Way {
        match self {
            Self::Give(way) => way,
            Self::Ask { task, .. } => task.way,
        }
    }
}

#[cfg(test)]
mod tests;
