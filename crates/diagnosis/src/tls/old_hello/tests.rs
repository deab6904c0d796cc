//! A hello of Java 17, and what is made of it.

use super::super::script::{Client, Event, Server, bytes, moment, opening, read, read_with, recorded};
use super::*;
use crate::Sides;
use crate::evidence::{Close, Kind, Offer};
use crate::tls::Reader;

/// What both sides said, in turns.
fn of_java() -> Vec<Event> {
    let (mut said, _) = recorded(include_str!("../../../../../testdata/streams/java17-old-hello-cbc.txt"));
    said.extend([Event::Fin(Server), Event::Fin(Client)]);
    said
}

fn hello_of_java() -> Vec<u8> {
    let Event::Data(Client, hello) = of_java().swap_remove(0) else { panic!("the client speaks first") };
    hello
}

/// A hello that offers these suites, of three bytes each, and this session, with a challenge.
fn made(version: u16, suites: &[[u8; 3]], session_id: &[u8], challenge: &[u8]) -> Vec<u8> {
    let lengths = [3 * suites.len(), session_id.len(), challenge.len()].map(|length| (length as u16).to_be_bytes());
    let body = [&[1][..], &version.to_be_bytes(), &lengths.concat(), &suites.concat(), session_id, challenge].concat();
    [&(0x8000 | body.len() as u16).to_be_bytes()[..], &body].concat()
}

#[test]
fn a_connection_that_begins_with_it_is_read() {
    let seen = read(&of_java());
    let hello = seen.client_hello.as_deref().unwrap();
    assert_eq!((hello.version, hello.at, hello.random[..4].to_vec()), (Version::TLS12, moment(1), bytes("9b2ec567")));
    // Of its 58 suites, five are of SSL 2.0.
    assert_eq!(
        (hello.profile.suites.len(), hello.profile.suites[0], hello.profile.suites.last()),
        (53, 0xc02c, Some(&0x00ff))
    );
    assert!(hello.session_id.is_empty() && hello.ticket.is_none() && !hello.extended_master_secret && !hello.fallback);
    assert!(hello.profile.ja4.as_str().starts_with("t12i530000_"), "{}", hello.profile.ja4);
    assert_eq!((seen.version(), seen.kind(), seen.offer()), (Some(Version::TLS12), Kind::Full, Offer::None));
    assert_eq!((seen.close(Client), seen.close(Server)), (Close::Clean, Close::Clean));
    assert_eq!((seen.missing, seen.foreign), Default::default());
}

#[test]
fn however_it_is_cut_it_is_the_same() {
    let whole = read(&of_java());
    for size in [1, 2, 3, 7, 100, 216, 217, 218] {
        assert_eq!(read_with(Reader::new(opening(true)), &of_java(), size), whole, "in pieces of {size}");
    }
    // All that the client says at once, and behind a PROXY header.
    for before in [&b""[..], b"PROXY TCP4 192.0.2.1 198.51.100.1 51000 443\r\n"] {
        let (mut said, mut answered) = (before.to_vec(), Vec::new());
        for event in of_java() {
            match event {
                Event::Data(Client, bytes) => said.extend(bytes),
                Event::Data(Server, bytes) => answered.extend(bytes),
                _ => {}
            }
        }
        let events = [Event::Data(Client, said), Event::Data(Server, answered)];
        for size in [1, usize::MAX] {
            let seen = read_with(Reader::new(opening(true)), &events, size);
            assert_eq!((seen.kind(), seen.client_hello.is_some(), seen.foreign), (Kind::Full, true, Sides::default()));
        }
    }
}

#[test]
fn a_session_and_a_short_challenge_are_read() {
    let hello = made(0x0301, &[[0, 0, 0x2f], [7, 0, 0xc0], [0, 0x56, 0]], &[4; 16], &[6; 16]);
    let seen = super::client_hello(&hello, moment(1), |said| Arc::new(said.profile())).unwrap();
    assert_eq!(
        (seen.version, seen.session_id.as_bytes(), &*seen.profile.suites),
        (Version::TLS10, &[4; 16][..], &[0x2f, 0x5600][..])
    );
    assert!(seen.fallback);
    assert_eq!((&seen.random[..16], &seen.random[16..]), (&[0; 16][..], &[6; 16][..]));
}

#[test]
fn what_does_not_fit_is_none() {
    let suites = [[0, 0, 0x2f]; 4];
    let sound = made(0x0303, &suites, &[], &[6; 32]);
    assert_eq!(whole(&sound), Some(&sound[..]));
    assert_eq!(whole(&[&sound[..], &[22, 3, 3]].concat()), Some(&sound[..]));
    for length in 0..sound.len() {
        assert!(begins(&sound[..length]) && whole(&sound[..length]).is_none(), "{length}");
    }
    for broken in [
        // SSL 2.0 itself, and versions that are none.
        made(0x0002, &suites, &[], &[6; 32]),
        made(0x0304, &suites, &[], &[6; 32]),
        made(0x0403, &suites, &[], &[6; 32]),
        made(0x0303, &[], &[], &[6; 32]),
        made(0x0303, &[[0; 3]; 300], &[], &[6; 32]),
        made(0x0303, &suites, &[4; 33], &[6; 32]),
        made(0x0303, &suites, &[], &[6; 15]),
        made(0x0303, &suites, &[], &[6; 33]),
    ] {
        assert!(!begins(&broken) && whole(&broken).is_none(), "{broken:?}");
    }
    // Suites of three bytes each, but for the last.
    let mut half = made(0x0303, &suites, &[6; 1], &[6; 31]);
    (half[6], half[8]) = (half[6] + 1, 0);
    assert!(!begins(&half));
    for (at, bit) in [(0, 0x80), (1, 1), (2, 2), (6, 1), (8, 1), (10, 1)] {
        let mut broken = sound.clone();
        broken[at] ^= bit;
        assert!(!begins(&broken) && whole(&broken).is_none(), "{at}");
    }
}

#[test]
fn a_server_does_not_say_it() {
    let seen = read(&[Event::Data(Server, hello_of_java())]);
    assert_eq!(seen.client_hello, None);
}

#[test]
fn one_that_does_not_end_takes_little() {
    use crate::tcp::Conversation;
    let mut hello = made(0x0303, &[[0; 3]; 256], &[], &[6; 32]);
    hello.pop();
    let mut reader = Reader::new(opening(true));
    hello.iter().for_each(|byte| reader.data(Client, moment(1), &[*byte]));
    assert!(reader.memory() < 4 << 10, "{}", reader.memory());
    assert_eq!(reader.connection().client_hello, None);
    reader.data(Client, moment(2), &[6]);
    assert_eq!(reader.connection().client_hello.as_ref().map(|hello| hello.at), Some(moment(2)));
}
