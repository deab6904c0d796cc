use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use raincheck_diagnosis::tcp::{Connections, Conversation, Flags, Limits, Opening, Segment, Totals};
use raincheck_diagnosis::{Moment, Side, Sides, Timestamp};

/// TCP reassembly, whatever is captured: bytes are handed over in the order they have in the packet they are said to be from,
/// and no more of them than were captured; nothing follows an end; each connection that is opened ends once, unless nothing was
/// heard on it when its SYN came and opened it anew; no limit is exceeded.
///
/// Sound is what has nothing missing, strange or left over. A segment takes twelve bytes: control bits (FIN 1, SYN 2, RST 4,
/// ACK 16; 64 from the server, 128 a second later) | client | sequence number (4) | acknowledgement (4) | length of its payload |
/// how much of that the snap length cut off.
pub fn tcp_segments(bytes: &[u8]) -> bool {
    let seen = Seen::default();
    let mut connections = Connections::new(LIMITS, 1, |_: Opening| {
        seen.opened.set(seen.opened.get() + 1);
        Checked { seen: &seen, sides: Sides::default(), has_ended: false }
    });
    let mut end = |_: &mut Checked<'_>| {};
    let (segments, rest) = bytes.as_chunks();
    let (mut captured, mut time) = (0, Duration::ZERO);
    for (index, encoded) in segments.iter().enumerate() {
        time += Duration::from_millis(if encoded[0] & 128 == 0 { 1 } else { 1000 });
        let at = Moment { time: Timestamp::from_nanoseconds(time.as_nanos() as u64), packet: index as u64 + 1 };
        let payload = payload(at, encoded);
        connections.read(&segment(at, encoded, &payload), &mut end);
        captured += payload.len();
        assert!(connections.len() <= LIMITS.connections);
        assert!(connections.waiting_bytes() <= LIMITS.waiting);
    }
    let counts = connections.finish(&mut end);
    assert_eq!(seen.ended.get(), counts.connections);
    assert_eq!(seen.ended.get() + seen.unheard.get(), seen.opened.get());
    assert!(seen.bytes.get() <= captured as u64);
    let strange = counts.evicted + counts.unanswered + counts.late + counts.stray;
    counts.connections > 0 && rest.is_empty() && seen.missing.get() == 0 && strange == 0
}

/// What all conversations saw.
#[derive(Default)]
struct Seen {
    opened: Cell<u64>,
    ended: Cell<u64>,
    unheard: Cell<u64>,
    bytes: Cell<u64>,
    missing: Cell<u64>,
}

struct Checked<'a> {
    seen: &'a Seen,
    sides: Sides<State>,
    has_ended: bool,
}

/// What one side sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    bytes: u64,
    missing: u64,
    has_fin: bool,
    has_reset: bool,
}

impl Checked<'_> {
    fn open_side(&mut self, side: Side) -> &mut State {
        let state = &mut self.sides[side];
        assert!(!state.has_fin && !state.has_reset, "{side:?} is at its end");
        state
    }
}

impl Conversation for Checked<'_> {
    fn data(&mut self, side: Side, at: Moment, bytes: &[u8]) {
        let start = bytes[0].wrapping_sub(byte(at, 0));
        assert!(usize::from(start) + bytes.len() <= 255, "it is longer than the packet");
        assert!(bytes.iter().enumerate().all(|(index, it)| *it == byte(at, start.wrapping_add(index as u8))));
        self.open_side(side).bytes += bytes.len() as u64;
        self.seen.bytes.set(self.seen.bytes.get() + bytes.len() as u64);
    }

    fn gap(&mut self, side: Side, _: Moment, length: u64) {
        assert!(length > 0);
        self.open_side(side).missing += length;
        self.seen.missing.set(self.seen.missing.get() + length);
    }

    fn fin(&mut self, side: Side, _: Moment) {
        self.open_side(side).has_fin = true;
    }

    fn reset(&mut self, side: Side, _: Moment) {
        assert!(!self.sides[side].has_reset);
        self.sides[side].has_reset = true;
    }

    fn ended(&mut self, totals: Sides<Totals>) {
        for side in [Side::Client, Side::Server] {
            let (state, totals) = (&self.sides[side], &totals[side]);
            assert_eq!(totals.missing, state.missing);
            assert!(totals.sent >= state.bytes + state.missing && totals.sent >= totals.acknowledged);
        }
        assert!(!self.has_ended);
        self.has_ended = true;
        self.seen.ended.set(self.seen.ended.get() + 1);
    }
}

impl Drop for Checked<'_> {
    fn drop(&mut self) {
        if !self.has_ended && !std::thread::panicking() {
            assert_eq!(self.sides, Sides::default());
            self.seen.unheard.set(self.seen.unheard.get() + 1);
        }
    }
}

fn segment<'a>(at: Moment, encoded: &[u8; 12], payload: &'a [u8]) -> Segment<'a> {
    let [bits, client, s0, s1, s2, s3, a0, a1, a2, a3, length, _] = *encoded;
    let client = SocketAddr::from(([10, 0, 0, client], 50000));
    let (source, destination) = if bits & 64 == 0 { (client, SERVER) } else { (SERVER, client) };
    let flags = Flags { fin: bits & 1 != 0, syn: bits & 2 != 0, rst: bits & 4 != 0, ack: bits & 16 != 0 };
    Segment {
        at,
        source,
        destination,
        sequence: u32::from_be_bytes([s0, s1, s2, s3]),
        acknowledgement: u32::from_be_bytes([a0, a1, a2, a3]),
        flags,
        payload,
        length: usize::from(length),
    }
}

/// As much of the payload as was captured.
fn payload(at: Moment, encoded: &[u8; 12]) -> Vec<u8> {
    (0..encoded[10].saturating_sub(encoded[11])).map(|index| byte(at, index)).collect()
}

/// What is at `index` in the packet: it tells the packet and the place.
fn byte(at: Moment, index: u8) -> u8 {
    (at.packet as u8).wrapping_mul(83).wrapping_add(index)
}

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, 0)), 443);

/// So small that a few hundred bytes reach them.
const LIMITS: Limits = Limits {
    connections: 4,
    attempts: 4,
    linger: Duration::from_secs(5),
    lingering: 2,
    departed: 4,
    departed_for: Duration::from_secs(60),
    patience: Duration::from_secs(1),
    patience_bytes: 800,
    waiting_per_side: 2000,
    waiting: 3000,
};
