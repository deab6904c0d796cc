use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::groups::Groups;
use super::listener::{Listener, Timelines};
use super::refusal::{Refusal, refusals};
use super::unclean_close::{Tally, tallies};
use crate::buckets::Buckets;
use crate::evidence::Version;
use crate::session::{Graph, Issue, Offered, Record, Session};
use crate::{Moment, Timestamp};

/// A capture, with what several rules want to know of it.
pub(super) struct Case<'a> {
    pub(super) graph: &'a Graph,
    /// Each client's connections to a name, in order of start.
    visits: Groups,
    /// Each client's connections to a server, whatever name it asks for.
    pairs: Groups,
    /// The connections to each server of which something is missing, by when they were first and last seen.
    partial: BTreeMap<u32, Vec<(Moment, Moment)>>,
    /// The sessions that each connection was seen to issue.
    issued: Buckets<u32>,
    /// The connections that were seen on several legs, by the client's random bytes.
    legs: BTreeMap<u64, Vec<usize>>,
    /// Where each session of TLS 1.3 must have come from that nobody was seen to issue, by its place in the graph.
    inferred: Vec<Option<u32>>,
    pub(super) timelines: Timelines,
    /// What was offered to each server, by its number.
    offers: Vec<Offers>,
    /// What became of the sessions that each server was to keep.
    pub(super) tallies: BTreeMap<u32, Tally>,
    /// The offers that were refused, each with the reason.
    pub(super) refusals: Vec<Refusal>,
}

/// How many sessions were offered to a server, and how many it resumed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offers {
    /// All of them.
    pub(super) all: usize,
    /// Tickets, TLS 1.3's of sessions that the server keeps among them.
    pub(super) tickets: usize,
    pub(super) resumed_tickets: usize,
    /// Of sessions that the server keeps, by ID or by ticket.
    pub(super) resumed_kept: usize,
}

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
        let groups = |other: fn(&Record) -> u32| {
            let hellos = graph.connections().iter().enumerate().filter(|(_, record)| record.hello.is_some());
            Groups::of(&hellos.map(|(place, record)| ((record.address, other(record)), place)).collect::<Vec<_>>())
        };
        let mut case = Self {
            graph,
            visits: groups(|record| record.server_name.map_or(0, |name| name + 1)),
            pairs: groups(|record| record.server),
            partial: BTreeMap::new(),
            issued: issued(graph),
            legs: legs(graph),
            inferred: Vec::new(),
            timelines: Timelines::default(),
            offers: offers(graph),
            tallies: BTreeMap::new(),
            refusals: Vec::new(),
        };
        for record in graph.connections().iter().filter(|record| record.is_partial()) {
            case.partial.entry(record.server).or_default().push((record.start, record.last));
        }
        case.inferred = case.infer_origins();
        case.timelines = Timelines::of(&case);
        case.tallies = tallies(&case);
        case.refusals = refusals(&case);
        case
    }

    pub(super) fn record(&self, connection: usize) -> &'a Record {
        &self.graph.connections()[connection]
    }

    pub(super) fn records(&self) -> impl Iterator<Item = (usize, &'a Record)> {
        self.graph.connections().iter().map(|record| &**record).enumerate()
    }

    /// The connections of each client, by its address, to each server, in order of start.
    pub(super) fn pairs(&self) -> impl Iterator<Item = ((IpAddr, u32), &[usize])> {
        self.pairs.iter().map(|((_, server), visits)| ((self.record(visits[0]).client.ip(), server), visits))
    }

    /// A value for each server, by number.
    pub(super) fn for_servers<T: Default>(&self) -> Vec<T> {
        self.graph.servers().iter().map(|_| T::default()).collect()
    }

    /// The same values with the servers' addresses.
    pub(super) fn by_address<T>(&self, of_servers: Vec<T>) -> impl Iterator<Item = (SocketAddr, T)> {
        self.graph.servers().iter().copied().zip(of_servers)
    }

    /// What was offered to a server.
    pub(super) fn offered_to(&self, server: u32) -> Offers {
        self.offers.get(server as usize).copied().unwrap_or_default()
    }

    pub(super) fn listener(&self, connection: usize) -> Listener {
        Listener::of(self.record(connection))
    }

    /// Where the session came from that a connection offers. Of several legs on which it was issued, the one to the same
    /// server goes before others, then the one from the same client, and then the one that is nearest to who sealed it: a hello
    /// comes to a balancer before it comes to a node.
    pub(super) fn origin(&self, session: usize, offering: usize) -> Option<Origin> {
        let Record { server, address, hello, .. } = self.record(offering);
        let hello = (*hello)?;
        let issues = self.graph.issues(&self.graph.sessions()[session]);
        let issues = &issues[..issues.partition_point(|issue| issue.at <= hello)];
        let issues = &issues[issues.len().saturating_sub(MOST_LEGS)..];
        let seen = |issue: &Issue| Origin {
            connection: issue.connection(),
            at: issue.at,
            lifetime: issue.lifetime(),
            is_seen: true,
        };
        if let [only] = issues {
            return Some(seen(only));
        }
        let inferred = self.inferred_origins(session);
        let inferred = inferred.map(|(connection, at)| Origin { connection, at, lifetime: None, is_seen: false });
        let nearness = |origin: &Origin| {
            let record = self.record(origin.connection);
            (record.server == *server, record.address == *address, record.hello, origin.at)
        };
        issues.iter().map(seen).max_by_key(nearness).or_else(|| inferred.max_by_key(nearness))
    }

    /// The connections that issued a session, with when: several where one connection was seen on several legs.
    pub(super) fn origins(&self, session: usize) -> impl Iterator<Item = (usize, Moment)> {
        let issues = self.graph.issues(&self.graph.sessions()[session]).iter();
        let issues = issues.map(|issue| (issue.connection(), issue.at));
        issues.chain(self.inferred_origins(session))
    }

    /// Where a session came from that nobody was seen to issue: a connection, on each of its legs.
    fn inferred_origins(&self, session: usize) -> impl Iterator<Item = (usize, Moment)> {
        let origin = self.inferred.get(session).copied().flatten().map(|origin| origin as usize);
        let legs = origin.and_then(|origin| self.legs.get(&self.record(origin).random?)).map_or(&[][..], Vec::as_slice);
        let all = origin.filter(|_| legs.is_empty()).into_iter().chain(legs.iter().copied());
        all.filter_map(|leg| Some((leg, self.record(leg).established?)))
    }

    /// The sessions that a connection was seen to issue.
    pub(super) fn issued_on(&self, connection: usize) -> impl Iterator<Item = usize> {
        self.issued.get(connection).iter().map(|session| *session as usize)
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

    /// TLS 1.3 hides who issued a ticket. It came, as a rule, on the last connection that the client had finished before; from
    /// elsewhere, if that was read, and this was not on it.
    fn infer_origins(&self) -> Vec<Option<u32>> {
        let mut inferred = vec![None; self.graph.sessions().len()];
        for (_, visits) in self.visits.iter() {
            let roams = self.roams(visits);
            for (index, visit) in visits.iter().enumerate() {
                let record = self.record(*visit);
                let Some(session) = self.unexplained(record).filter(|session| inferred[*session].is_none()) else {
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
                let origin = origin.filter(|origin| self.issued_on(*origin).next().is_none());
                inferred[session] = origin.and_then(|origin| u32::try_from(origin).ok());
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

fn issued(graph: &Graph) -> Buckets<u32> {
    let sessions = (0..).zip(graph.sessions());
    let issued = sessions
        .flat_map(|(place, session)| graph.issues(session).iter().map(move |issue| (issue.connection() as u32, place)));
    Buckets::of(graph.connections().len(), issued)
}

/// The connections that were seen on several legs, by the client's random bytes.
fn legs(graph: &Graph) -> BTreeMap<u64, Vec<usize>> {
    let randoms = graph.connections().iter().enumerate().filter_map(|(place, record)| Some((record.random?, place)));
    let mut randoms = randoms.collect::<Vec<_>>();
    randoms.sort_unstable();
    let alike =
        randoms.chunk_by(|(one, _), (other, _)| one == other).filter(|alike| (2..=MOST_LEGS).contains(&alike.len()));
    alike.map(|alike| (alike[0].0, alike.iter().map(|(_, place)| *place).collect())).collect()
}

fn offers(graph: &Graph) -> Vec<Offers> {
    let mut offers = vec![Offers::default(); graph.servers().len()];
    for record in graph.connections() {
        let to = &mut offers[record.server as usize];
        let is_ticket = matches!(record.offered, Offered::Ticket | Offered::Psk);
        let is_kept = record.offered == Offered::SessionId || (is_ticket && record.offers_handle());
        let resumed = usize::from(record.agreed.is_resumed());
        to.all += usize::from(is_ticket || is_kept);
        to.tickets += usize::from(is_ticket);
        to.resumed_tickets += if is_ticket { resumed } else { 0 };
        to.resumed_kept += if is_kept { resumed } else { 0 };
    }
    offers
}

// Of a client with many connections at once, how many are looked at for the one that a ticket came from.
const FURTHEST_VISIT: usize = 64;
// A connection is captured before and behind a few balancers. More is somebody's own making.
const MOST_LEGS: usize = 16;
