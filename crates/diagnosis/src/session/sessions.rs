use std::net::{IpAddr, SocketAddr};

use super::interned::Interned;
use super::record::{LONGEST_HANDLE, is_handle, offered_session};
use super::{Graph, Offered, Record, Speech};
use crate::Moment;
use crate::digest::digest;
use crate::evidence::{Connection, Ja4, KeyName, Kind, Version};

/// Collects connections as they end.
#[derive(Debug)]
pub struct Sessions {
    seed: u64,
    pub(super) records: Records,
    pub(super) issued: Vec<Issued>,
    pub(super) servers: Interned<SocketAddr>,
    clients: Interned<IpAddr>,
    pub(super) server_names: Interned<Box<str>>,
    pub(super) ja4s: Interned<Ja4>,
    pub(super) key_names: Interned<KeyName>,
    /// Connections on which no TLS was seen, until it is known whether their servers speak it.
    pub(super) without_tls: Records,
    /// How many more there were.
    pub(super) not_kept: u64,
    /// The first ticket under each of the first few keys of each server.
    pub(super) samples: Vec<Sample>,
    /// Under which keys, for each server.
    sampled: Vec<Vec<u32>>,
}

/// Each in a place of its own: more of them need no copy of all, nor does their order, and at the end of a capture each takes the
/// room of the connection it is made of.
pub(super) type Records = Vec<Box<Record>>;

/// A ticket that a server issued, or resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The server.
    pub server: SocketAddr,
    /// The ticket.
    pub ticket: Box<[u8]>,
}

/// A session that was issued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issued {
    pub(super) session: u64,
    pub(super) at: Moment,
    /// Where the record is.
    pub(super) record: u32,
    pub(super) key_name: Option<u32>,
    /// In seconds; 0 where the server did not say.
    pub(super) lifetime: u32,
}

impl Sessions {
    /// No connections yet. `seed` should be random where captures are not to be trusted: it keeps what is in them from being chosen
    /// so that all look-ups are slow.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            records: Records::new(),
            issued: Vec::new(),
            servers: Interned::new(seed),
            clients: Interned::new(seed),
            server_names: Interned::new(seed),
            ja4s: Interned::new(seed),
            key_names: Interned::new(seed),
            without_tls: Records::new(),
            not_kept: 0,
            samples: Vec::new(),
            sampled: Vec::new(),
        }
    }

    /// Takes a connection that is over.
    pub fn add(&mut self, connection: &Connection) {
        let mut record = Box::new(Record::of(connection, self.seed));
        record.server = self.servers.number(&connection.server, || connection.server);
        record.address = self.clients.number(&connection.client.ip(), || connection.client.ip());
        if record.speech != Speech::Tls {
            return self.keep_without_tls(record);
        }
        let hello = connection.client_hello.as_deref();
        let server_name = hello.and_then(|hello| hello.server_name.as_deref());
        record.server_name = server_name.map(|name| self.server_names.number(name, || name.into()));
        record.ja4 = hello.map(|hello| self.ja4s.number(&hello.profile.ja4, || hello.profile.ja4));
        record.offered_key_name = match record.offered {
            Offered::Ticket | Offered::Psk => self.key_name(offered_session(connection)),
            _ => None,
        };
        let resumed = offered_session(connection).filter(|_| record.agreed.is_resumed());
        if let Some((ticket, key_name)) = resumed.zip(record.offered_key_name) {
            self.sample(connection.server, record.server, ticket, key_name);
        }
        self.issue(connection, record.server);
        self.records.push(record);
    }

    /// Ties the sessions together: the capture is at its end.
    pub fn into_graph(self) -> Graph {
        Graph::of(self)
    }

    fn issue(&mut self, connection: &Connection, server: u32) {
        let record = u32::try_from(self.records.len()).expect("no capture has as many connections");
        for ticket in &connection.tickets {
            let key_name = if is_handle(&ticket.ticket) { None } else { self.key_name(Some(&ticket.ticket)) };
            let lifetime = ticket.lifetime.as_secs().try_into().unwrap_or(u32::MAX);
            if let Some(key_name) = key_name {
                self.sample(connection.server, server, &ticket.ticket, key_name);
            }
            let session = digest(self.seed, &*ticket.ticket);
            self.issued.push(Issued { session, at: ticket.at, record, key_name, lifetime });
        }
        // Who resumes a ticket under a session ID gives the session that name (RFC 5077 §3.4); clients may offer it alone.
        let Some(hello) = &connection.server_hello else { return };
        let names = matches!(connection.agreed(), Kind::Full | Kind::ResumedTicket);
        if names && hello.version < Version::TLS13 && !hello.session_id.is_empty() {
            let session = digest(self.seed, hello.session_id.as_bytes());
            self.issued.push(Issued { session, at: hello.at, record, key_name: None, lifetime: 0 });
        }
    }

    fn key_name(&mut self, ticket: Option<&[u8]>) -> Option<u32> {
        let name = KeyName::of(ticket?)?;
        Some(self.key_names.number(&name, || name))
    }

    fn sample(&mut self, server: SocketAddr, number: u32, ticket: &[u8], key_name: u32) {
        let servers = self.sampled.len().max(number as usize + 1);
        self.sampled.resize_with(servers, Vec::new);
        let sampled = &mut self.sampled[number as usize];
        let has_room = sampled.len() < MAX_SAMPLES_OF_A_SERVER && self.samples.len() < MAX_SAMPLES;
        if has_room && !sampled.contains(&key_name) && (LONGEST_HANDLE..=LONGEST_SAMPLE).contains(&ticket.len()) {
            sampled.push(key_name);
            self.samples.push(Sample { server, ticket: ticket.into() });
        }
    }

    fn keep_without_tls(&mut self, record: Box<Record>) {
        if self.without_tls.len() < MAX_WITHOUT_TLS {
            self.without_tls.push(record);
        } else {
            self.not_kept += 1;
        }
    }
}

// They are of interest one by one only where they are few.
const MAX_WITHOUT_TLS: usize = 10_000;
// 4 MB at most.
const MAX_SAMPLES: usize = 1024;
const MAX_SAMPLES_OF_A_SERVER: usize = 4;
const LONGEST_SAMPLE: usize = 4096;
