//! `keys-not-shared`: nodes of one service refuse one another's tickets; and `rotation-out-of-step`, where they take some.
//!
//! Which servers are one service, their clients tell: they offer one's sessions to the other. Nodes behind one address show by
//! keys that take turns: a rotation does not go back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::case::Case;
use super::listener::Listener;
use super::refusal::{Reason, Refusal};
use super::sentence::{Draft, clients, count, list};
use crate::session::{Key, Offered, Record};
use crate::{Certainty, Finding, Name, Severity, Timestamp};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let between = between_servers(case);
    let behind = behind_one_address(case);
    let elsewhere = with_nodes_elsewhere(case);
    between.into_iter().chain(behind).chain(elsewhere).collect()
}

/// What two servers make of one another's sessions.
#[derive(Default)]
struct Exchange {
    refused: Vec<usize>,
    accepted: usize,
    is_seen: bool,
}

fn between_servers(case: &Case<'_>) -> Vec<Finding> {
    let mut exchanges = BTreeMap::<(Option<u32>, [u32; 2]), Exchange>::new();
    let pair = |place: usize, issuer: usize| {
        let (record, other) = (case.record(place), case.record(issuer).server);
        (record.server_name, [record.server.min(other), record.server.max(other)])
    };
    for refusal in &case.refusals {
        if let Reason::OtherServer { issuer } = refusal.reason {
            let exchange = exchanges.entry(pair(refusal.connection, issuer)).or_default();
            exchange.refused.push(refusal.connection);
            exchange.is_seen |= refusal.is_seen;
        }
    }
    for (place, record) in case.records().filter(|(_, record)| record.agreed.is_resumed()) {
        let Some(origin) = record.session().and_then(|session| case.origin(session, place)) else { continue };
        if case.record(origin.connection).server != record.server
            && let Some(exchange) = exchanges.get_mut(&pair(place, origin.connection))
        {
            exchange.accepted += 1;
        }
    }
    let mut services = BTreeMap::<(Option<u32>, bool), (Vec<usize>, usize, bool, BTreeSet<u32>)>::new();
    for ((name, pair), exchange) in exchanges {
        let service = services.entry((name, exchange.accepted > 0)).or_default();
        service.0.extend(exchange.refused);
        service.1 += exchange.accepted;
        service.2 |= exchange.is_seen;
        service.3.extend(pair);
    }
    let judged = services.into_iter().map(|((_, in_part), (mut refused, accepted, is_seen, nodes))| {
        refused.sort_unstable();
        let nodes = nodes.iter().map(|node| case.graph.servers()[*node as usize]).collect::<Vec<_>>();
        let (name, what) = if in_part {
            let what = format!("refuse some of one another's sessions and take others ({accepted} resumed)");
            (Name::RotationOutOfStep, what)
        } else {
            (Name::KeysNotShared, "refuse one another's sessions".to_owned())
        };
        let summary = format!(
            "{} {what}: {} of {} refused.",
            list(&nodes),
            count(refused.len(), "offer"),
            list(clients(case, &refused)),
        );
        let severity = if refused.len() > 1 { Severity::Problem } else { Severity::Note };
        let certainty = if is_seen { Certainty::Seen } else { Certainty::Inferred };
        Draft::new(name, severity, certainty, summary)
            .shown_by(case, &refused)
            .costing(case, &refused)
            .about(nodes.iter().copied())
            .done()
    });
    judged.collect()
}

fn behind_one_address(case: &Case<'_>) -> Vec<Finding> {
    let mut listeners = BTreeMap::<Listener, (Vec<usize>, BTreeSet<Key>)>::new();
    for Refusal { connection, reason, .. } in &case.refusals {
        if let Reason::OtherNode { key } = reason {
            let (refused, keys) = listeners.entry(case.listener(*connection)).or_default();
            refused.push(*connection);
            keys.insert(*key);
            keys.extend(case.timelines.sealed(*connection));
        }
    }
    let judged = listeners.into_iter().map(|(listener, (refused, keys))| {
        let address = case.graph.servers()[listener.server as usize];
        // Who opens a ticket under one key and seals under the other has both.
        let has_both = |place: usize| {
            let record = case.record(place);
            let opened = record.session().and_then(|session| case.graph.sessions()[session].key);
            let sealed = case.timelines.sealed(place);
            record.agreed.is_resumed()
                && opened.zip(sealed).is_some_and(|(opened, sealed)| {
                    opened != sealed && keys.contains(&opened) && keys.contains(&sealed)
                })
        };
        let in_part = case.records().any(|(place, _)| case.listener(place) == listener && has_both(place));
        let (name, what) = if in_part {
            (Name::RotationOutOfStep, "some of the keys of the others")
        } else {
            (Name::KeysNotShared, "only its own key")
        };
        let summary = format!(
            "Behind {address} are several nodes, each with {what}: tickets are sealed under {} keys in turn, and {} refused.",
            keys.len(),
            count(refused.len(), "offer"),
        );
        let is_tls13 = refused.iter().all(|place| case.record(*place).offered == Offered::Psk);
        let enough = if is_tls13 { 3 } else { 2 };
        let severity = if refused.len() >= enough { Severity::Problem } else { Severity::Note };
        Draft::new(name, severity, Certainty::Inferred, summary)
            .shown_by(case, &refused)
            .costing(case, &refused)
            .about([address])
            .done()
    });
    judged.collect()
}

/// Where only one node is in the capture: a client that had nothing at first comes back, each time with another ticket under
/// a key that this node does not have, and never with one that it gave. TLS 1.3 hides who gave it: if not another node, then the
/// ticket was too old, or the node refuses its own, which is the rarer thing.
fn with_nodes_elsewhere(case: &Case<'_>) -> Vec<Finding> {
    let foreign = case.refusals.iter().filter(|refusal| match refusal.reason {
        Reason::ForeignKey { .. } => true,
        Reason::SameKey => !refusal.is_seen,
        _ => false,
    });
    let foreign = foreign.map(|refusal| (refusal.connection, refusal.reason)).collect::<BTreeMap<_, _>>();
    let visitor = |place: usize, record: &Record| (case.listener(place), record.address, record.shape);
    let visitors = foreign.keys().map(|place| (visitor(*place, case.record(*place)), Visitor::default()));
    let mut visitors = visitors.collect::<BTreeMap<_, _>>();
    if !visitors.is_empty() {
        for (place, record) in case.records().filter(|(_, record)| record.hello.is_some()) {
            if let Some(visitor) = visitors.get_mut(&visitor(place, record)) {
                visitor.comes(place, record, foreign.get(&place).copied());
            }
        }
    }
    let mut fresh = BTreeMap::<Listener, (Vec<usize>, usize)>::new();
    for ((listener, ..), visitor) in visitors {
        if visitor.began_with_nothing && !visitor.resumed && visitor.foreign.len() > 1 {
            let (refused, young) = fresh.entry(listener).or_default();
            refused.extend(visitor.foreign);
            *young += visitor.young;
        }
    }
    let judged = fresh.into_iter().map(|(listener, (refused, young))| {
        let address = case.graph.servers()[listener.server as usize];
        let summary = format!(
            "{address} refuses the tickets of another node of its service: {} refused, each of a ticket that {} got \
             elsewhere meanwhile.",
            count(refused.len(), "offer"),
            list(clients(case, &refused)),
        );
        let severity = if young > 1 { Severity::Problem } else { Severity::Note };
        let draft = Draft::new(Name::KeysNotShared, severity, Certainty::Inferred, summary);
        draft.shown_by(case, &refused).costing(case, &refused).about([address]).done()
    });
    judged.collect()
}

/// A client at one listener.
#[derive(Default)]
struct Visitor {
    visits: usize,
    began_with_nothing: bool,
    resumed: bool,
    sessions: BTreeSet<usize>,
    /// Its refused offers, each of another ticket under a key that is not the listener's.
    foreign: Vec<usize>,
    /// How many of them were not for the ticket's age.
    young: usize,
    came: Option<Timestamp>,
}

impl Visitor {
    fn comes(&mut self, place: usize, record: &Record, foreign: Option<Reason>) {
        self.began_with_nothing |= self.visits == 0 && record.offered == Offered::None;
        self.visits += 1;
        self.resumed |= record.agreed.is_resumed();
        let came = record.hello.map(|hello| hello.time);
        let is_soon = came.zip(self.came).is_some_and(|(now, before)| now.since(before) < SHORTEST_LIFETIME);
        self.came = came;
        let is_new = record.session().is_some_and(|session| self.sessions.insert(session));
        if let Some(reason) = foreign.filter(|_| is_new) {
            self.foreign.push(place);
            self.young += usize::from(is_soon || reason != Reason::SameKey);
        }
    }
}

// Lifetimes are in seconds. A ticket that the client did not have at its last visit was got since.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(1);
