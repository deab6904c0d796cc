//! What OpenSSL and Java say under CBC suites, opened with their key logs.

use super::super::script::{Client, Event, Server, opening, read, read_with, recorded};
use super::*;
use crate::Sides;
use crate::evidence::{CloseNotify, Connection, Description};
use crate::tls::{KeyLog, Reader};

const TLS10: &str = include_str!("../../../../../testdata/streams/openssl-tls10-aes128-sha.txt");
const TLS10_ETM: &str = include_str!("../../../../../testdata/streams/openssl-tls10-aes128-sha-etm.txt");
const TLS11: &str = include_str!("../../../../../testdata/streams/openssl-tls11-aes256-sha.txt");
const TLS12: &str = include_str!("../../../../../testdata/streams/openssl-tls12-aes128-sha256.txt");
const TLS12_ETM: &str = include_str!("../../../../../testdata/streams/openssl-tls12-aes256-sha384-etm.txt");
const JAVA: &str = include_str!("../../../../../testdata/streams/java17-old-hello-cbc.txt");
const OPENSSL: [(&str, &str); 5] =
    [("1.0", TLS10), ("1.0 etm", TLS10_ETM), ("1.1", TLS11), ("1.2", TLS12), ("1.2 etm", TLS12_ETM)];

fn opened(events: &[Event], log: &KeyLog, size: usize) -> Connection {
    read_with(Reader::with_key_log(opening(true), log.clone()), events, size)
}

/// Whether close_notify of each side was read, and how many records of each did not open.
fn ends(seen: &Connection) -> [(bool, u32); 2] {
    [Client, Server].map(|side| (matches!(seen.end[side].close_notify, CloseNotify::Sent(_)), seen.unopened[side]))
}

const READ: (bool, u32) = (true, 0);
const REFUSED: (bool, u32) = (false, 1);

#[test]
fn alerts_are_read() {
    for (name, stream) in OPENSSL {
        let (events, log) = recorded(stream);
        let seen = opened(&events, &log, usize::MAX);
        assert_eq!((ends(&seen), seen.alerts.len()), ([READ; 2], 0), "{name}");
        let without = read(&events);
        assert_eq!(ends(&without), [(false, 0); 2], "{name}: without its secrets nothing is read");
        assert_eq!(seen.application, without.application, "{name}");
    }
}

#[test]
fn a_refusal_to_renegotiate_is_read() {
    let (events, log) = recorded(JAVA);
    let seen = opened(&events, &log, usize::MAX);
    assert_eq!(seen.read_alerts().collect::<Vec<_>>(), [(Server, Description(100))]);
    assert_eq!(seen.unopened, Default::default());
}

#[test]
fn however_records_are_cut_they_open() {
    for (name, stream) in OPENSSL {
        let (events, log) = recorded(stream);
        for size in [1, 7, 16, 37, 100] {
            assert_eq!(opened(&events, &log, size), opened(&events, &log, usize::MAX), "{name} in pieces of {size}");
        }
    }
}

/// What was said, a record each, and the secrets.
fn records(stream: &str) -> (Vec<Event>, KeyLog) {
    let (events, log) = recorded(stream);
    let mut left = Sides::<Vec<u8>>::default();
    let mut records = Vec::new();
    for event in events {
        let Event::Data(side, bytes) = event else { continue };
        let left = &mut left[side];
        left.extend(bytes);
        while let Some((header, _)) = left.split_first_chunk() {
            let length = Header::LENGTH + usize::from(Header::parse(*header).unwrap().length);
            if left.len() < length {
                break;
            }
            records.push(Event::Data(side, left.drain(..length).collect()));
        }
    }
    (records, log)
}

/// Where the `n`th record of the server from the end is: the last is its alert.
fn from_the_end(records: &[Event], n: usize) -> usize {
    let servers = records.iter().enumerate().rev().filter(|(_, record)| record.side() == Server);
    servers.map(|(at, _)| at).nth(n).unwrap()
}

fn body(record: &mut Event) -> &mut Vec<u8> {
    let Event::Data(_, bytes) = record else { panic!("a record") };
    bytes
}

#[test]
fn a_record_with_any_bit_changed_does_not_open() {
    for (name, stream) in OPENSSL {
        let (mut events, log) = records(stream);
        let alert = from_the_end(&events, 0);
        let length = body(&mut events[alert]).len();
        for at in Header::LENGTH..length {
            let mut broken = events.clone();
            body(&mut broken[alert])[at] ^= 1 << (at % 8);
            assert_eq!(ends(&opened(&broken, &log, usize::MAX)), [READ, REFUSED], "{name}: byte {at} of {length}");
        }
    }
}

#[test]
fn of_an_alert_that_was_captured_in_part_nothing_is_read() {
    for (name, stream) in OPENSSL {
        let (mut events, log) = records(stream);
        let alert = from_the_end(&events, 0);
        let rest = body(&mut events[alert]).split_off(Header::LENGTH + 2);
        events.insert(alert + 1, Event::Gap(Server, rest.len() as u64));
        let seen = opened(&events, &log, usize::MAX);
        assert_eq!(ends(&seen), [READ, (false, 0)], "{name}: it is as long as an alert in clear, and is none");
        assert_eq!(seen.read_alerts().count(), 0, "{name}");
    }
}

#[test]
fn another_secret_opens_nothing() {
    for (name, stream) in OPENSSL {
        let (events, _) = recorded(stream);
        let line = stream.lines().find_map(|line| line.strip_prefix("K ")).unwrap();
        let (rest, digit) = line.split_at(line.len() - 1);
        let log = KeyLog::recorded();
        log.read(format!("{rest}{}\n", if digit == "0" { "1" } else { "0" }).as_bytes());
        assert_eq!(ends(&opened(&events, &log, usize::MAX)), [REFUSED; 2], "{name}");
    }
}

#[test]
fn behind_a_gap_a_record_opens_if_it_is_known_what_it_is_chained_to() {
    for (name, stream) in OPENSSL {
        // Of the answer, the last bytes are missing, or others.
        for last in [true, false] {
            let (mut events, log) = records(stream);
            let answer = from_the_end(&events, 1);
            let rest = if last { Vec::new() } else { body(&mut events[answer]).split_off(600) };
            let length = body(&mut events[answer]).len();
            body(&mut events[answer]).truncate(500);
            let gap = Event::Gap(Server, (length - 500) as u64);
            events.splice(answer + 1..answer + 1, [gap, Event::Data(Server, rest)]);
            let seen = opened(&events, &log, usize::MAX);
            assert!(seen.missing.server, "{name}");
            // That it could not be tried is nobody's fault.
            let server = if last && name.starts_with("1.0") { (false, 0) } else { READ };
            assert_eq!(ends(&seen), [READ, server], "{name}");
        }
    }
}

#[test]
fn without_its_finished_the_first_record_opens_if_it_is_known_what_it_is_chained_to() {
    for (name, stream) in OPENSSL {
        let (mut events, log) = records(stream);
        let place = |events: &[Event], kind| {
            let is = |event: &Event| matches!(event, Event::Data(Server, bytes) if bytes[0] == kind);
            events.iter().position(is).unwrap()
        };
        let finished = place(&events, 20) + 1;
        let alert = from_the_end(&events, 0);
        // All between ChangeCipherSpec and the alert is missing.
        let missing = events[finished..alert].iter().filter(|event| event.side() == Server);
        let length = missing.map(|event| body(&mut event.clone()).len()).sum::<usize>();
        let mut at = 0;
        events.retain(|event| {
            at += 1;
            event.side() == Client || at <= finished || at > alert
        });
        events.insert(finished, Event::Gap(Server, length as u64));
        let server = if name.starts_with("1.0") { (false, 0) } else { READ };
        assert_eq!(ends(&opened(&events, &log, usize::MAX)), [READ, server], "{name}");
    }
}

#[test]
fn padding_is_bytes_that_all_say_how_many_there_are_beside_the_last() {
    let cases: [(&[u8], Option<usize>); 8] = [
        (&[7, 0], Some(1)),
        (&[7, 1, 1], Some(1)),
        (&[2, 2, 2], Some(0)),
        (&[0], Some(0)),
        (&[], None),
        (&[3, 3, 3], None),
        (&[7, 1, 2, 2], None),
        (&[7, 7, 3, 2, 2], None),
    ];
    for (plain, length) in cases {
        assert_eq!(unpadded(plain), length, "{plain:?}");
    }
}

#[test]
fn suites_are_read_in_the_versions_that_have_them() {
    for (suite, version, is_read) in [
        (0x002f, Version::TLS10, true),
        (0x002f, Version::SSL3, false),
        (0xc028, Version::TLS12, true),
        (0xc028, Version::TLS11, false),
        (0x000a, Version::TLS12, false),
        (0x1301, Version::TLS12, false),
    ] {
        assert_eq!(Suite::of(suite, version).is_some(), is_read, "{suite:04x} in {version}");
    }
}
