//! Memory is bounded, whatever is captured.

use std::net::SocketAddr;

use super::script::{Record, play};
use crate::tcp::connection::Connection;
use crate::tcp::pair::{Factors, Pair};
use crate::tcp::waiting::PIECE_COST;
use crate::tcp::{Connections, Counts, Flags, Limits, Segment};
use crate::tls::Reader;
use crate::{Moment, Timestamp};

#[test]
fn an_unanswered_syn_is_counted_and_no_connection() {
    let (lines, counts) = play(Limits::default(), "> S 99; @1000 > S 99; @2000 > S 99; > S 500");
    assert_eq!((lines.len(), counts), (0, Counts { unanswered: 2, ..Counts::default() }));

    let mut connections = Connections::new(Limits { attempts: 100, ..Limits::default() }, 0, Record::open);
    for number in 0..10_000 {
        connections
            .read(&segment(number, Flags { syn: true, ..Flags::default() }, 0, b""), |_| panic!("nothing ended"));
        assert!(connections.is_empty());
    }
    assert_eq!(connections.attempts.len(), 100);
    assert_eq!(connections.counts().unanswered, 10_000);
    // Of these, one of the last gets its answer; one of the first is known by what follows alone.
    for number in [9_999, 5] {
        connections.read(&segment(number, Flags::default(), 1, b"abc"), |_| panic!("nothing ended"));
    }
    let mut lines = Vec::new();
    let counts = connections.finish(|record| lines.push(record.text()));
    assert_eq!(lines, ["opened by 9999 @9999, >abc @9999; 0/3 0/0", "midway by 5 @5, >abc @5; 0/3 0/0"]);
    assert_eq!((counts.unanswered, counts.connections), (9_999, 2));
}

#[test]
fn who_is_idle_goes_when_there_are_too_many() {
    let mut connections = Connections::new(Limits { connections: 64, ..Limits::default() }, 0, Record::open);
    let mut ended = Vec::new();
    for number in 1..1000 {
        connections.read(&segment(number, Flags::default(), 1, b"x"), |record| ended.push(record.text()));
        // This one is never idle.
        connections.read(&segment(0, Flags::default(), number.into(), b"."), |record| ended.push(record.text()));
        assert!(connections.len() <= 64);
    }
    assert_eq!(ended.len(), 1000 - 64);
    assert!(ended.iter().all(|line| line.contains(">x")), "the busy one stays");
    assert_eq!(connections.counts().evicted, 1000 - 64);

    // Who comes back is no late one, and who is left is handed out in the order of their opening.
    let mut left = Vec::new();
    connections.read(&segment(1, Flags::default(), 2, b"y"), |_| {});
    let counts = connections.finish(|record| left.extend(record.text().split(' ').nth(2).map(str::to_owned)));
    assert_eq!(counts.late, 0);
    let expected = [0].into_iter().chain(938..1000).chain([1]).map(|number| number.to_string());
    assert_eq!(left, expected.collect::<Vec<_>>());
}

#[test]
fn who_is_over_lingers_within_limits() {
    let mut connections = Connections::new(Limits { lingering: 10, departed: 5, ..Limits::default() }, 0, Record::open);
    let mut ended = 0;
    for number in 0..100 {
        connections.read(&segment(number, Flags { rst: true, ..Flags::default() }, 1, b""), |_| ended += 1);
        assert!(connections.len() <= 11);
    }
    assert_eq!(
        (ended, connections.len(), connections.departed.contains(hash(88), Timestamp::default())),
        (89, 11, true)
    );
    assert!(!connections.departed.contains(hash(83), Timestamp::default()), "only five are remembered");
}

#[test]
fn what_waits_is_bounded() {
    let limits = Limits { waiting: 100_000, ..Limits::default() };
    let mut connections = Connections::new(limits, 0, Record::open);
    // A byte, and then nothing but what is behind a hole, in 200 connections.
    for round in 0..20 {
        for number in 0..200 {
            let sequence = if round == 0 { 1 } else { 100 * round };
            connections.read(&segment(number, Flags::default(), sequence, b"abc"), |_| panic!("nothing ended"));
            assert!(connections.waiting_bytes() <= 100_000);
            assert_eq!(connections.waiting_bytes(), connections.connections.iter().map(|(_, it)| it.cost()).sum());
        }
    }
    assert!(connections.waiting_bytes() > 90_000, "and not given up for nothing");
    let before = connections.waiting_bytes();
    connections.read(&segment(199, Flags::default(), 1900, b"abc"), |_| {});
    assert_eq!(connections.waiting_bytes(), before, "what waits already takes no more");
    let mut lines = Vec::new();
    connections.finish(|record| lines.push(record.text()));
    assert_eq!(lines.len(), 200);
    for line in lines {
        assert_eq!((line.matches("abc").count(), line.matches("gap of").count()), (20, 19), "{line}");
    }
}

#[test]
fn what_waits_is_accounted_for() {
    let mut connections = Connections::new(Limits::default(), 0, Record::open);
    let mut waiting = |flags, sequence, payload: &'static [u8]| {
        connections.read(&segment(1, flags, sequence, payload), |_| ());
        connections.waiting_bytes()
    };
    assert_eq!(waiting(Flags::default(), 1, b"a"), 0);
    let one = waiting(Flags::default(), 10, b"jkl");
    assert_eq!(waiting(Flags::default(), 10, b"j"), one, "it is there");
    assert_eq!(waiting(Flags::default(), 10, b"jklm"), one + 1, "it is longer");
    assert_eq!(waiting(Flags::default(), 4, b"def"), one + 1 + PIECE_COST + 3);
    assert_eq!(waiting(Flags::default(), 2, b"bc"), one + 1);
    assert!(waiting(Flags { rst: true, ..Flags::default() }, 20, b"") >= one);
    let time = Timestamp::from_nanoseconds(6_000_000_000);
    let later = Moment { time, ..Moment::default() };
    let elsewhere = Flags { syn: true, ..Flags::default() };
    connections.read(&Segment { at: later, ..segment(2, elsewhere, 1, b"") }, |_| ());
    assert_eq!((connections.len(), connections.waiting_bytes()), (0, 0), "it is over, and lingers no longer");
}

#[test]
fn what_waits_on_one_side_is_bounded() {
    let limits = Limits { waiting_per_side: 1000, patience_bytes: 500, ..Limits::default() };
    for (acknowledgement, expected) in [("< A 300 100", 1000), ("< A 300 5000", 500)] {
        let mut script = format!("> S 99; < SA 299 100; {acknowledgement};");
        let enough = (1..100).find(|packets| {
            script += &format!("> A {} 300 {}; ", 5 * packets + 100, "x".repeat(4));
            let (lines, _) = play(limits, &format!("{script} > A 100 300 begin"));
            !lines[0].contains("begin")
        });
        let cost = PIECE_COST + 4;
        assert_eq!(enough, Some(expected / cost + 1), "{acknowledgement}");
    }
}

#[test]
fn a_connection_takes_little() {
    assert!(size_of::<Connection<()>>() <= 208, "{}", size_of::<Connection<()>>());
    // For a byte more mimalloc takes 1024.
    let size = size_of::<Connection<Reader>>();
    assert!(size <= 896, "{size}");
}

fn segment(number: u16, flags: Flags, sequence: u32, payload: &[u8]) -> Segment<'_> {
    let (source, destination) = addresses(number);
    let at = Moment { packet: number.into(), ..Moment::default() };
    Segment { at, source, destination, sequence, acknowledgement: 0, flags, payload, length: payload.len() }
}

fn addresses(number: u16) -> (SocketAddr, SocketAddr) {
    (([10, 1, 1, 1], number).into(), ([10, 1, 1, 2], 0).into())
}

fn hash(number: u16) -> u64 {
    let (source, destination) = addresses(number);
    Pair::of(source, destination).0.hash(&Factors::new(0))
}
