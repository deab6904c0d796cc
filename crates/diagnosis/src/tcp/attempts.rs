//! SYNs without an answer.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::pair::{End, Factors, Pair};
use super::sequence::Sequence;
use crate::Moment;

/// The last SYNs, as far as nothing came of them yet.
#[derive(Debug)]
pub(super) struct Attempts {
    limit: usize,
    factors: Factors,
    attempts: HashTable<Attempt>,
    /// Each that was ever made, by hash and packet, those that were taken among them: so there are never more than these.
    in_order: VecDeque<(u64, Moment)>,
    /// How many came to nothing.
    unanswered: u64,
}

/// A SYN.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) pair: Pair,
    /// Who sent it.
    pub(super) from: End,
    /// The sequence number of the SYN itself.
    pub(super) sequence: Sequence,
    /// When it was first seen.
    pub(super) at: Moment,
}

impl Attempts {
    pub(super) fn new(limit: usize, factors: Factors) -> Self {
        Self { limit, factors, attempts: HashTable::new(), in_order: VecDeque::new(), unanswered: 0 }
    }

    /// Keeps the attempt, unless it is one sent again.
    pub(super) fn insert(&mut self, hash: u64, attempt: Attempt) {
        if let Some(known) = self.attempts.find_mut(hash, |known| known.pair == attempt.pair) {
            if known.sequence == attempt.sequence {
                return;
            }
            self.take(hash, &attempt.pair);
            self.unanswered += 1;
        }
        if self.in_order.len() >= self.limit {
            self.forget_oldest();
        }
        self.attempts.insert_unique(hash, attempt, |attempt| attempt.pair.hash(&self.factors));
        self.in_order.push_back((hash, attempt.at));
    }

    /// Takes the attempt of these addresses out, for something came of it.
    pub(super) fn take(&mut self, hash: u64, pair: &Pair) -> Option<Attempt> {
        let entry = self.attempts.find_entry(hash, |attempt| attempt.pair == *pair).ok()?;
        Some(entry.remove().0)
    }

    /// The attempt of these addresses.
    pub(super) fn find(&self, hash: u64, pair: &Pair) -> Option<&Attempt> {
        self.attempts.find(hash, |attempt| attempt.pair == *pair)
    }

    /// How many got no answer: so far, for all that are still kept.
    pub(super) fn unanswered(&self) -> u64 {
        self.unanswered + self.attempts.len() as u64
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.attempts.len()
    }

    fn forget_oldest(&mut self) {
        let Some((hash, at)) = self.in_order.pop_front() else { return };
        if let Ok(entry) = self.attempts.find_entry(hash, |attempt| attempt.at == at) {
            entry.remove();
            self.unanswered += 1;
        }
    }
}
