use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::listener::{Listener, Timelines};
use super::refusal::{Refusal, refusals};
use crate::evidence::Version;
use crate::session::{Graph, Offered, Record, Session};
use crate::{Moment, Timestamp};

/// A capture, with what several rules want to know of it.
pub(super) struct Case<'a> {
    pub(super) graph: &'a Graph,
    /// Each client's connections to a name, in order of start.
    visits: BTreeMap<Client, Vec<usize>>,
    /// The connections to each server of which something is missing, by when they were first and last seen.
    partial: BTreeMap<u32, Vec<(Moment, Moment)>>,
    /// The sessions that each connection was seen to issue.
    issued: BTreeMap<usize, Vec<usize>>,
    /// Where each session of TLS 1.3 must have come from that nobody was seen to issue, by its place in the graph.
    inferred: BTreeMap<usize, usize>,
    pub(super) timelines: Timelines,
    /// The offers that were refused, each with the reason.
    pub(super) refusals: Vec<Refusal>,
}

/// A client, as far as an address and the name it asks for tell one from another.
type Client = (IpAddr, Option<u32>);

/// The connection that a session came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) connection: usize,
    pub(super) at: Moment,
    pub(super) lifetime: Option<Duration>,
    /// Whether it was seen to be issued there.
    pub(super) is_seen: bool,
}

impl<'a> Case<'a> {
    pub(super) fn of(graph: &'a Graph) -> Self {
        let mut visits = BTreeMap::<Client, Vec<usize>>::new();
        for (place, record) in graph.connections().iter().enumerate().filter(|(_, record)| record.hello.is_some()) {
            visits.entry((record.client.ip(), record.server_name)).or_default().push(place);
        }
        let mut case = Self {
            graph,
            visits,
            partial: BTreeMap::new(),
            issued: issued(graph),
            inferred: BTreeMap::new(),
            timelines: Timelines::default(),
            refusals: Vec::new(),
        };
        for record in graph.connections().iter().filter(|record| record.is_partial()) {
            case.partial.entry(record.server).or_default().push((record.start, record.last));
        }
        case.inferred = case.infer_origins();
        case.timelines = Timelines::of(&case);
        case.refusals = refusals(&case);
        case
    }

    pub(super) fn record(&self, connection: usize) -> &'a Record {
        &self.graph.connections()[connection]
    }

    pub(super) fn records(&self) -> impl Iterator<Item = (usize, &'a Record)> {
        self.graph.connections().iter().enumerate()
    }

    /// The connections of each client to each server, in order of start, from its address, whatever name it asks for.
    pub(super) fn pairs(&self) -> BTreeMap<(IpAddr, u32), Vec<usize>> {
        let mut pairs = BTreeMap::<_, Vec<usize>>::new();
        for (place, record) in self.records().filter(|(_, record)| record.hello.is_some()) {
            pairs.entry((record.client.ip(), record.server)).or_default().push(place);
        }
        pairs
    }

    pub(super) fn listener(&self, connection: usize) -> Listener {
        Listener::of(self.record(connection))
    }

    /// Where the session came from that a connection offers: of several that issued it, the same server before others.
    pub(super) fn origin(&self, session: usize, offering: usize) -> Option<Origin> {
        let (server, hello) = (self.record(offering).server, self.record(offering).hello?);
        let issues = self.graph.issues(&self.graph.sessions()[session]).iter().filter(|issue| issue.at <= hello);
        let issues = issues.map(|issue| Origin {
            connection: issue.connection,
            at: issue.at,
            lifetime: issue.lifetime,
            is_seen: true,
        });
        issues.max_by_key(|origin| (self.record(origin.connection).server == server, origin.at)).or_else(|| {
            let connection = *self.inferred.get(&session)?;
            let at = self.record(connection).established?;
            Some(Origin { connection, at, lifetime: None, is_seen: false })
        })
    }

    /// The connections that issued a session, with when: several where one connection was seen on several legs.
    pub(super) fn origins(&self, session: usize) -> Vec<(usize, Moment)> {
        let issues = self.graph.issues(&self.graph.sessions()[session]).iter();
        let mut origins = issues.map(|issue| (issue.connection, issue.at)).collect::<Vec<_>>();
        if origins.is_empty() {
            let inferred = self.inferred.get(&session).copied();
            origins.extend(inferred.and_then(|connection| Some((connection, self.record(connection).established?))));
        }
        origins
    }

    /// The sessions that a connection was seen to issue.
    pub(super) fn issued_on(&self, connection: usize) -> &[usize] {
        self.issued.get(&connection).map_or(&[], Vec::as_slice)
    }

    /// The connections that offered a session, in order of time.
    pub(super) fn offers<'b>(&'b self, session: &Session) -> impl DoubleEndedIterator<Item = usize> + use<'b> {
        self.graph.offers(session).iter().map(|offer| offer.connection)
    }

    /// Those of them that did before `at`, the last one first.
    pub(super) fn offers_before<'b>(&'b self, session: &Session, at: Moment) -> impl Iterator<Item = usize> + use<'b> {
        let offers = self.graph.offers(session);
        let end = offers.partition_point(|offer| offer.at < at);
        offers[..end].iter().rev().map(|offer| offer.connection)
    }

    /// Whether the capture lacks some of what was said to a server in that time: sessions may have been used and ended there
    /// unseen.
    pub(super) fn is_partial(&self, server: u32, from: Moment, until: Moment) -> bool {
        let partial = self.partial.get(&server).map_or(&[][..], Vec::as_slice);
        let begun = partial.partition_point(|(start, _)| *start < until);
        partial[..begun].iter().rev().take(FURTHEST_VISIT).any(|(_, last)| *last > from)
    }

    /// When the capture begins.
    pub(super) fn first(&self) -> Timestamp {
        self.graph.connections().first().map(|record| record.start.time).unwrap_or_default()
    }

    /// TLS 1.3 hides who issued a ticket. It came, as a rule, on the last connection that the client had finished before.
    fn infer_origins(&self) -> BTreeMap<usize, usize> {
        let mut inferred = BTreeMap::new();
        for visits in self.visits.values() {
            let roams = self.roams(visits);
            for (index, visit) in visits.iter().enumerate() {
                let record = self.record(*visit);
                let Some(session) = self.unexplained(record).filter(|session| !inferred.contains_key(session)) else {
                    continue;
                };
                let before = visits[..index].iter().rev().copied();
                let origin = before.take(FURTHEST_VISIT).find(|earlier| {
                    let earlier = self.record(*earlier);
                    earlier.version >= Some(Version::TLS13)
                        && earlier.established.is_some_and(|at| Some(at) < record.hello)
                        && !earlier.given.is_withheld()
                        && (roams || earlier.server == record.server)
                });
                inferred.extend(origin.map(|origin| (session, origin)));
            }
        }
        inferred
    }

    /// The session that a connection offers in TLS 1.3 and nobody was seen to issue.
    fn unexplained(&self, record: &Record) -> Option<usize> {
        let session = record.session().filter(|_| record.offered == Offered::Psk && !record.offers_external_key())?;
        self.graph.issues(&self.graph.sessions()[session]).is_empty().then_some(session)
    }

    /// Whether a client takes its sessions from one server to another: it began without any, and had one for a server that
    /// it had never been to.
    fn roams(&self, visits: &[usize]) -> bool {
        let Some((first, later)) = visits.split_first() else { return false };
        let first = self.record(*first);
        let mut known = vec![first.server];
        let is_cold = matches!(first.offered, Offered::None);
        is_cold
            && first.server_name.is_some()
            && later.iter().map(|visit| self.record(*visit)).any(|record| {
                let is_new = !known.contains(&record.server);
                if is_new {
                    known.push(record.server);
                }
                is_new && record.offered == Offered::Psk && !record.offers_external_key()
            })
    }
}

fn issued(graph: &Graph) -> BTreeMap<usize, Vec<usize>> {
    let mut issued = BTreeMap::<_, Vec<usize>>::new();
    for (place, session) in graph.sessions().iter().enumerate() {
        for issue in graph.issues(session) {
            issued.entry(issue.connection).or_default().push(place);
        }
    }
    issued
}

// Of a client with many connections at once, how many are looked at for the one that a ticket came from.
const FURTHEST_VISIT: usize = 64;
