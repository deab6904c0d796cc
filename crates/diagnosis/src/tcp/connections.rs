//! All connections of a capture.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;

use hashbrown::HashTable;
use slab::Slab;

use super::attempts::{Attempt, Attempts};
use super::connection::Connection;
use super::departed::Departed;
use super::direction::length;
use super::pair::{End, Factors, Pair};
use super::sequence::Sequence;
use super::{Conversation, Limits, Opening, Segment};
use crate::Timestamp;

/// Sorts segments, in the order they were captured, by connection, and hands each connection's bytes to a conversation.
///
/// A SYN alone is no connection yet: it is one with whatever answers it, a reset too, or with what its sender sends next.
#[derive(Debug)]
pub struct Connections<C, F> {
    limits: Limits,
    factors: Factors,
    open: F,
    /// Where in `connections` each pair of addresses is.
    places: HashTable<usize>,
    /// Each in a place of its own, so that more of them need no copy of all, nor room for as many again.
    connections: Slab<Box<Connection<C>>>,
    attempts: Attempts,
    departed: Departed,
    /// Those that are over, in that order: since when, where, and their serial, as another may be there meanwhile.
    over: VecDeque<(Timestamp, usize, u64)>,
    /// Those in which something waits, who waits longest first.
    waiting: BTreeMap<NonZeroU64, usize>,
    /// What waits in all of them, in bytes.
    waiting_bytes: usize,
    /// How many began to wait.
    holes: NonZeroU64,
    /// Where the search for an idle connection goes on.
    hand: usize,
    counts: Counts,
}

/// What was no part of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that ended.
    pub connections: u64,
    /// Of those: how many before they were over, because there were too many at once.
    pub evicted: u64,
    /// SYNs that nothing answered, and whose sender sent nothing else; those sent again count once.
    pub unanswered: u64,
    /// Segments of connections that had ended.
    pub late: u64,
    /// Segments whose sequence numbers lay far outside any window.
    pub stray: u64,
}

impl<C: Conversation, F: FnMut(Opening) -> C> Connections<C, F> {
    /// Where every connection that is opened becomes a conversation by `open`. `seed` should be random where captures are not
    /// to be trusted: it keeps addresses from being chosen so that all look-ups are slow.
    pub fn new(limits: Limits, seed: u64, open: F) -> Self {
        let factors = Factors::new(seed);
        Self {
            limits,
            factors,
            open,
            places: HashTable::new(),
            connections: Slab::new(),
            attempts: Attempts::new(limits.attempts, factors),
            departed: Departed::new(&limits),
            over: VecDeque::new(),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            holes: NonZeroU64::MIN,
            hand: 0,
            counts: Counts::default(),
        }
    }

    /// Takes the next segment. Connections that end by it, or with the time that passed, are shown to `ended`; but not one that
    /// was opened by acknowledgements alone, when its SYN comes late and opens it anew.
    pub fn read(&mut self, segment: &Segment<'_>, mut ended: impl FnMut(&mut C)) {
        self.end_lingering(segment.at.time, &mut ended);
        let (pair, from) = Pair::of(segment.source, segment.destination);
        let hash = pair.hash(&self.factors);
        if let Some(place) = self.place(hash, &pair) {
            if segment.flags.syn && self.connections[place].awaits_its_beginning() {
                self.remove(place, hash);
            } else if self.connections[place].is_of(from, segment) {
                return self.go_on(place, from, segment);
            } else {
                self.end(place, &mut ended);
            }
        }
        if let Some(place) = self.opened_by(hash, pair, from, segment, &mut ended) {
            self.go_on(place, from, segment);
        }
    }

    /// Ends all connections that are left, in the order they were opened: the capture is at its end.
    pub fn finish(mut self, mut ended: impl FnMut(&mut C)) -> Counts {
        let mut left =
            self.connections.iter().map(|(place, connection)| (connection.serial, place)).collect::<Vec<_>>();
        left.sort_unstable();
        for (_, place) in left {
            self.end(place, &mut ended);
        }
        self.counts()
    }

    /// What was counted until now.
    pub fn counts(&self) -> Counts {
        Counts { unanswered: self.counts.unanswered + self.attempts.unanswered(), ..self.counts }
    }

    /// How many connections are kept, those that linger among them.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether no connection is kept.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// How much waits behind holes, in bytes of memory.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// The segment is of the connection there.
    fn go_on(&mut self, place: usize, from: End, segment: &Segment<'_>) {
        let connection = &mut self.connections[place];
        let (was_over, cost) = (connection.is_over(), connection.cost());
        if !connection.read(from, segment, &self.limits) {
            self.counts.stray += 1;
        }
        if connection.is_over() && !was_over {
            self.over.push_back((segment.at.time, place, connection.serial));
        }
        if connection.cost() != cost {
            self.weigh(place, cost);
            while self.waiting_bytes > self.limits.waiting && self.give_up_oldest() {}
        }
    }

    /// Where the connection is that this segment, of none that is known, opens; if it does.
    fn opened_by(
        &mut self,
        hash: u64,
        pair: Pair,
        from: End,
        segment: &Segment<'_>,
        ended: &mut impl FnMut(&mut C),
    ) -> Option<usize> {
        let sequence = Sequence::new(segment.sequence);
        let flags = segment.flags;
        if flags.syn && !flags.ack && length(segment) == 0 {
            // Both ends may send one at once (RFC 9293 §3.5), and then that is an answer.
            let is_answer = self.attempts.find(hash, &pair).is_some_and(|attempt| attempt.from != from);
            if !is_answer {
                self.attempts.insert(hash, Attempt { pair, from, sequence, at: segment.at });
                return None;
            }
        }
        if let Some(attempt) = self.attempts.take(hash, &pair) {
            if !flags.syn || attempt.from != from || attempt.sequence == sequence {
                let opening = opening(segment, from == attempt.from, true);
                let place = self.open(hash, pair, attempt.from, Opening { at: attempt.at, ..opening }, ended);
                self.connections[place].opened_with(attempt.sequence);
                return Some(place);
            }
            self.counts.unanswered += 1;
        }
        if flags.syn {
            let client = if flags.ack { !from } else { from };
            return Some(self.open(hash, pair, client, opening(segment, !flags.ack, true), ended));
        }
        if self.departed.contains(hash, segment.at.time) {
            self.counts.late += 1;
            return None;
        }
        let by_client = segment.source.port() >= segment.destination.port();
        let client = if by_client { from } else { !from };
        Some(self.open(hash, pair, client, opening(segment, by_client, false), ended))
    }

    fn open(&mut self, hash: u64, pair: Pair, client: End, opening: Opening, ended: &mut impl FnMut(&mut C)) -> usize {
        if self.connections.len() >= self.limits.connections.max(1) {
            self.evict(ended);
        }
        let serial = self.counts.connections + self.connections.len() as u64;
        let midway = !opening.from_the_start;
        let connection = Connection::new(pair, serial, client, midway, (self.open)(opening));
        let place = self.connections.insert(Box::new(connection));
        let Self { places, connections, factors, .. } = self;
        places.insert_unique(hash, place, |place| connections[*place].pair.hash(factors));
        place
    }

    fn place(&self, hash: u64, pair: &Pair) -> Option<usize> {
        self.places.find(hash, |place| self.connections[*place].pair == *pair).copied()
    }

    /// Ends the connection, and shows it.
    fn end(&mut self, place: usize, ended: &mut impl FnMut(&mut C)) {
        let hash = self.connections[place].pair.hash(&self.factors);
        let mut connection = self.remove(place, hash);
        if let Some(hole) = connection.hole {
            self.waiting.remove(&hole);
        }
        if connection.is_over() {
            self.departed.insert(hash, connection.last());
        }
        self.waiting_bytes -= connection.cost();
        self.counts.connections += 1;
        ended(connection.end());
    }

    fn remove(&mut self, place: usize, hash: u64) -> Box<Connection<C>> {
        if let Ok(entry) = self.places.find_entry(hash, |other| *other == place) {
            entry.remove();
        }
        self.connections.remove(place)
    }

    /// Ends those that lingered long enough, or are too many.
    fn end_lingering(&mut self, now: Timestamp, ended: &mut impl FnMut(&mut C)) {
        while let Some((since, place, serial)) = self.over.front().copied() {
            if self.over.len() <= self.limits.lingering && now.since(since) < self.limits.linger {
                return;
            }
            self.over.pop_front();
            if self.connections.get(place).is_some_and(|connection| connection.serial == serial) {
                self.end(place, ended);
            }
        }
    }

    /// Ends one that had no segment since the search last came by. Who is idle for longest goes first, or nearly so, and
    /// no list has to be kept in that order at every segment.
    fn evict(&mut self, ended: &mut impl FnMut(&mut C)) {
        loop {
            let place = self.hand % self.connections.capacity();
            self.hand = place + 1;
            match self.connections.get_mut(place) {
                Some(connection) if connection.is_fresh => connection.is_fresh = false,
                Some(connection) => {
                    self.counts.evicted += u64::from(!connection.is_over());
                    return self.end(place, ended);
                }
                None => {}
            }
        }
    }

    /// What waits in the connection is no longer `before` bytes.
    fn weigh(&mut self, place: usize, before: usize) {
        let connection = &mut self.connections[place];
        let cost = connection.cost();
        self.waiting_bytes = self.waiting_bytes - before + cost;
        if cost == 0 {
            if let Some(hole) = connection.hole.take() {
                self.waiting.remove(&hole);
            }
        } else if connection.hole.is_none() {
            connection.hole = Some(self.holes);
            self.waiting.insert(self.holes, place);
            self.holes = self.holes.saturating_add(1);
        }
    }

    /// Gives up the hole that is oldest; if anything waits behind another one there, it is the youngest now.
    fn give_up_oldest(&mut self) -> bool {
        let Some((_, place)) = self.waiting.pop_first() else { return false };
        let connection = &mut self.connections[place];
        connection.hole = None;
        let cost = connection.cost();
        connection.give_up();
        self.weigh(place, cost);
        true
    }
}

/// Which end of this segment opened the connection.
fn opening(segment: &Segment<'_>, by_source: bool, from_the_start: bool) -> Opening {
    let (source, destination) = (segment.source, segment.destination);
    let (client, server) = if by_source { (source, destination) } else { (destination, source) };
    Opening { client, server, at: segment.at, from_the_start }
}

#[cfg(test)]
mod tests;
