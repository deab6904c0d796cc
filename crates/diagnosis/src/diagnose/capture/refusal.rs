use std::collections::BTreeSet;
use std::time::Duration;

use super::case::{Case, Origin};
use crate::Moment;
use crate::evidence::{Answer, Close, Version};
use crate::session::{Key, Offered, Record, Session};

/// An offer that was refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) connection: usize,
    pub(super) reason: Reason,
    /// Whether all that the reason rests on was seen.
    pub(super) is_seen: bool,
}

/// Why, as far as can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The session is of another version than the server now picks.
    Version,
    /// The ticket is older than its lifetime.
    Expired { age: Duration, lifetime: Duration },
    /// The server kept the session, and the client had ended that connection without close_notify.
    UncleanClose { ended: usize },
    /// The server kept the session, and forgot it.
    Forgotten { worked: bool },
    /// Another server issued the session.
    OtherServer { issuer: usize },
    /// Another node behind the same address has the key.
    OtherNode { key: Key },
    /// The server had the key, and has it no longer.
    KeyGone { key: Key },
    /// The server goes on sealing under the same key.
    SameKey,
    /// The server never had the key, as far as the capture shows.
    ForeignKey { key: Key },
    /// Nothing tells.
    Unknown,
}

/// All refusals of a capture, in order of start.
pub(super) fn refusals(case: &Case<'_>) -> Vec<Refusal> {
    let refused = case.records().filter(|(_, record)| {
        record.refused() == Answer::Yes && !record.offers_external_key() && record.offered != Offered::Unknown
    });
    let reasons = refused.map(|(connection, record)| {
        let origin = record.session().and_then(|session| case.origin(session, connection));
        let reason = reason(case, connection, record, origin);
        Refusal { connection, reason, is_seen: origin.is_some_and(|origin| origin.is_seen) }
    });
    let mut refusals = reasons.collect::<Vec<_>>();
    attribute_to_nodes(case, &mut refusals);
    refusals
}

fn reason(case: &Case<'_>, connection: usize, record: &Record, origin: Option<Origin>) -> Reason {
    let Some((hello, session)) = record.hello.zip(record.session()) else { return Reason::Unknown };
    let session = &case.graph.sessions()[session];
    if is_of_other_version(record, origin.map(|origin| case.record(origin.connection))) {
        return Reason::Version;
    }
    if let Some(Origin { at, lifetime: Some(lifetime), .. }) = origin {
        let age = hello.time.since(at.time);
        if age > lifetime {
            return Reason::Expired { age, lifetime };
        }
    }
    match session.key {
        Some(key) => why_not_opened(case, connection, record, key, origin, hello),
        None => why_not_kept(case, record, session, origin, hello),
    }
}

fn is_of_other_version(record: &Record, origin: Option<&Record>) -> bool {
    let Some(version) = record.version else { return false };
    let session_is_tls13 = record.offered == Offered::Psk;
    session_is_tls13 != (version >= Version::TLS13)
        || origin.and_then(|origin| origin.version).is_some_and(|before| before != version)
}

/// Of a session that the server was to keep.
fn why_not_kept(case: &Case<'_>, record: &Record, session: &Session, origin: Option<Origin>, hello: Moment) -> Reason {
    let Some(origin) = origin else { return Reason::Unknown };
    if case.record(origin.connection).server != record.server {
        return Reason::OtherServer { issuer: origin.connection };
    }
    let worked = users(case, session, hello).next().is_some();
    match last_end(case, session, origin, hello) {
        LastEnd::Unclean(ended) => Reason::UncleanClose { ended },
        LastEnd::Unknown => Reason::Unknown,
        LastEnd::Clean if case.is_partial(record.server, origin.at, hello) => Reason::Unknown,
        LastEnd::Clean | LastEnd::Open => Reason::Forgotten { worked },
    }
}

/// How the client had ended the last of the connections with a session, before it offered it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastEnd {
    Clean,
    /// This one, without close_notify.
    Unclean(usize),
    /// They were all still open.
    Open,
    /// What would tell is missing.
    Unknown,
}

/// How the client had ended the last of the connections that made or resumed a session, before it offered it at `hello`.
pub(super) fn last_end(case: &Case<'_>, session: &Session, origin: Origin, hello: Moment) -> LastEnd {
    let all = users(case, session, hello).chain([origin.connection]).map(|user| (user, case.record(user)));
    let over = all.filter(|(_, user)| user.last < hello || user.client_ended.is_some_and(|at| at < hello));
    let last = over.max_by_key(|(_, user)| user.client_ended.unwrap_or(user.last));
    match last.map(|(place, user)| (place, user.close.client)) {
        None => LastEnd::Open,
        Some((_, Close::Clean)) => LastEnd::Clean,
        Some((place, Close::Truncated | Close::Reset)) => LastEnd::Unclean(place),
        Some((_, Close::Open | Close::Unknown)) => LastEnd::Unknown,
    }
}

/// The connections that resumed a session before it was offered, the last few.
fn users<'a>(case: &'a Case<'_>, session: &Session, hello: Moment) -> impl Iterator<Item = usize> + use<'a> {
    let earlier = case.offers_before(session, hello).take(FURTHEST_USER);
    earlier.filter(|user| case.record(*user).agreed.is_resumed())
}

/// Of a session that is sealed in the ticket.
fn why_not_opened(
    case: &Case<'_>,
    connection: usize,
    record: &Record,
    key: Key,
    origin: Option<Origin>,
    hello: Moment,
) -> Reason {
    let listener = case.listener(connection);
    let timelines = &case.timelines;
    let had = timelines.used_before(listener, key, hello);
    if let Some(origin) = origin.filter(|origin| case.record(origin.connection).server != record.server) {
        let issuer = origin.connection;
        let still_there = timelines.used_after(case.listener(issuer), key, hello);
        return if had && !still_there { Reason::KeyGone { key } } else { Reason::OtherServer { issuer } };
    }
    let now = timelines.sealed(connection);
    let returns = timelines.used_after(listener, key, hello);
    match now {
        Some(now) if now == key => Reason::SameKey,
        Some(_) if returns => Reason::OtherNode { key },
        None if returns => Reason::Unknown,
        _ if !had => Reason::ForeignKey { key },
        Some(_) => Reason::KeyGone { key },
        None if timelines.seals_otherwise_from(listener, key, hello) => Reason::KeyGone { key },
        // Nothing shows the key that is in its place, but this very ticket was good a moment ago.
        None if worked_lately(case, record, hello) => Reason::KeyGone { key },
        None => Reason::Unknown,
    }
}

fn worked_lately(case: &Case<'_>, record: &Record, hello: Moment) -> bool {
    let Some(session) = record.session() else { return false };
    let mut users = users(case, &case.graph.sessions()[session], hello).filter_map(|user| case.record(user).hello);
    users.any(|used| hello.time.since(used.time) < SHORTEST_USUAL_LIFETIME)
}

/// Where one refusal shows that several nodes are behind an address, the others under the same keys are no rotations.
fn attribute_to_nodes(case: &Case<'_>, refusals: &mut [Refusal]) {
    let nodes = refusals.iter().filter_map(|refusal| match refusal.reason {
        Reason::OtherNode { key } => {
            let listener = case.listener(refusal.connection);
            Some([Some((listener, key)), case.timelines.sealed(refusal.connection).map(|key| (listener, key))])
        }
        _ => None,
    });
    let nodes = nodes.flatten().flatten().collect::<BTreeSet<_>>();
    for refusal in refusals {
        if let Reason::KeyGone { key } = refusal.reason
            && nodes.contains(&(case.listener(refusal.connection), key))
        {
            refusal.reason = Reason::OtherNode { key };
        }
    }
}

// nginx', Apache's and HAProxy's default: 5 minutes.
const SHORTEST_USUAL_LIFETIME: Duration = Duration::from_secs(300);
// Of the connections that used one session, how many are looked at for the last that ended.
const FURTHEST_USER: usize = 64;
