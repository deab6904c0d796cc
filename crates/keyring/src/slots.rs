//! Which keys a product has, by a ring.
//!
//! Products keep few keys: HAProxy three. If each rotation of the ring gave them one, a ticket of
//! theirs would not open for long; so they take one key of every few, and keep each for as many
//! rotations. Everybody must take the same ones, whenever they look at the ring.

use std::time::Duration;

use thiserror::Error;

use crate::epoch::Epoch;
use crate::key::{KeySize, TicketKey};
use crate::product::Product;
use crate::ring::{Entry, KeyState, Ring, state_at};

/// How many keys a product has, and for how many rotations of the ring each of them is `next`, and
/// then `issuing`.
///
/// The epochs of the ring are divided into groups of `stride`, by their counters. The first key that
/// a group brings stands for it. The newest group is next, the one before it issuing, the others are
/// retiring, up to `count` of them.
///
/// A ring loses keys at its old end, and gets new ones at the other. So the first key of a group is
/// the same one for everybody, and for good, as long as the ring is never too short for `count` whole
/// groups; a ring that has not grown that long yet has lost none. An epoch whose key was lost with
/// its maker leaves its group with one less; if that was the first, the second stands for the group.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Slots {
    count: usize,
    stride: u64,
}

impl Slots {
    /// `count` keys (three or more: next, issuing and one that is retiring), each of which stands for
    /// `stride` epochs of a ring that keeps `retained` retiring keys.
    ///
    /// The epochs have to be a fleet's. Those of a key file are counted by whoever reads it, each
    /// for itself, so its keys must all be taken: that is a stride of 1.
    pub fn new(count: usize, stride: u64, retained: usize) -> Result<Self, SlotsError> {
        if count < FEWEST {
            return Err(SlotsError::TooFew(count));
        }
        let has = retained.saturating_add(2);
        let longest = u64::try_from(has / count).unwrap_or(u64::MAX);
        let slots = Self { count, stride };
        match stride {
            0 => Err(SlotsError::StrideZero),
            _ if stride > longest => Err(SlotsError::RingTooShort { slots, needs: slots.ring_len(), has, longest }),
            _ => Ok(slots),
        }
    }

    /// How many retiring keys a ring must keep for that many keys of that stride: for whoever makes
    /// it.
    pub fn retained(count: usize, stride: u64) -> usize {
        Self { count, stride }.ring_len().saturating_sub(2)
    }

    /// The keys of `product` by that ring, oldest first. A single one is issuing; of two the last is
    /// next.
    ///
    /// Keys that a node which is cut off has made for itself are no product's.
    pub fn fill(self, ring: &Ring, product: Product, size: KeySize) -> Vec<Slot> {
        let of_fleet = |entry: &&Entry| entry.born != Epoch::NONE;
        let mut firsts: Vec<_> = ring.entries().rev().filter(of_fleet).collect();
        firsts.dedup_by(|later, first| self.is_one_group(first, later));
        let firsts = &firsts[firsts.len().saturating_sub(self.count)..];
        let slot = |(index, entry): (usize, &&Entry)| Slot {
            key: product.key(&entry.key, size),
            state: state_at(firsts.len() - 1 - index, firsts.len()),
            born: entry.born,
        };
        firsts.iter().enumerate().map(slot).collect()
    }

    /// How many keys.
    pub fn count(self) -> usize {
        self.count
    }

    /// How often the product rotates, if the ring rotates that often.
    pub fn rotate(self, rotate: Duration) -> Duration {
        rotate.saturating_mul(u32::try_from(self.stride).unwrap_or(u32::MAX))
    }

    /// For how long a ticket opens, if the ring rotates that often: at least, sealed when its key was
    /// about to retire, and at most.
    ///
    /// That is where every node learns of a rotation at once; how late one is comes off the least.
    /// The product's own limit may end it sooner.
    pub fn accept(self, rotate: Duration) -> [Duration; 2] {
        let retiring = u32::try_from(self.count - 2).unwrap_or(u32::MAX);
        [retiring, retiring.saturating_add(1)].map(|rotations| self.rotate(rotate).saturating_mul(rotations))
    }

    /// How many keys a ring has that never loses the first key of a group that counts.
    fn ring_len(self) -> usize {
        usize::try_from(self.stride).unwrap_or(usize::MAX).saturating_mul(self.count)
    }

    /// Keys of one epoch are several lines of a file, and none stands for another.
    fn is_one_group(self, one: &Entry, other: &Entry) -> bool {
        self.stride > 1 && one.born.counter / self.stride == other.born.counter / self.stride
    }
}

/// A key of a product.
#[derive(Debug)]
pub struct Slot {
    /// The key, made for the product.
    pub key: TicketKey,
    /// What it may do.
    pub state: KeyState,
    /// The epoch of the ring that brought the key it was made from.
    pub born: Epoch,
}

/// Slots that a ring cannot fill. Always the operator's to mend.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum SlotsError {
    /// A key would be gone as soon as it no longer seals.
    #[error("{0} keys are too few: one is next, one seals, and what that one sealed must open; keep {FEWEST} or more")]
    TooFew(usize),
    /// Keys would change all the time.
    #[error("a key that stands for no epoch at all; let it stand for 1 or more")]
    StrideZero,
    /// Keys would be gone from the ring while they are needed, and others taken for them.
    #[error(
        "{} keys, each for {} rotations, are made from {needs} keys of the ring, and it keeps {has}; \
         let each stand for {longest} or fewer, or make `accept` longer where the keys are made",
        .slots.count, .slots.stride
    )]
    RingTooShort {
        /// What was wanted.
        slots: Slots,
        /// How many keys the ring would have to have.
        needs: usize,
        /// How many it has.
        has: usize,
        /// The longest stride it could serve.
        longest: u64,
    },
}

const FEWEST: usize = 3;

#[cfg(test)]
mod tests;
