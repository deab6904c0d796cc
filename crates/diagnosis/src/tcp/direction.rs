//! One side's bytes, put in order.
//!
//! Places are offsets from the first byte that is known of, 64 bits wide. What was sent before that is at negative ones, and
//! is left out like all that was handed over before.

use super::sequence::Sequence;
use super::waiting::{Mark, Waiting};
use super::{Conversation, Limits, Segment, Totals};
use crate::{Moment, Side, Timestamp};

/// What one side sent, and how far it was handed over.
#[derive(Debug, Default)]
pub(super) struct Direction {
    start: Start,
    /// The sequence number at `next`.
    sequence: Sequence,
    /// The first byte not yet handed over.
    next: i64,
    /// The end of what was seen.
    sent: i64,
    /// The end of what the other side acknowledged.
    acknowledged: i64,
    /// How much of what was handed over was gaps.
    missing: i64,
    /// Where what lay far outside the window ended: what continues it is no stray any more.
    stray: Option<Sequence>,
    end: End,
    waiting: Option<Box<Waiting>>,
}

/// How it is known where the bytes begin.
#[derive(Debug, Default, PartialEq, Eq)]
enum Start {
    #[default]
    Unknown,
    /// The other side acknowledged all before it: what it then sends, a hole or not, is after it.
    Acknowledged,
    /// A SYN, or the first byte that was captured.
    Known,
}

/// What was seen of its end, and handed over.
#[derive(Debug, Default)]
struct End {
    fin_seen: bool,
    fin: bool,
    reset_seen: bool,
    reset: bool,
}

/// Where a direction hands things over.
pub(super) struct Outlet<'a, C> {
    pub(super) conversation: &'a mut C,
    pub(super) side: Side,
}

impl Direction {
    /// Whether a SYN belongs to what is known already, `first` being the number of the byte after it. If not, it begins
    /// another connection.
    pub(super) fn begins_with(&self, first: Sequence) -> bool {
        match self.start {
            Start::Unknown => true,
            // It may have been captured after what acknowledges it, and more.
            Start::Acknowledged => (0..=WINDOW).contains(&self.sequence.distance_from(first)),
            Start::Known => self.number(0) == first,
        }
    }

    /// The bytes begin at `first`, unless that is known already.
    pub(super) fn begin(&mut self, first: Sequence) {
        match self.start {
            Start::Known => return,
            Start::Unknown => {}
            Start::Acknowledged => self.acknowledged = (self.acknowledged + self.sequence.distance_from(first)).max(0),
        }
        (self.start, self.sequence) = (Start::Known, first);
    }

    /// The offset of a segment that begins at `first` and takes `length` bytes; `None` if it is far outside of any window.
    ///
    /// Who skips that far without a mistake (the capture lost seconds of a fast connection) goes on from there, so that the
    /// second segment is believed.
    pub(super) fn locate(&mut self, first: Sequence, length: i64) -> Option<i64> {
        if self.start != Start::Known {
            let ahead = first.distance_from(self.sequence);
            let is_ahead = self.start == Start::Acknowledged && (0..=WINDOW).contains(&ahead);
            if length == 0 {
                return Some(if is_ahead { self.next + ahead } else { self.next });
            }
            self.begin(if is_ahead { self.sequence } else { first });
        }
        for offset in [self.next, self.sent, self.acknowledged] {
            let distance = first.distance_from(self.number(offset));
            if distance.abs() <= WINDOW {
                return Some(offset + distance);
            }
        }
        if length > 0 && self.stray.replace(first.plus(length)) == Some(first) {
            return Some(self.next + first.forward_from(self.sequence));
        }
        None
    }

    /// The other side has all before `number`.
    pub(super) fn acknowledge(&mut self, number: Sequence) {
        if self.start == Start::Unknown {
            (self.start, self.sequence) = (Start::Acknowledged, number);
        }
        // What was sent may not have been captured for long, or at all.
        let end = self.sent.max(self.acknowledged);
        let offset = end + number.distance_from(self.number(end));
        if offset <= end + WINDOW {
            self.acknowledged = self.acknowledged.max(offset);
        }
    }

    /// The segment's payload, which begins at `offset`.
    pub(super) fn data<C: Conversation>(&mut self, offset: i64, segment: &Segment<'_>, outlet: &mut Outlet<'_, C>) {
        let length = length(segment);
        if self.end.fin || self.end.reset {
            return;
        }
        self.sent = self.sent.max(offset + length);
        if offset > self.next {
            self.waiting.get_or_insert_default().insert(offset, segment.at, segment.payload, length);
            return;
        }
        self.hand_over(offset, segment.at, segment.payload, length, outlet);
        self.drain(outlet);
    }

    /// A FIN after the byte before `offset`.
    pub(super) fn fin<C: Conversation>(&mut self, offset: i64, at: Moment, outlet: &mut Outlet<'_, C>) {
        // If there are two, one is wrong: the later one, as nothing is sent after a FIN.
        let known = self.waiting.as_ref().and_then(|waiting| waiting.fin);
        if self.end.fin || self.end.reset || known.is_some_and(|known| known.offset <= offset) {
            return;
        }
        self.end.fin_seen = true;
        self.sent = self.sent.max(offset);
        if self.waiting.is_none() && offset <= self.next {
            self.hand_over_fin(at, outlet);
        } else {
            self.waiting.get_or_insert_default().fin = Some(Mark { offset, at });
            self.drain(outlet);
        }
    }

    /// A reset, sent when all before `offset` had been.
    pub(super) fn reset<C: Conversation>(&mut self, offset: i64, at: Moment, outlet: &mut Outlet<'_, C>) {
        if self.end.reset_seen {
            return;
        }
        self.end.reset_seen = true;
        if self.waiting.is_none() && (offset <= self.next || self.end.fin) {
            self.hand_over_reset(at, outlet);
        } else {
            self.waiting.get_or_insert_default().reset = Some(Mark { offset, at });
            self.drain(outlet);
        }
    }

    /// Gives up the holes that need not be waited for any longer.
    pub(super) fn lose_patience<C: Conversation>(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        outlet: &mut Outlet<'_, C>,
    ) {
        while self.waiting.as_mut().is_some_and(|waiting| waiting.is_overdue(self.acknowledged, now, limits)) {
            self.give_up(outlet);
        }
    }

    /// Gives up the first hole: what is missing is a gap.
    pub(super) fn give_up<C: Conversation>(&mut self, outlet: &mut Outlet<'_, C>) {
        if let Some(first) = self.waiting.as_ref().and_then(|waiting| waiting.first()) {
            self.hand_over_gap(first.offset, first.at, outlet);
            self.drain(outlet);
        }
    }

    /// Hands over all there is, for nothing more will come; `at` is when the last segment of the connection was seen.
    pub(super) fn finish<C: Conversation>(&mut self, at: Moment, outlet: &mut Outlet<'_, C>) {
        while self.waiting.is_some() {
            self.give_up(outlet);
        }
        // What was acknowledged was sent. One byte more than was seen is no byte: it is the FIN, that was not captured.
        if !self.end.fin && !self.end.reset && self.acknowledged > self.sent + 1 {
            self.hand_over_gap(self.acknowledged, at, outlet);
        }
    }

    /// Whether nothing was seen that it sent.
    pub(super) fn is_silent(&self) -> bool {
        self.sent == 0 && !self.is_waiting() && !self.end.fin_seen && !self.end.reset_seen
    }

    /// Whether its sender will send no more.
    pub(super) fn has_fin(&self) -> bool {
        self.end.fin_seen
    }

    /// Whether its sender gave the connection up.
    pub(super) fn has_reset(&self) -> bool {
        self.end.reset_seen
    }

    /// Whether anything is known of where it begins.
    pub(super) fn is_known(&self) -> bool {
        self.start != Start::Unknown
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// What waits, in bytes of memory.
    pub(super) fn cost(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.cost())
    }

    pub(super) fn totals(&self) -> Totals {
        let count = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
        // That of a FIN counts one more.
        let acknowledged = self.acknowledged.min(self.sent);
        Totals { sent: count(self.sent), acknowledged: count(acknowledged), missing: count(self.missing) }
    }

    /// Hands over what has its turn.
    fn drain<C: Conversation>(&mut self, outlet: &mut Outlet<'_, C>) {
        let Some(mut waiting) = self.waiting.take() else { return };
        while let Some((offset, piece)) = waiting.pop(self.next) {
            self.hand_over(offset, piece.at, &piece.bytes, piece.length, outlet);
        }
        if let Some(fin) = waiting.fin.take_if(|fin| fin.offset <= self.next) {
            self.hand_over_fin(fin.at, outlet);
        }
        if let Some(reset) = waiting.reset.take_if(|reset| reset.offset <= self.next || self.end.fin) {
            self.hand_over_reset(reset.at, outlet);
        }
        // No byte is behind an end, whoever says so.
        if !(waiting.is_empty() || self.end.fin || self.end.reset) {
            self.waiting = Some(waiting);
        }
    }

    /// Hands over what is new of a payload that begins at or before `next`; what the snap length cut off is a gap.
    fn hand_over<C: Conversation>(
        &mut self,
        offset: i64,
        at: Moment,
        bytes: &[u8],
        length: i64,
        outlet: &mut Outlet<'_, C>,
    ) {
        // Not negative, and where it is more than there are bytes, nothing is left of them.
        let known = (self.next - offset) as usize;
        if let Some(new) = bytes.get(known..).filter(|new| !new.is_empty()) {
            self.skip(new.len() as i64);
            outlet.conversation.data(outlet.side, at, new);
        }
        self.hand_over_gap(offset + length, at, outlet);
    }

    /// All up to `end` is missing.
    fn hand_over_gap<C: Conversation>(&mut self, end: i64, at: Moment, outlet: &mut Outlet<'_, C>) {
        let length = end - self.next;
        if length > 0 {
            self.skip(length);
            self.missing += length;
            outlet.conversation.gap(outlet.side, at, length as u64);
        }
    }

    fn hand_over_fin<C: Conversation>(&mut self, at: Moment, outlet: &mut Outlet<'_, C>) {
        // Whatever was seen behind it was not its sender's.
        (self.end.fin, self.sent) = (true, self.next);
        outlet.conversation.fin(outlet.side, at);
    }

    fn hand_over_reset<C: Conversation>(&mut self, at: Moment, outlet: &mut Outlet<'_, C>) {
        self.end.reset = true;
        outlet.conversation.reset(outlet.side, at);
    }

    fn skip(&mut self, bytes: i64) {
        self.next += bytes;
        self.sequence = self.sequence.plus(bytes);
        self.sent = self.sent.max(self.next);
    }

    /// The sequence number at `offset`.
    fn number(&self, offset: i64) -> Sequence {
        self.sequence.plus(offset - self.next)
    }
}

/// How long the payload was on the wire, as far as a packet can be: whatever carried it, its length had 32 bits at most.
pub(super) fn length(segment: &Segment<'_>) -> i64 {
    i64::from(u32::try_from(segment.length.max(segment.payload.len())).unwrap_or(u32::MAX))
}

/// How far from what is known a segment may be: 64 MB. RFC 7323 §2.3 lets a window be 1 GB, but then a quarter of all numbers
/// would be inside it; by default, systems let it grow to a tenth of this.
const WINDOW: i64 = 1 << 26;
