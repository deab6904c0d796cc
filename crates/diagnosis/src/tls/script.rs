//! Connections made by hand, for tests: what each side sends, in records and messages of the right form.

use std::net::{Ipv4Addr, SocketAddr};

use super::{KeyLog, Reader};
use crate::evidence::Connection;
use crate::tcp::{Conversation, Opening};
use crate::{Moment, Side, Timestamp};

/// What happens on a connection.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Data(Side, Vec<u8>),
    Gap(Side, u64),
    Fin(Side),
    Reset(Side),
}

impl Event {
    /// Whose doing it is.
    pub(super) fn side(&self) -> Side {
        match self {
            Self::Data(side, _) | Self::Gap(side, _) | Self::Fin(side) | Self::Reset(side) => *side,
        }
    }
}

pub(super) use Side::{Client, Server};

pub(super) fn send(side: Side, records: &[&[u8]]) -> Event {
    Event::Data(side, records.concat())
}

/// How the addresses of both sides are known.
pub(super) fn opening(from_the_start: bool) -> Opening {
    let address = |host, port| SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), port));
    Opening { client: address(2, 50_000), server: address(1, 443), at: moment(0), from_the_start }
}

/// The `n`th event's time.
pub(super) fn moment(n: usize) -> Moment {
    Moment { time: Timestamp::from_nanoseconds(n as u64 * 1000), packet: n as u64 }
}

/// Reads a connection of which everything was seen, each event in one piece.
pub(super) fn read(events: &[Event]) -> Connection {
    read_with(Reader::new(opening(true)), events, usize::MAX)
}

/// Reads a connection that was joined in its middle.
pub(super) fn join(events: &[Event]) -> Connection {
    read_with(Reader::new(opening(false)), events, usize::MAX)
}

/// Reads a connection in pieces of `size` bytes.
pub(super) fn read_with(mut reader: Reader, events: &[Event], size: usize) -> Connection {
    feed(&mut reader, events, |_, bytes| bytes.len().min(size));
    reader.into_connection()
}

/// Has `reader` read `events` in pieces whose sizes `cut` chooses, from what is left.
pub(super) fn feed(reader: &mut Reader, events: &[Event], mut cut: impl FnMut(usize, &[u8]) -> usize) {
    for (n, event) in events.iter().enumerate() {
        let at = moment(n + 1);
        match event {
            Event::Data(side, bytes) => {
                let mut bytes = &bytes[..];
                while !bytes.is_empty() {
                    let (piece, rest) = bytes.split_at(cut(n, bytes).clamp(1, bytes.len()));
                    reader.data(*side, at, piece);
                    bytes = rest;
                }
            }
            Event::Gap(side, length) => reader.gap(*side, at, *length),
            Event::Fin(side) => reader.fin(*side, at),
            Event::Reset(side) => reader.reset(*side, at),
        }
    }
}

/// What both sides said of a connection in `testdata/streams/`, in turns, and its secrets.
pub(super) fn recorded(stream: &str) -> (Vec<Event>, KeyLog) {
    let log = KeyLog::recorded();
    let said = stream.lines().filter_map(|line| match line.split_once(' ')? {
        ("C", digits) => Some(Event::Data(Client, bytes(digits))),
        ("S", digits) => Some(Event::Data(Server, bytes(digits))),
        (_, line) => {
            log.read(line.as_bytes());
            None
        }
    });
    (said.collect(), log)
}

pub(super) fn bytes(digits: &str) -> Vec<u8> {
    digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A record: type 1 | version 2 | length 2 | body.
pub(super) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    record_of(0x0303, kind, body)
}

pub(super) fn record_of(version: u16, kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    [&[kind][..], &version.to_be_bytes(), &length.to_be_bytes(), body].concat()
}

/// Handshake messages in one record.
pub(super) fn handshake(messages: &[&[u8]]) -> Vec<u8> {
    record(22, &messages.concat())
}

/// A message: type 1 | length 3 | body.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, a, b, c][..], body].concat()
}

pub(super) fn change_cipher_spec() -> Vec<u8> {
    record(20, &[1])
}

pub(super) fn alert(level: u8, description: u8) -> Vec<u8> {
    record(21, &[level, description])
}

/// An encrypted record. Like AES-GCM's in TLS 1.2 it begins with a number that looks like a message's header.
pub(super) fn sealed(kind: u8, length: usize) -> Vec<u8> {
    let mut body = vec![0xa7; length];
    body[..8.min(length)].fill(0);
    record(kind, &body)
}

pub(super) fn sealed_finished() -> Vec<u8> {
    sealed(22, 40)
}

pub(super) fn sealed_alert() -> Vec<u8> {
    sealed(21, 26)
}

pub(super) fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(body)].concat()
}

pub(super) fn vec8(body: &[u8]) -> Vec<u8> {
    [&[u8::try_from(body.len()).unwrap()][..], body].concat()
}

pub(super) fn vec16(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}

/// A ClientHello for `shop.example` with these extensions besides.
pub(super) fn client_hello(session_id: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    client_hello_of(0x0303, session_id, extensions)
}

pub(super) fn client_hello_of(version: u16, session_id: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let name = extension(0, &vec16(&[&[0][..], &vec16(b"Shop.example")].concat()));
    let body = [
        &version.to_be_bytes()[..],
        &[7; 32],
        &vec8(session_id),
        &vec16(&[0x13, 0x01, 0xc0, 0x2f, 0x00, 0xff]),
        &vec8(&[0]),
        &vec16(&[name, extensions.concat()].concat()),
    ];
    message(1, &body.concat())
}

/// A ClientHello of TLS 1.3.
pub(super) fn client_hello13(extensions: &[Vec<u8>]) -> Vec<u8> {
    let versions = extension(43, &vec8(&[0x3a, 0x3a, 3, 4, 3, 3]));
    client_hello(&[9; 32], &[&[versions], extensions].concat())
}

pub(super) fn server_hello(session_id: &[u8], suite: u16, extensions: &[Vec<u8>]) -> Vec<u8> {
    server_hello_of(0x0303, [8; 32], session_id, suite, extensions)
}

pub(super) fn server_hello_of(
    version: u16,
    random: [u8; 32],
    session_id: &[u8],
    suite: u16,
    extensions: &[Vec<u8>],
) -> Vec<u8> {
    let body = [
        &version.to_be_bytes()[..],
        &random,
        &vec8(session_id),
        &suite.to_be_bytes(),
        &[0],
        &vec16(&extensions.concat()),
    ];
    message(2, &body.concat())
}

pub(super) fn server_hello13(suite: u16, extensions: &[Vec<u8>]) -> Vec<u8> {
    server_hello(&[9; 32], suite, &[&[extension(43, &[3, 4])], extensions].concat())
}

/// A NewSessionTicket of TLS 1.2.
pub(super) fn new_ticket(lifetime: u32, ticket: &[u8]) -> Vec<u8> {
    message(4, &[&lifetime.to_be_bytes()[..], &vec16(ticket)].concat())
}

/// The pre_shared_key extension with these identities.
pub(super) fn psks(identities: &[(&[u8], u32)]) -> Vec<u8> {
    let list = identities.iter().flat_map(|(identity, age)| [vec16(identity), age.to_be_bytes().to_vec()].concat());
    let binders = identities.iter().flat_map(|_| vec8(&[5; 32]));
    extension(41, &[vec16(&list.collect::<Vec<_>>()), vec16(&binders.collect::<Vec<_>>())].concat())
}
