//! A connection: two directions, and the conversation in them.

use std::num::NonZeroU64;

use super::direction::{Direction, Outlet, length};
use super::pair::{End, Pair};
use super::sequence::Sequence;
use super::{Conversation, Limits, Segment};
use crate::{Moment, Side, Sides, Timestamp};

/// A connection that is known of.
#[derive(Debug)]
pub(super) struct Connection<C> {
    pub(super) pair: Pair,
    /// How many were opened before it.
    pub(super) serial: u64,
    /// Which end is the client.
    client: End,
    /// Whether its beginning was not captured, as far as is known.
    midway: bool,
    /// Whether it had a segment since somebody last looked for idle ones.
    pub(super) is_fresh: bool,
    /// Its place among those in which something waits.
    pub(super) hole: Option<NonZeroU64>,
    last: Moment,
    sides: Sides<Direction>,
    conversation: C,
}

impl<C: Conversation> Connection<C> {
    pub(super) fn new(pair: Pair, serial: u64, client: End, midway: bool, conversation: C) -> Self {
        let (last, sides) = Default::default();
        Self { pair, serial, client, midway, is_fresh: true, hole: None, last, sides, conversation }
    }

    /// Whether nothing but acknowledgements was seen of it: a SYN that comes now began it, and was captured late.
    pub(super) fn awaits_its_beginning(&self) -> bool {
        self.midway && self.sides.client.is_silent() && self.sides.server.is_silent()
    }

    /// Whether this segment from `end` is of this connection, and not a SYN that begins another with the same addresses.
    pub(super) fn is_of(&self, end: End, segment: &Segment<'_>) -> bool {
        if !segment.flags.syn {
            return true;
        }
        let direction = &self.sides[self.side(end)];
        // A side of which nothing is known cannot tell; but nobody opens what is over.
        direction.begins_with(after_syn(segment.sequence)) && (direction.is_known() || !self.is_over())
    }

    /// The client sent a SYN with this sequence number.
    pub(super) fn opened_with(&mut self, syn: Sequence) {
        self.sides.client.begin(syn.plus(1));
    }

    /// Takes a segment from `end`. Answers whether it had a place here.
    pub(super) fn read(&mut self, end: End, segment: &Segment<'_>, limits: &Limits) -> bool {
        let side = self.side(end);
        let (at, flags, length) = (segment.at, segment.flags, length(segment));
        let direction = &mut self.sides[side];
        let mut first = Sequence::new(segment.sequence);
        if flags.syn {
            first = after_syn(segment.sequence);
            direction.begin(first);
        }
        let Some(offset) = direction.locate(first, length + i64::from(flags.fin)) else { return false };
        (self.is_fresh, self.last) = (true, at);

        let outlet = &mut Outlet { conversation: &mut self.conversation, side };
        if flags.rst {
            // What it carries is for people to read (RFC 9293 §3.5.3).
            direction.reset(offset, at, outlet);
        } else {
            if length > 0 {
                direction.data(offset, segment, outlet);
            }
            if flags.fin {
                direction.fin(offset + length, at, outlet);
            }
        }
        if flags.ack {
            self.sides[!side].acknowledge(Sequence::new(segment.acknowledgement));
        }
        self.each_waiting(|direction, outlet| direction.lose_patience(at.time, limits, outlet));
        true
    }

    /// Gives up the first hole of each side.
    pub(super) fn give_up(&mut self) {
        self.each_waiting(Direction::give_up);
    }

    /// Ends it: what waits is handed over, for nothing more comes. Answers the conversation where it is, which may be large.
    pub(super) fn end(&mut self) -> &mut C {
        for side in [Side::Client, Side::Server] {
            let outlet = &mut Outlet { conversation: &mut self.conversation, side };
            self.sides[side].finish(self.last, outlet);
        }
        let totals = Sides { client: self.sides.client.totals(), server: self.sides.server.totals() };
        self.conversation.ended(totals);
        &mut self.conversation
    }

    /// Whether neither side will send more, but for what answers what was on its way.
    pub(super) fn is_over(&self) -> bool {
        let Sides { client, server } = &self.sides;
        client.has_reset() || server.has_reset() || client.has_fin() && server.has_fin()
    }

    /// When its last segment was seen.
    pub(super) fn last(&self) -> Timestamp {
        self.last.time
    }

    /// What waits in it, in bytes of memory.
    pub(super) fn cost(&self) -> usize {
        self.sides.client.cost() + self.sides.server.cost()
    }

    fn each_waiting(&mut self, mut act: impl FnMut(&mut Direction, &mut Outlet<'_, C>)) {
        for side in [Side::Client, Side::Server] {
            if self.sides[side].is_waiting() {
                act(&mut self.sides[side], &mut Outlet { conversation: &mut self.conversation, side });
            }
        }
    }

    fn side(&self, end: End) -> Side {
        if end == self.client { Side::Client } else { Side::Server }
    }
}

/// The number of the first byte: a SYN takes one itself (RFC 9293 §3.4).
fn after_syn(sequence: u32) -> Sequence {
    Sequence::new(sequence).plus(1)
}
