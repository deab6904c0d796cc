//! What a server of keys counts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::refused::Refused;
use crate::Event;

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) rotations: Count,
    /// Those that went on without a node.
    pub(super) rotations_without: Count,
    /// Rings taken from the server that is followed.
    pub(super) taken: Count,
    /// Nodes' questions that were answered by a ring,
    pub(super) polls_new: Count,
    /// that there is none newer,
    pub(super) polls_unchanged: Count,
    /// or that there is none at all.
    pub(super) polls_withheld: Count,
    /// The same of those who ask for lines.
    pub(super) lines: Count,
    pub(super) lines_unchanged: Count,
    pub(super) refused: Refused,
}

impl Tally {
    pub(super) fn follow(&self, event: &Event) {
        match event {
            Event::Rotated { without, .. } => {
                self.rotations.increment();
                if !without.is_empty() {
                    self.rotations_without.increment();
                }
            }
            Event::Taken { .. } => self.taken.increment(),
            _ => {}
        }
    }
}

/// A number that grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
