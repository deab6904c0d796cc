use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;

use super::key::{Key, keys};
use super::sessions::{Issued, Records, Sample};
use super::{Issue, Offer, Offered, Record, Session, Sessions, Speech, Verdict};
use crate::Moment;
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
        let keys = keys(&key_names, distinct_tickets(&connections, &issued));
        let (sessions, issues, offers) = tie(&mut connections, &issued, &keys);
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

    /// The sessions, in no order; a record's number is a place among these.
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

/// The key names of all tickets, each ticket once.
fn distinct_tickets<'a>(records: &'a [Box<Record>], issued: &'a [Issued]) -> impl Iterator<Item = u32> + 'a {
    let offered = records.iter().filter(|record| !record.offers_handle());
    let offered = offered.filter_map(|record| Some((record.session?, record.offered_key_name?)));
    let issued = issued.iter().filter_map(|issued| Some((issued.session, issued.key_name?)));
    let distinct = issued.chain(offered).collect::<BTreeMap<_, _>>();
    distinct.into_values()
}

/// Ties connections together by what they issued and offered, and decides which session IDs were offers.
fn tie(records: &mut [Box<Record>], issued: &[Issued], keys: &[Key]) -> (Vec<Session>, Vec<Issue>, Vec<Offer>) {
    let issues = (0..).zip(issued).map(|(place, issued)| Tied {
        session: issued.session,
        key_name: issued.key_name,
        at: issued.at,
        event: Event::Issue(place),
    });
    let offers = (0..).zip(records.iter()).filter_map(|(connection, record)| {
        let (session, at) = record.session.zip(record.hello)?;
        let key_name = record.offered_key_name.filter(|_| !record.offers_handle());
        Some(Tied { session, key_name, at, event: Event::Offer(connection) })
    });
    // There may be millions of them: they have room at once, and are put in order where they are.
    let mut all = Vec::with_capacity(issued.len() + records.len());
    all.extend(issues.chain(offers));
    all.sort_unstable_by_key(|tied| (tied.session, tied.at, tied.event));

    let (mut sessions, mut issues, mut offers) = (Vec::new(), Vec::new(), Vec::new());
    for history in all.chunk_by(|one, other| one.session == other.session) {
        let key = history.iter().find_map(|tied| tied.key_name).map(|name| keys[name as usize]);
        let (number, first_issue, first_offer) = (sessions.len() as u64, issues.len(), offers.len());
        let mut is_known = false;
        for tied in history {
            match tied.event {
                Event::Issue(place) => {
                    let Issued { at, record, lifetime, .. } = issued[place as usize];
                    is_known = true;
                    issues.push(Issue { at, connection: record as usize, lifetime });
                }
                Event::Offer(connection) => {
                    let connection = connection as usize;
                    let record = &mut records[connection];
                    is_known |= record.agreed == Kind::ResumedSessionId;
                    if record.offered == Offered::SessionId && !is_known {
                        record.offered = Offered::None;
                        record.session = None;
                        continue;
                    }
                    record.session = Some(number);
                    offers.push(Offer { at: tied.at, connection });
                }
            }
        }
        let (issues, offers) = (range(first_issue, issues.len()), range(first_offer, offers.len()));
        if !issues.is_empty() || !offers.is_empty() {
            sessions.push(Session { key, issues, offers });
        }
    }
    (sessions, issues, offers)
}

/// Something that happened to a session, by its digest.
struct Tied {
    session: u64,
    key_name: Option<u32>,
    at: Moment,
    event: Event,
}

/// Where it is among what was issued, or which connection it is: of one moment, issues come first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Issue(u32),
    Offer(u32),
}

fn range(start: usize, end: usize) -> Range<u32> {
    let narrow = |place: usize| u32::try_from(place).expect("no capture has as many sessions");
    narrow(start)..narrow(end)
}
