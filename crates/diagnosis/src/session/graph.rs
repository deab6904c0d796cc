use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::key::Key;
use super::sessions::{Records, Sample};
use super::tie::{Ties, tie};
use super::{Issue, Offer, Record, Session, Sessions, Speech, Verdict};
use crate::evidence::{Ja4, KeyName, Kind};

/// The connections of a capture, and the sessions between them.
#[derive(Debug)]
pub struct Graph {
    connections: Records,
    sessions: Vec<Session>,
    /// Of each session in turn, in order of time; and so are the offers.
    issues: Vec<Issue>,
    offers: Vec<Offer>,
    servers: Vec<SocketAddr>,
    server_names: Vec<Box<str>>,
    ja4s: Vec<Ja4>,
    key_names: Vec<KeyName>,
    without_tls: u64,
    samples: Vec<Sample>,
}

impl Graph {
    pub(super) fn of(collected: Sessions) -> Self {
        let Sessions {
            records: mut connections,
            mut issued,
            servers,
            server_names,
            ja4s,
            key_names,
            without_tls,
            not_kept,
            samples,
            ..
        } = collected;
        let servers = servers.into_values();
        let key_names = key_names.into_values();
        let all = without_tls.len();
        let listed = concerned(&connections, without_tls, &servers);
        let without_tls = not_kept + (all - listed.len()) as u64;
        connections.extend(listed);
        let places = sort(&mut connections);
        issued.iter_mut().for_each(|issued| issued.record = places[issued.record as usize]);
        let Ties { sessions, issues, offers } = tie(&mut connections, issued, &key_names);
        let (server_names, ja4s) = (server_names.into_values(), ja4s.into_values());
        Self { connections, sessions, issues, offers, servers, server_names, ja4s, key_names, without_tls, samples }
    }

    /// The connections, in order of start.
    pub fn connections(&self) -> &[Box<Record>] {
        &self.connections
    }

    /// What is to be said of a connection, by its place among [`Graph::connections`].
    pub fn verdict(&self, connection: usize) -> Verdict<'_> {
        Verdict::of(self, &self.connections[connection])
    }

    /// How many connections without TLS are not among [`Graph::connections`], because nothing speaks for their servers'
    /// speaking it.
    pub fn without_tls(&self) -> u64 {
        self.without_tls
    }

    /// The session that was offered.
    pub fn offered(&self, record: &Record) -> Option<&Session> {
        record.session.map(|session| &self.sessions[session as usize])
    }

    /// The sessions, nearly in order of time; a record's number is a place among these.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// Where a session was issued, in order of time: more than once where one connection was seen on several legs.
    pub fn issues(&self, session: &Session) -> &[Issue] {
        &self.issues[session.issues.start as usize..session.issues.end as usize]
    }

    /// Where a session was offered, in order of time.
    pub fn offers(&self, session: &Session) -> &[Offer] {
        &self.offers[session.offers.start as usize..session.offers.end as usize]
    }

    /// Tickets of each server, one under each of the first few keys: to try whether those can be guessed.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The address of a server.
    pub fn server(&self, record: &Record) -> SocketAddr {
        self.servers[record.server as usize]
    }

    /// The addresses of all servers, by number.
    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// The name of the server that a client asked for.
    pub fn server_name(&self, record: &Record) -> Option<&str> {
        record.server_name.map(|name| &*self.server_names[name as usize])
    }

    /// The fingerprint of the client's ClientHello.
    pub fn ja4(&self, record: &Record) -> Option<Ja4> {
        record.ja4.map(|ja4| self.ja4s[ja4 as usize])
    }

    /// The name of the key that the offered ticket is sealed under.
    pub fn offered_key_name(&self, record: &Record) -> Option<KeyName> {
        record.offered_key_name.map(|name| self.key_names[name as usize])
    }

    /// The name of `key`: where only the beginning is the same in all tickets, that of one of them.
    pub fn key_name(&self, key: Key) -> KeyName {
        self.key_names[key.0 as usize]
    }
}

/// Those of the connections without TLS that are of interest: something else, or nothing, said to who speaks TLS, and nothing
/// said to a port, closed perhaps, of a machine that does. Plain HTTP to who speaks nothing else is not.
fn concerned(records: &[Box<Record>], without_tls: Records, servers: &[SocketAddr]) -> Records {
    let speaks = records.iter().filter(|record| record.version.is_some() || record.kind != Kind::Aborted);
    let speaking = speaks.map(|record| record.server).collect::<BTreeSet<_>>();
    let machines = speaking.iter().map(|server| servers[*server as usize].ip()).collect::<BTreeSet<_>>();
    let foreign = without_tls.iter().filter(|record| record.speech == Speech::Foreign);
    let plain = foreign.map(|record| record.server).collect::<BTreeSet<_>>();
    let concerns = |record: &Record| {
        let is_silent = !plain.contains(&record.server) && machines.contains(&servers[record.server as usize].ip());
        speaking.contains(&record.server) || is_silent
    };
    without_tls.into_iter().filter(|record| concerns(record)).collect()
}

/// Puts records in order of start, and says where each is now.
fn sort(records: &mut Records) -> Vec<u32> {
    let mut order = (0..).zip(records.drain(..)).collect::<Vec<(u32, Box<Record>)>>();
    order.sort_by_key(|(_, record)| record.start);
    let mut places = vec![0; order.len()];
    for (place, (before, record)) in (0..).zip(order) {
        places[before as usize] = place;
        records.push(record);
    }
    places
}
