//! Random streams, cut into segments that come lost, late, again and cut otherwise: what is handed over is what was sent.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use raincheck_diagnosis::tcp::{Connections, Conversation, Flags, Limits, Opening, Segment, Totals};
use raincheck_diagnosis::{Moment, Side, Sides, Timestamp};

proptest! {
    #[test]
    fn nothing_is_lost_that_was_captured(plan in plan(), again in vec(resent(), 0..40), jitter in vec(0usize..40, 400), twice: bool) {
        let packets = plan.packets(&again);
        let captured = reordered(packets, &jitter, twice);
        let streams = assembled(Limits::default(), &captured);
        for side in SIDES {
            let sent = plan.length(side);
            prop_assert_eq!(&streams[side].bytes, &(0..sent).map(|at| Some(byte(side, at))).collect::<Vec<_>>());
            prop_assert!(streams[side].fin);
            prop_assert_eq!(streams.totals(side), Totals { sent: sent as u64, acknowledged: sent as u64, missing: 0 });
        }
    }

    #[test]
    fn what_was_not_captured_is_a_gap(
        plan in plan(),
        again in vec(resent(), 0..20),
        jitter in vec(0usize..40, 400),
        lost in vec(prop::bool::weighted(0.2), 400),
    ) {
        let captured = without(reordered(plan.packets(&again), &jitter, false), &lost);
        let streams = assembled(Limits::default(), &captured);
        for side in SIDES {
            let expected = captured_bytes(&plan, side, &captured);
            let handed = &streams[side].bytes;
            prop_assert_eq!(handed, &expected[..handed.len()]);
            prop_assert!(expected[handed.len()..].iter().all(Option::is_none), "the rest was not captured");
            prop_assert_eq!(streams.totals(side).missing, handed.iter().filter(|byte| byte.is_none()).count() as u64);
        }
    }

    #[test]
    fn impatience_costs_bytes_and_no_order(
        plan in plan(),
        again in vec(resent(), 0..20),
        jitter in vec(0usize..40, 400),
        lost in vec(prop::bool::weighted(0.2), 400),
        limit in 0usize..4000,
        patience in 0u64..3_000_000,
    ) {
        let patience = Duration::from_nanos(patience);
        let limits = Limits { patience, patience_bytes: limit, waiting_per_side: 2 * limit, ..Limits::default() };
        let captured = without(reordered(plan.packets(&again), &jitter, false), &lost);
        let streams = assembled(limits, &captured);
        for side in SIDES {
            let expected = captured_bytes(&plan, side, &captured);
            for (at, handed) in streams[side].bytes.iter().enumerate() {
                prop_assert!(handed.is_none() || *handed == expected[at]);
            }
        }
    }
}

/// Two streams, and how each is cut.
#[derive(Clone, Debug)]
struct Plan {
    first: Sides<u32>,
    cuts: Sides<Vec<usize>>,
    turns: Vec<bool>,
}

/// What is sent again: whose, how far back it begins, and how long it is.
type Resent = (usize, bool, usize, usize);

struct Packet {
    side: Side,
    sequence: u32,
    acknowledgement: u32,
    flags: Flags,
    payload: Vec<u8>,
    /// Where the payload is in its stream.
    offset: usize,
}

fn plan() -> impl Strategy<Value = Plan> {
    let number = || prop_oneof![any::<u32>(), (0u32..5000).prop_map(u32::wrapping_neg)];
    let cuts = || vec(prop_oneof![1usize..20, 1usize..300], 0..40);
    (number(), number(), cuts(), cuts(), vec(any::<bool>(), 80)).prop_map(|(a, b, c, d, turns)| Plan {
        first: Sides { client: a, server: b },
        cuts: Sides { client: c, server: d },
        turns,
    })
}

fn resent() -> impl Strategy<Value = Resent> {
    (0usize..80, any::<bool>(), 1usize..600, 1usize..400)
}

impl Plan {
    fn length(&self, side: Side) -> usize {
        self.cuts[side].iter().sum()
    }

    /// What is sent, in order; what is sent again comes some time after it was.
    fn packets(&self, again: &[Resent]) -> Vec<Packet> {
        let mut wire = Wire { plan: self, sent: Sides::default(), packets: Vec::new() };
        let syn = Flags { syn: true, ..Flags::default() };
        wire.send(Side::Client, syn, 0..0);
        wire.send(Side::Server, Flags { ack: true, ..syn }, 0..0);
        let ack = Flags { ack: true, ..Flags::default() };
        let mut cuts = Sides { client: self.cuts.client.iter(), server: self.cuts.server.iter() };
        for (turn, is_client) in self.turns.iter().enumerate() {
            for &(_, is_client, back, length) in again.iter().filter(|resent| resent.0 == turn) {
                let side = if is_client { Side::Client } else { Side::Server };
                let start = wire.sent[side].saturating_sub(back);
                wire.send(side, ack, start..(start + length).min(wire.sent[side]));
            }
            let side = if *is_client { Side::Client } else { Side::Server };
            let side = if cuts[side].len() > 0 { side } else { !side };
            if let Some(length) = cuts[side].next() {
                wire.send(side, ack, wire.sent[side]..wire.sent[side] + length);
            }
        }
        for side in SIDES {
            wire.send(side, Flags { fin: true, ..ack }, wire.sent[side]..wire.sent[side]);
        }
        for side in SIDES {
            wire.send(side, ack, wire.sent[side]..wire.sent[side]);
        }
        wire.packets
    }
}

struct Wire<'a> {
    plan: &'a Plan,
    sent: Sides<usize>,
    packets: Vec<Packet>,
}

impl Wire<'_> {
    fn send(&mut self, side: Side, flags: Flags, range: std::ops::Range<usize>) {
        let number = |side: Side, offset: usize| self.plan.first[side].wrapping_add(offset as u32);
        let before_syn = u32::from(flags.syn);
        let packet = Packet {
            side,
            sequence: number(side, range.start).wrapping_sub(before_syn),
            acknowledgement: number(!side, self.sent[!side]),
            flags,
            payload: range.clone().map(|at| byte(side, at)).collect(),
            offset: range.start,
        };
        self.sent[side] = self.sent[side].max(range.end);
        self.packets.push(packet);
    }
}

/// The packets as they are captured, each at most as far from its place as `jitter` says; but the first two, which say who
/// opens the connection.
fn reordered(packets: Vec<Packet>, jitter: &[usize], twice: bool) -> Vec<Rc<Packet>> {
    let mut places = Vec::new();
    for (index, packet) in packets.into_iter().map(Rc::new).enumerate() {
        for copy in 0..=usize::from(twice) {
            let late = if index < 2 { 0 } else { jitter[(2 * index + copy) % jitter.len()] };
            places.push((index + late, packet.clone()));
        }
    }
    // Whoever is late does not overtake the two.
    places.sort_by_key(|(place, packet)| (!packet.flags.syn, *place));
    places.into_iter().map(|(_, packet)| packet).collect()
}

fn without(packets: Vec<Rc<Packet>>, lost: &[bool]) -> Vec<Rc<Packet>> {
    let kept = packets.into_iter().enumerate().filter(|(index, packet)| packet.flags.syn || !lost[index % lost.len()]);
    kept.map(|(_, packet)| packet).collect()
}

fn captured_bytes(plan: &Plan, side: Side, packets: &[Rc<Packet>]) -> Vec<Option<u8>> {
    let mut bytes = vec![None; plan.length(side)];
    for packet in packets.iter().filter(|packet| packet.side == side) {
        for (index, byte) in packet.payload.iter().enumerate() {
            bytes[packet.offset + index] = Some(*byte);
        }
    }
    bytes
}

/// The content is such that a byte in a wrong place shows.
fn byte(side: Side, at: usize) -> u8 {
    let mixed = (at as u64 + 1 + (side as u64) * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as u8
}

#[derive(Default)]
struct Stream {
    bytes: Vec<Option<u8>>,
    fin: bool,
}

#[derive(Default)]
struct Streams {
    streams: Sides<Stream>,
    totals: Option<Sides<Totals>>,
}

impl std::ops::Index<Side> for Streams {
    type Output = Stream;

    fn index(&self, side: Side) -> &Stream {
        &self.streams[side]
    }
}

impl Streams {
    fn totals(&self, side: Side) -> Totals {
        self.totals.expect("it ended")[side]
    }
}

impl Conversation for Streams {
    fn data(&mut self, side: Side, _: Moment, bytes: &[u8]) {
        assert!(!self[side].fin && !bytes.is_empty());
        self.streams[side].bytes.extend(bytes.iter().copied().map(Some));
    }

    fn gap(&mut self, side: Side, _: Moment, length: u64) {
        assert!(!self[side].fin && length > 0);
        let length = self[side].bytes.len() + length as usize;
        self.streams[side].bytes.resize(length, None);
    }

    fn fin(&mut self, side: Side, _: Moment) {
        assert!(!std::mem::replace(&mut self.streams[side].fin, true), "a second FIN");
    }

    fn reset(&mut self, _: Side, _: Moment) {
        panic!("nobody reset it");
    }

    fn ended(&mut self, totals: Sides<Totals>) {
        self.totals = Some(totals);
    }
}

fn assembled(limits: Limits, packets: &[Rc<Packet>]) -> Streams {
    let addresses =
        Sides::<SocketAddr> { client: ([192, 0, 2, 1], 40000).into(), server: ([192, 0, 2, 2], 443).into() };
    let open = |opening: Opening| {
        assert_eq!((opening.client, opening.from_the_start), (addresses.client, true));
        Streams::default()
    };
    let mut connections = Connections::new(limits, 1, open);
    let mut ended = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let index = index as u64 + 1;
        let segment = Segment {
            at: Moment { time: Timestamp::from_nanoseconds(index * 100_000), packet: index },
            source: addresses[packet.side],
            destination: addresses[!packet.side],
            sequence: packet.sequence,
            acknowledgement: packet.acknowledgement,
            flags: packet.flags,
            payload: &packet.payload,
            length: packet.payload.len(),
        };
        connections.read(&segment, |streams| ended.push(std::mem::take(streams)));
    }
    let counts = connections.finish(|streams| ended.push(std::mem::take(streams)));
    assert_eq!((counts.stray, counts.late, ended.len()), (0, 0, 1));
    ended.remove(0)
}

const SIDES: [Side; 2] = [Side::Client, Side::Server];
