//! What a segment costs. Not a test that can fail: `cargo test --release -p raincheck-diagnosis --test speed -- --ignored --nocapture`.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "it measures, and says so"
)]

use std::net::SocketAddr;
use std::time::Instant;

use raincheck_diagnosis::tcp::{Connections, Conversation, Flags, Limits, Opening, Segment};
use raincheck_diagnosis::{Moment, Side, Timestamp};

#[test]
#[ignore = "it measures"]
fn speed() {
    for (open, length) in [(1, 1448), (1, 0), (100, 1448), (10_000, 1448), (10_000, 100), (200_000, 100)] {
        in_order(open, length);
    }
    out_of_order();
    short_connections();
    flood();
}

/// Segments in order, round robin over as many connections as are open; every other is an acknowledgement alone where `length`
/// is 0.
fn in_order(open: u32, length: usize) {
    let payload = vec![7; length];
    let before = resident();
    let mut connections = Connections::new(Limits::default(), 1, |_: Opening| Counted::default());
    let rounds = 10_000_000 / open;
    let ack = Flags { ack: true, ..Flags::default() };
    for number in 0..open {
        connections.read(&segment(0, number, Flags { syn: true, ..ack }, 0, &[]), |_| {});
    }
    let began = Instant::now();
    for round in 0..rounds {
        for number in 0..open {
            let sequence = 1 + round.wrapping_mul(length as u32);
            connections.read(&segment(u64::from(round), number, ack, sequence, &payload), |_| {});
        }
    }
    let took = began.elapsed();
    let resident = resident();
    let mut bytes = 0;
    connections.finish(|counted| bytes += counted.0);
    assert_eq!(bytes, u64::from(open * rounds) * length as u64);
    report(&format!("in order, {open} open, {length} bytes each"), u64::from(open * rounds), bytes, took);
    println!("    {} bytes of memory for each connection", resident.saturating_sub(before) / u64::from(open));
}

/// Every two segments change places.
fn out_of_order() {
    let payload = [7; 1448];
    let mut connections = Connections::new(Limits::default(), 1, |_: Opening| Counted::default());
    let ack = Flags { ack: true, ..Flags::default() };
    connections.read(&segment(0, 0, Flags { syn: true, ..ack }, 0, &[]), |_| {});
    let began = Instant::now();
    let count = 4_000_000u32;
    for number in 0..count {
        let sequence = 1 + (number ^ 1).wrapping_mul(1448);
        connections.read(&segment(1, 0, ack, sequence, &payload), |_| {});
    }
    let took = began.elapsed();
    let mut bytes = 0;
    connections.finish(|counted| bytes += counted.0);
    assert_eq!(bytes, u64::from(count) * 1448);
    report("every two the other way round", u64::from(count), bytes, took);
}

/// Connections of seven segments.
fn short_connections() {
    let mut connections = Connections::new(Limits::default(), 1, |_: Opening| Counted::default());
    let (count, mut ended, mut bytes) = (1_000_000, 0, 0);
    let mut end = |counted: &mut Counted| (ended, bytes) = (ended + 1, bytes + counted.0);
    let began = Instant::now();
    for number in 0..count {
        let at = u64::from(number) * 10_000;
        let ack = Flags { ack: true, ..Flags::default() };
        let syn = Flags { syn: true, ..Flags::default() };
        let fin = Flags { fin: true, ..ack };
        connections.read(&back(segment(at, number, syn, 99, &[])), &mut end);
        connections.read(&segment(at, number, Flags { syn: true, ..ack }, 299, &[]), &mut end);
        connections.read(&back(segment(at, number, ack, 100, b"hello")), &mut end);
        connections.read(&segment(at, number, ack, 300, b"hello"), &mut end);
        connections.read(&back(segment(at, number, fin, 105, &[])), &mut end);
        connections.read(&segment(at, number, fin, 305, &[]), &mut end);
        connections.read(&back(segment(at, number, ack, 106, &[])), &mut end);
    }
    connections.finish(&mut end);
    let took = began.elapsed();
    assert_eq!((ended, bytes), (count, u64::from(count) * 10));
    report("short connections", u64::from(count) * 7, bytes, took);
}

/// SYNs without answers.
fn flood() {
    let mut connections = Connections::new(Limits::default(), 1, |_: Opening| Counted::default());
    let began = Instant::now();
    for number in 0..4_000_000 {
        let syn = Flags { syn: true, ..Flags::default() };
        connections.read(&segment(u64::from(number), number, syn, 99, &[]), |_| {});
    }
    report("SYNs without answers", 4_000_000, 0, began.elapsed());
    assert_eq!(connections.counts().unanswered, 4_000_000);
}

fn report(what: &str, segments: u64, bytes: u64, took: std::time::Duration) {
    let seconds = took.as_secs_f64();
    println!(
        "{what}: {:.1} million segments/s, {:.1} GB/s, {:.0} ns each",
        segments as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e9,
        seconds * 1e9 / segments as f64,
    );
}

fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn segment(time: u64, number: u32, flags: Flags, sequence: u32, payload: &[u8]) -> Segment<'_> {
    let source = SocketAddr::from(([10, 0, 0, 1], 443));
    let destination = SocketAddr::from(([10, 1, (number >> 24) as u8, (number >> 16) as u8], number as u16));
    let at = Moment { time: Timestamp::from_nanoseconds(time), packet: time };
    Segment { at, source, destination, sequence, acknowledgement: 100, flags, payload, length: payload.len() }
}

fn back(segment: Segment<'_>) -> Segment<'_> {
    Segment { source: segment.destination, destination: segment.source, ..segment }
}

/// Counts bytes, so that it costs nothing itself.
#[derive(Default)]
struct Counted(u64);

impl Conversation for Counted {
    fn data(&mut self, _: Side, _: Moment, bytes: &[u8]) {
        self.0 += bytes.len() as u64;
    }

    fn gap(&mut self, _: Side, _: Moment, _: u64) {
        panic!("nothing is missing");
    }

    fn fin(&mut self, _: Side, _: Moment) {}

    fn reset(&mut self, _: Side, _: Moment) {}
}
