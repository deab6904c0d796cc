//! When a fleet may rotate.
//!
//! A rotation does two things at once: it hands out a fresh key, and the key of the rotation before
//! begins to seal. So the ring of an epoch is made once every node has the ring before, and that one
//! has been out for a whole rotation: then no node seals with a key that another lacks, as long as
//! it learns of a rotation before the next one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::epoch::Epoch;
use crate::node::NodeName;
use crate::time::UnixTime;

/// What whoever makes a fleet's rings knows of the newest one: when it was made, and who has it.
#[derive(Clone, Debug)]
pub struct Rollout {
    epoch: Epoch,
    made_at: UnixTime,
    nodes: BTreeMap<NodeName, Holding>,
}

impl Rollout {
    /// The rollout of the ring of that epoch, made then, of whose nodes nothing is known yet.
    ///
    /// Whoever takes over from another maker reads the time off the ring's newest key, names as
    /// [`expected`](Self::expected) whom that one made the ring for, and then as
    /// [`registered`](Self::registered) who is there.
    pub fn new(epoch: Epoch, made_at: UnixTime) -> Self {
        Self { epoch, made_at, nodes: BTreeMap::new() }
    }

    /// The newest ring was made for that node, by whoever made rings before. Unless it is known
    /// already, it counts as lapsed until it registers.
    pub fn expected(&mut self, node: NodeName) {
        self.nodes.entry(node).or_insert(Holding { epoch: Epoch::NONE, lapsed: true });
    }

    /// The node is there, or there again, with the ring of epoch `held`, or [`Epoch::NONE`] if it
    /// has none. What it acknowledged before is void: it may have restarted since, with nothing.
    pub fn registered(&mut self, node: NodeName, held: Epoch) {
        self.nodes.insert(node, Holding { epoch: held, lapsed: false });
    }

    /// The node opens with the ring of that epoch. Says nothing new if it is older than what the
    /// node has acknowledged since it registered, or if the node never did.
    pub fn acknowledged(&mut self, node: &NodeName, epoch: Epoch) {
        if let Some(holding) = self.nodes.get_mut(node) {
            holding.epoch = holding.epoch.max(epoch);
        }
    }

    /// Nothing has been heard of the node for too long. It may be cut off and serve all the same,
    /// so it counts until a rotation has gone on without it.
    pub fn lapsed(&mut self, node: &NodeName) {
        if let Some(holding) = self.nodes.get_mut(node) {
            holding.lapsed = true;
        }
    }

    /// The node said that it serves no more: nobody waits for it.
    pub fn left(&mut self, node: &NodeName) {
        self.nodes.remove(node);
    }

    /// Whether to rotate `now`: one rotation after the newest ring was made, if every node has that
    /// ring; or else once `patience` is over too, which counts from when the rotation was due.
    ///
    /// A ring from further in the future than the clocks of a fleet may be apart (one rotation) was
    /// made by a clock that has been set right since, or the clock here has been set back: its
    /// rotation counts anew from now. A clock that leaps ahead rotates once too early, and not
    /// before every node has the ring.
    pub fn decide(&mut self, now: UnixTime, rotate: Duration, patience: Duration) -> Decision {
        if self.made_at > now + rotate {
            self.made_at = now;
        }
        let due = self.made_at + rotate;
        if now < due {
            return Decision::NotDue { due };
        }
        let lacking: Vec<_> = self.lacking().cloned().collect();
        let until = due + patience;
        if lacking.is_empty() || now >= until {
            Decision::Rotate { without: lacking }
        } else {
            Decision::Wait { until, lacking }
        }
    }

    /// A ring was made, of that epoch, and is the newest from now on. Nodes that have lapsed and
    /// lack the one before are forgotten.
    pub fn rotated(&mut self, epoch: Epoch, now: UnixTime) {
        let before = self.epoch;
        self.nodes.retain(|_, holding| !holding.lapsed || holding.epoch >= before);
        (self.epoch, self.made_at) = (epoch, now);
    }

    /// The epoch of the newest ring.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// When the newest ring was made.
    pub fn made_at(&self) -> UnixTime {
        self.made_at
    }

    /// The nodes that rotation waits for, by name, and what each has.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (&NodeName, &Holding)> {
        self.nodes.iter()
    }

    /// What is known of that node; none if rotation does not wait for it.
    pub fn holding(&self, node: &NodeName) -> Option<Holding> {
        self.nodes.get(node).copied()
    }

    /// The nodes that have not acknowledged the newest ring, by name.
    pub fn lacking(&self) -> impl Iterator<Item = &NodeName> {
        self.nodes.iter().filter(|(_, holding)| holding.epoch < self.epoch).map(|(node, _)| node)
    }
}

/// What is known of a node.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Holding {
    /// The newest ring it opens with; [`Epoch::NONE`] if it has acknowledged none since it
    /// registered.
    pub epoch: Epoch,
    /// Whether nothing has been heard of it for too long.
    pub lapsed: bool,
}

/// Whether a fleet rotates, and what for not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// The newest ring has not been out for a rotation.
    NotDue {
        /// When it will have been.
        due: UnixTime,
    },
    /// It is time, and nodes lack the newest ring.
    Wait {
        /// When patience is over.
        until: UnixTime,
        /// Who lacks it, by name.
        lacking: Vec<NodeName>,
    },
    /// It is time.
    Rotate {
        /// Who lacks the newest ring all the same, by name: these nodes may refuse tickets that
        /// others seal from now on, which the caller says and counts.
        without: Vec<NodeName>,
    },
}

#[cfg(test)]
mod tests;
