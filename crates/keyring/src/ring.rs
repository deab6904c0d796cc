//! The ordered set of ticket keys, and its rotation.
//!
//! A key is `next` first: it is out and opens, but does not seal yet, so that every node has it
//! before any ticket needs it. Then it is `issuing`, then `retiring`: it opens what it sealed for
//! as long as that is accepted. Then it is wiped.

#[expect(clippy::disallowed_types, reason = "has a hasher of its own: see Positions")]
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use thiserror::Error;

use crate::epoch::Epoch;
use crate::key::{KeyName, TicketKey};
use crate::time::UnixTime;

/// The keys of a node or a fleet: at most one `next`, exactly one `issuing`, any number of
/// `retiring`.
///
/// Cheap to clone: the keys are shared, and wiped when the last clone that holds them is dropped.
#[derive(Clone, Debug)]
pub struct Ring {
    epoch: Epoch,
    /// Newest first: the next key if there is one, the issuing one, then the retiring ones.
    entries: Vec<Entry>,
    /// Where in `entries` the issuing key stands.
    issuing: usize,
    /// Where in `entries` a name stands, so that opening a ticket costs the same however many keys
    /// there are.
    positions: Positions,
}

impl Ring {
    /// A ring that begins with a key to seal with, and with the one after it if there is one
    /// already.
    pub fn new(issuing: TicketKey, next: Option<TicketKey>, now: UnixTime) -> Result<Self, RingError> {
        Self::from_lines([issuing].into_iter().chain(next).collect(), now)
    }

    /// A ring from the lines of a key file, oldest first: one is issuing; of two the last is next;
    /// of three or more the last is next, the one before it issuing, and the rest are retiring.
    pub fn from_lines(keys: Vec<TicketKey>, now: UnixTime) -> Result<Self, RingError> {
        let mut epoch = Epoch::NONE;
        let keys = keys.into_iter().map(|key| {
            epoch = epoch.next_in(FIRST_GENERATION);
            (key, epoch, now)
        });
        let keys = keys.collect();
        Self::of_fleet(epoch, keys)
    }

    /// The ring of that epoch, from the keys of a fleet, oldest first: each with the epoch it was
    /// born in, and the time since which it has had its state.
    pub fn of_fleet(epoch: Epoch, keys: Vec<(TicketKey, Epoch, UnixTime)>) -> Result<Self, RingError> {
        let count = keys.len();
        let newest_first = keys.into_iter().rev().enumerate();
        let entry = |(position, (key, born, since))| Entry::new(key, state_at(position, count), born, since);
        Self::assemble(epoch, newest_first.map(entry).collect())
    }

    /// The ring that `keys` make (ordered as for [`Ring::from_lines`]) where this one stood, and
    /// what that changes.
    ///
    /// A key that is in both is the same one still, and has been in its state since then if the
    /// state is the same. The same name with other bytes is another key: the old one is wiped.
    pub fn replaced_by(&self, keys: Vec<TicketKey>, now: UnixTime) -> Result<(Self, Vec<Change>), RingError> {
        let epoch = self.epoch.next_in(FIRST_GENERATION);
        let keys = keys.into_iter().map(|key| (key, epoch, now)).collect();
        let mut replacement = Self::of_fleet(epoch, keys)?;
        for entry in &mut replacement.entries {
            if let Some(old) = self.counterpart(entry) {
                entry.key = Arc::clone(&old.key);
                entry.born = old.born;
                if entry.state == old.state {
                    entry.since = old.since;
                }
            }
        }
        let changes = replacement.changes_since(self);
        if changes.is_empty() {
            replacement.epoch = self.epoch;
        }
        Ok((replacement, changes))
    }

    /// The ring `newer` of a fleet where this one stood, and what that changes. A ring that is not
    /// newer is refused, whatever is in it: somebody replays it, or has missed what came after. Only
    /// where this one has keys that a node made for itself alone, the same epoch will do.
    pub fn succeeded_by(&self, mut newer: Self) -> Result<(Self, Vec<Change>), Outdated> {
        let is_alone = self.entries.iter().any(|entry| entry.born == Epoch::NONE);
        if newer.epoch < self.epoch || (newer.epoch == self.epoch && !is_alone) {
            return Err(Outdated { offered: newer.epoch, held: self.epoch });
        }
        for entry in &mut newer.entries {
            if let Some(old) = self.counterpart(entry) {
                entry.key = Arc::clone(&old.key);
            }
        }
        let changes = newer.changes_since(self);
        Ok((newer, changes))
    }

    /// The same ring, counted on from `epoch` if that is later: what is made of it is newer than
    /// both.
    #[must_use]
    pub fn counted_from(mut self, epoch: Epoch) -> Self {
        self.epoch = self.epoch.max(epoch);
        self
    }

    /// The same ring, as the next one.
    #[must_use]
    pub fn again(self) -> Self {
        let generation = self.epoch.generation;
        self.in_generation(generation.max(FIRST_GENERATION))
    }

    /// What of this ring a fleet has too: all but the keys that a node has made for itself while it
    /// was cut off. `None` where it has had no ring of a fleet.
    pub fn shared(&self) -> Option<Self> {
        let mut shared: Vec<_> = self.entries.iter().filter(|entry| entry.born != Epoch::NONE).cloned().collect();
        let count = shared.len();
        for (position, entry) in shared.iter_mut().enumerate() {
            entry.state = state_at(position, count);
        }
        Self::assemble(self.epoch, shared).ok()
    }

    /// The same keys, in an epoch of a later generation: what whoever made the rings before makes
    /// from now on is refused.
    #[must_use]
    pub fn in_generation(mut self, generation: u64) -> Self {
        self.epoch = self.epoch.next_in(generation);
        self
    }

    /// The same keys, as those of a node that has had no ring of a fleet: whatever a source brings is newer.
    #[must_use]
    pub fn disowned(mut self) -> Self {
        self.epoch = Epoch::NONE;
        for entry in &mut self.entries {
            entry.born = Epoch::NONE;
        }
        self
    }

    /// The same ring, with all its keys a fleet's: those, too, that a node has made for itself alone, and that this epoch
    /// hands out.
    #[must_use]
    pub fn adopted(mut self) -> Self {
        for entry in self.entries.iter_mut().filter(|entry| entry.born == Epoch::NONE) {
            entry.born = self.epoch;
        }
        self
    }

    /// The same keys, in the epoch after `epoch`: for a maker that has forgotten which rings it made.
    #[must_use]
    pub fn following(mut self, epoch: Epoch) -> Self {
        self.epoch = self.epoch.max(epoch).next();
        self
    }

    /// Seals with `issuing` from now on, which nobody else has, and then with `next`: for a node
    /// that is cut off. What it had opens as before, up to `retained` keys. Whatever ring a source
    /// brings next is a newer one.
    ///
    /// An error changes nothing.
    pub fn seal_alone(
        &mut self,
        now: UnixTime,
        [issuing, next]: [TicketKey; 2],
        retained: usize,
    ) -> Result<Vec<Change>, RingError> {
        let own = |key, state| Entry::new(key, state, Epoch::NONE, now);
        let own = [own(next, KeyState::Next), own(issuing, KeyState::Issuing)];
        let shared = self.entries.iter().take(retained).map(|entry| match entry.state {
            KeyState::Retiring => entry.clone(),
            _ => Entry { state: KeyState::Retiring, since: now, ..entry.clone() },
        });
        let alone = Self::assemble(self.epoch, own.into_iter().chain(shared).collect())?;
        let changes = alone.changes_since(self);
        *self = alone;
        Ok(changes)
    }

    /// Rotates: next becomes issuing, issuing the first retiring, `fresh` next, and of the retiring
    /// keys the newest `retained` stay. Where there was no next key, the issuing one goes on,
    /// because nobody else could know `fresh` yet.
    ///
    /// An error changes nothing.
    pub fn advance(&mut self, now: UnixTime, fresh: TicketKey, retained: usize) -> Result<Vec<Change>, RingError> {
        let epoch = self.epoch.next_in(FIRST_GENERATION);
        self.advance_as(epoch, Entry::new(fresh, KeyState::Next, epoch, now), retained)
    }

    /// The same for a node that [seals alone](Self::seal_alone), or has a key that no other node is known to have.
    pub fn advance_alone(
        &mut self,
        now: UnixTime,
        fresh: TicketKey,
        retained: usize,
    ) -> Result<Vec<Change>, RingError> {
        self.advance_as(self.epoch, Entry::new(fresh, KeyState::Next, Epoch::NONE, now), retained)
    }

    fn advance_as(&mut self, epoch: Epoch, fresh: Entry, retained: usize) -> Result<Vec<Change>, RingError> {
        let promoted = self.issuing == 1;
        let now = fresh.since;
        let aged = self.entries.iter().map(|entry| if promoted { entry.aged(now) } else { entry.clone() });
        let retained = retained.saturating_add(2);
        let advanced = Self::assemble(epoch, [fresh].into_iter().chain(aged).take(retained).collect())?;
        let changes = advanced.changes_since(self);
        *self = advanced;
        Ok(changes)
    }

    /// Which ring this is.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The key that seals.
    pub fn issuing(&self) -> &Arc<TicketKey> {
        &self.entries[self.issuing].key
    }

    /// The key of that name, whatever its state.
    pub fn find(&self, name: KeyName) -> Option<&Entry> {
        self.positions.get(&name).map(|&position| &self.entries[position])
    }

    /// All keys: the next one if there is one, the issuing one, then the retiring ones, newest
    /// first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// How many keys there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "a ring is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    fn assemble(epoch: Epoch, entries: Vec<Entry>) -> Result<Self, RingError> {
        let issuing = entries.iter().position(|entry| entry.state == KeyState::Issuing).ok_or(RingError::Empty)?;
        let mut positions = Positions::with_capacity_and_hasher(entries.len(), BuildHasherDefault::default());
        for (position, entry) in entries.iter().enumerate() {
            if positions.insert(entry.name(), position).is_some() {
                return Err(RingError::DuplicateName(entry.name()));
            }
        }
        Ok(Self { epoch, entries, issuing, positions })
    }

    fn counterpart(&self, entry: &Entry) -> Option<&Entry> {
        self.find(entry.name()).filter(|own| own.key.is_same(&entry.key))
    }

    /// Newest key first, the wiped ones last; but before all a key whose name is another's by now,
    /// so that whoever follows the changes in order does not lose that one.
    fn changes_since(&self, before: &Self) -> Vec<Change> {
        let gone = before.entries.iter().filter(|old| self.counterpart(old).is_none());
        let (renewed, gone): (Vec<_>, Vec<_>) = gone.map(Entry::name).partition(|&name| self.find(name).is_some());
        let mut changes: Vec<_> = renewed.into_iter().map(Change::Wiped).collect();
        for entry in &self.entries {
            let name = entry.name();
            let was = before.counterpart(entry).map(|old| old.state);
            if was.is_none() {
                changes.push(Change::Introduced(name));
            }
            match entry.state {
                state if was == Some(state) => {}
                KeyState::Next if was.is_some() => changes.push(Change::Introduced(name)),
                KeyState::Next => {}
                KeyState::Issuing => changes.push(Change::Issuing(name)),
                KeyState::Retiring => changes.push(Change::Retired(name)),
            }
        }
        changes.extend(gone.into_iter().map(Change::Wiped));
        changes
    }
}

/// A key in a ring.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Arc<TicketKey>,
    /// What it may do.
    pub state: KeyState,
    /// The epoch that brought it.
    pub born: Epoch,
    /// When it got that state in this ring.
    pub since: UnixTime,
}

impl Entry {
    fn new(key: TicketKey, state: KeyState, born: Epoch, since: UnixTime) -> Self {
        Self { key: Arc::new(key), state, born, since }
    }

    fn name(&self) -> KeyName {
        self.key.name()
    }

    /// The same key after a rotation at `now`.
    fn aged(&self, now: UnixTime) -> Self {
        let (state, since) = match self.state {
            KeyState::Next => (KeyState::Issuing, now),
            KeyState::Issuing => (KeyState::Retiring, now),
            KeyState::Retiring => (KeyState::Retiring, self.since),
        };
        Self { state, since, ..self.clone() }
    }
}

/// What a key may do.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum KeyState {
    /// Open; and seal after the next rotation.
    Next,
    /// Seal and open.
    Issuing,
    /// Open.
    Retiring,
}

impl KeyState {
    /// All of them, in the order a key has them.
    pub const ALL: [Self; 3] = [Self::Next, Self::Issuing, Self::Retiring];

    /// The word for it, in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Issuing => "issuing",
            Self::Retiring => "retiring",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happened to a key. A key that skips `next` is introduced and takes its state in one step:
/// two changes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The ring has a new key, or one that is back to being `next`. It opens.
    Introduced(KeyName),
    /// The key seals from now on.
    Issuing(KeyName),
    /// The key no longer seals, but still opens.
    Retired(KeyName),
    /// The ring no longer has the key; it is wiped when the last handshake that uses it is over.
    Wiped(KeyName),
}

impl Change {
    /// The key it happened to.
    pub const fn name(self) -> KeyName {
        match self {
            Self::Introduced(name) | Self::Issuing(name) | Self::Retired(name) | Self::Wiped(name) => name,
        }
    }
}

/// Keys that make no ring. Always the operator's to mend, or whoever distributes the keys.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum RingError {
    /// There is no key to seal with.
    #[error("there is no key; make one with `raincheck keys new`")]
    Empty,
    /// Two keys have one name, so a ticket would not say which of them opens it.
    #[error("two keys have the name {0}; keep one, and make the other anew with `raincheck keys new`")]
    DuplicateName(KeyName),
}

/// A ring that is no newer than the one it should replace.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
#[error("a ring of epoch {offered}, and the one here is of epoch {held}")]
pub struct Outdated {
    /// The epoch of the ring that was refused.
    pub offered: Epoch,
    /// The epoch of the ring that stays.
    pub held: Epoch,
}

/// The generation of whoever was told of none.
const FIRST_GENERATION: u64 = 1;

#[expect(clippy::disallowed_types, reason = "not the hasher that is seeded at random")]
type Positions = HashMap<KeyName, usize, BuildHasherDefault<NameHasher>>;

/// The state of the key that stands `position` lines before the last of `count`.
pub(crate) fn state_at(position: usize, count: usize) -> KeyState {
    match (position, count) {
        (0, 1) | (1, _) => KeyState::Issuing,
        (0, _) => KeyState::Next,
        _ => KeyState::Retiring,
    }
}

/// Spreads key names over the table without randomness: who sends tickets chooses what is looked
/// up, but not what is in the table.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // The product of 64 by 64 bits depends in every bit on all of both; its halves, xored,
            // keep that.
            let product = u128::from(self.0 ^ ODD) * u128::from(u64::from_le_bytes(word) ^ ODD.rotate_left(32));
            self.0 = (product as u64) ^ ((product >> 64) as u64);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// 2^64 divided by the golden ratio: no pattern of a key name matches it.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests;
