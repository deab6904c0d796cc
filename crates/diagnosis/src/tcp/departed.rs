//! Connections that ended, remembered for a while.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashTable;

use super::Limits;
use crate::Timestamp;

/// The hashes of the last connections that ended. That two have the same one is a matter of 1 in 2⁴⁸.
#[derive(Debug)]
pub(super) struct Departed {
    limit: usize,
    period: Duration,
    hashes: HashTable<u64>,
    /// The same, by when they ended.
    in_order: VecDeque<(u64, Timestamp)>,
}

impl Departed {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limit: limits.departed,
            period: limits.departed_for,
            hashes: HashTable::new(),
            in_order: VecDeque::new(),
        }
    }

    /// Remembers what ended at `at`.
    pub(super) fn insert(&mut self, hash: u64, at: Timestamp) {
        if self.limit == 0 || self.contains(hash, at) {
            return;
        }
        if self.in_order.len() == self.limit {
            self.forget_oldest();
        }
        self.hashes.insert_unique(hash, hash, |hash| *hash);
        self.in_order.push_back((hash, at));
    }

    /// Whether it ended not long before `now`.
    pub(super) fn contains(&mut self, hash: u64, now: Timestamp) -> bool {
        while self.in_order.front().is_some_and(|(_, at)| now.since(*at) > self.period) {
            self.forget_oldest();
        }
        self.hashes.find(hash, |other| *other == hash).is_some()
    }

    fn forget_oldest(&mut self) {
        let Some((hash, _)) = self.in_order.pop_front() else { return };
        if let Ok(entry) = self.hashes.find_entry(hash, |other| *other == hash) {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let limits = Limits { departed: 2, departed_for: Duration::from_nanos(10), ..Limits::default() };
        let mut departed = Departed::new(&limits);
        for (hash, at) in [(1, 1), (2, 2), (2, 3), (3, 4)] {
            departed.insert(hash, Timestamp::from_nanoseconds(at));
        }
        for (now, expected) in [(4, [false, true, true]), (12, [false, true, true]), (13, [false, false, true])] {
            let now = Timestamp::from_nanoseconds(now);
            assert_eq!([1, 2, 3].map(|hash| departed.contains(hash, now)), expected);
        }
    }
}
