//! Connections of real software, to be copied.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use raincheck_diagnosis::evidence::{CloseNotify, Connection};
use raincheck_diagnosis::{Moment, Side, Sides};

use super::file;
use super::frame::Frame;
use super::read;
use crate::error::Error;

/// A capture of one client, or a few, that comes back to a server: what one connection was given, another one offers. So it
/// is copied as a whole.
pub(super) struct Template {
    pub(super) packets: Vec<Packet>,
    pub(super) connections: u32,
}

#[derive(Clone)]
pub(super) struct Packet {
    /// When it was captured, after the first.
    pub(super) at: Duration,
    pub(super) frame: Frame<Vec<u8>>,
    pub(super) sender: Side,
    /// Where in the frame something is that no other connection, or no other chain of sessions, has.
    pub(super) unique: Vec<Range<usize>>,
    /// Which of the connections it belongs to.
    connection: usize,
    /// Whether its connection begins to end with it, or before it.
    is_end: bool,
}

impl Template {
    /// Of the capture in a file, all of whose connections are whole. Its servers become those of `network`.
    pub(super) fn read(path: &Path, network: u8) -> Result<Self, Error> {
        let unfit = || Error::Template { file: path.to_owned() };
        let bytes = fs::read(path).map_err(Error::system(format!("read {}", path.display())))?;
        let packets = file::packets(&bytes).ok_or_else(unfit)?;
        let connections = read::connections(path)?;
        let tokens = connections.iter().flat_map(tokens).collect::<BTreeSet<_>>();
        let ends = connections.iter().map(|connection| (key(connection), end(connection))).collect::<HashMap<_, _>>();
        let mut known = HashMap::new();
        let mut template = Self { packets: Vec::new(), connections: 0 };
        for (number, (at, bytes)) in (1..).zip(packets) {
            let mut frame = Frame::parse(bytes.to_vec()).ok_or_else(unfit)?;
            let (source, destination) = (frame.source(), frame.destination());
            if frame.is_syn() {
                known.entry((source, destination)).or_insert(template.connections as usize);
                template.connections = known.len() as u32;
            }
            let (sender, client, server) = match known.contains_key(&(source, destination)) {
                true => (Side::Client, source, destination),
                false => (Side::Server, destination, source),
            };
            let connection = *known.get(&(client, server)).ok_or_else(unfit)?;
            let end = ends.get(&(client, server)).ok_or_else(unfit)?;
            let unique = unique(&frame, &tokens);
            let [.., host] = server.ip().octets();
            let address = Ipv4Addr::new(172, 16, network, host);
            match sender {
                Side::Client => frame.set_destination(address),
                Side::Server => frame.set_source(address),
            }
            template.packets.push(Packet { at, frame, sender, unique, connection, is_end: number >= *end });
        }
        Ok(template)
    }

    /// How many bytes a copy of it takes in a file.
    pub(super) fn size(&self) -> u64 {
        self.packets.iter().map(|packet| (file::PACKET_HEADER + packet.frame.bytes.len()) as u64).sum()
    }

    /// The same connections, none of which ever ends.
    pub(super) fn without_ends(mut self) -> Self {
        self.packets.retain(|packet| !packet.is_end);
        self
    }

    /// The same connections, whose servers send so many full records of data more before each begins to end.
    pub(super) fn with_data(mut self, records: usize, random: &mut fastrand::Rng) -> Self {
        for connection in 0..self.connections as usize {
            let is_of = |packet: &Packet| packet.connection == connection;
            let Some(end) = self.packets.iter().position(|packet| is_of(packet) && packet.is_end) else { continue };
            let last = |side| self.packets[..end].iter().rfind(|packet| is_of(packet) && packet.sender == side);
            let (Some(client), Some(server)) = (last(Side::Client), last(Side::Server)) else { continue };
            let begin = self.packets[end].at;
            let (data, length) = data(client, server, begin, records, random);
            let took = data.last().map_or(begin, |packet| packet.at) - begin;
            for packet in self.packets[end..].iter_mut().filter(|packet| is_of(packet)) {
                packet.at += took;
                match packet.sender {
                    Side::Client => packet.frame.move_numbers(0, length),
                    Side::Server => packet.frame.move_numbers(length, 0),
                }
            }
            self.packets.splice(end..end, data);
        }
        self.packets.sort_by_key(|packet| packet.at);
        self
    }
}

/// What `server` sends, and `client` acknowledges: these being the last packets of each. And how many bytes that is.
fn data(
    client: &Packet,
    server: &Packet,
    begin: Duration,
    records: usize,
    random: &mut fastrand::Rng,
) -> (Vec<Packet>, u32) {
    let mut bytes = Vec::new();
    for _ in 0..records {
        let mut body = [0; RECORD as usize];
        random.fill(&mut body);
        bytes.extend([23, 3, 3]);
        bytes.extend(RECORD.to_be_bytes());
        bytes.extend(body);
    }
    let (sequence, acknowledged) = (server.frame.next(), client.frame.next());
    let mut sent = 0u32;
    let mut packets = Vec::new();
    for (number, segment) in (1..).zip(bytes.chunks(SEGMENT)) {
        let at = begin + EVERY * number;
        let frame = server.frame.with(sequence.wrapping_add(sent), acknowledged, segment);
        packets.push(Packet { at, frame, unique: Vec::new(), is_end: false, ..server.clone() });
        sent += segment.len() as u32;
        if number % 2 == 0 {
            let frame = client.frame.with(acknowledged, sequence.wrapping_add(sent), &[]);
            packets.push(Packet { at, frame, unique: Vec::new(), is_end: false, ..client.clone() });
        }
    }
    (packets, sent)
}

fn key(connection: &Connection) -> (SocketAddrV4, SocketAddrV4) {
    match (connection.client, connection.server) {
        (SocketAddr::V4(client), SocketAddr::V4(server)) => (client, server),
        // No frame is looked for that is not of IPv4.
        _ => (NOBODY, NOBODY),
    }
}

/// The number of the first packet with which either side begins to end the connection.
fn end(connection: &Connection) -> u64 {
    let Sides { client, server } = &connection.end;
    let notify = |notify| match notify {
        CloseNotify::Sent(at) | CloseNotify::Likely(at) => Some(at),
        CloseNotify::None => None,
    };
    let ends = [client, server].map(|end| [notify(end.close_notify), end.fin, end.reset]);
    ends.iter().flatten().flatten().map(|at: &Moment| at.packet).min().unwrap_or(u64::MAX)
}

/// What is told apart by its bytes: the client's random, session IDs, and tickets behind the name of their key.
fn tokens(connection: &Connection) -> Vec<Vec<u8>> {
    let hello = connection.client_hello.iter();
    let tickets = hello
        .clone()
        .flat_map(|hello| hello.ticket.iter().chain(hello.psks.iter().map(|psk| &psk.identity)))
        .chain(connection.tickets.iter().map(|ticket| &ticket.ticket))
        .map(|ticket| if ticket.len() > 2 * KEY_NAME { &ticket[KEY_NAME..] } else { ticket });
    let session_ids = hello
        .clone()
        .map(|hello| &hello.session_id)
        .chain(connection.server_hello.iter().map(|hello| &hello.session_id))
        .map(|id| id.as_bytes());
    let randoms = hello.map(|hello| &hello.random[..]);
    tickets.chain(session_ids).chain(randoms).filter(|token| token.len() >= SHORTEST).map(<[u8]>::to_vec).collect()
}

/// Where in the frame the tokens are.
fn unique(frame: &Frame<Vec<u8>>, tokens: &BTreeSet<Vec<u8>>) -> Vec<Range<usize>> {
    let payload = frame.payload();
    let places = |token: &Vec<u8>| {
        let length = token.len();
        let found = payload.windows(length).enumerate().filter(|(_, window)| window == token);
        found.map(|(at, _)| at + frame.payload_at()..at + frame.payload_at() + length).collect::<Vec<_>>()
    };
    tokens.iter().flat_map(places).collect()
}

/// What TCP over Ethernet carries, with timestamps.
const SEGMENT: usize = 1448;
/// A full record of TLS 1.3: 16 KiB, the type of its content, the tag.
const RECORD: u16 = (1 << 14) + 17;
/// How often a segment of data comes: a little more than 1 Gbit/s.
const EVERY: Duration = Duration::from_micros(10);
const KEY_NAME: usize = 16;
/// What is shorter may be anywhere by chance.
const SHORTEST: usize = 16;
const NOBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
