//! Findings, put into words.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

pub(super) use crate::count;

use super::case::Case;
use crate::diagnose::cost::Cost;
use crate::evidence::{Answer, Close, Kind};
use crate::session::Offered;
use crate::{Certainty, Finding, Moment, Name, Severity, remedies};

/// A finding that is being made.
pub(super) struct Draft {
    finding: Finding,
}

impl Draft {
    pub(super) fn new(name: Name, severity: Severity, certainty: Certainty, summary: String) -> Self {
        let remedy = remedies(name).to_vec();
        let finding = Finding {
            name,
            severity,
            certainty,
            summary,
            evidence: Vec::new(),
            cost: String::new(),
            remedy,
            peers: Vec::new(),
            connections: Vec::new(),
        };
        Self { finding }
    }

    /// The connections that show it, a sentence each for the first few.
    pub(super) fn shown_by(mut self, case: &Case<'_>, connections: &[usize]) -> Self {
        let shown = &connections[..connections.len().min(MAX_EVIDENCE)];
        self.finding.evidence.extend(shown.iter().map(|place| describe(case, *place)));
        self.finding.connections.extend(shown);
        if connections.len() > MAX_EVIDENCE {
            self.finding.evidence.push(format!("and {} more", connections.len() - MAX_EVIDENCE));
        }
        self
    }

    /// A sentence of evidence.
    pub(super) fn because(mut self, sentence: String) -> Self {
        self.finding.evidence.push(sentence);
        self
    }

    /// What it costs, if `connections` need not have been full. One seen on two legs counts once.
    pub(super) fn costing(mut self, case: &Case<'_>, connections: &[usize]) -> Self {
        let mut counted = BTreeSet::new();
        let records = connections.iter().map(|place| case.record(*place));
        let once = records.filter(|record| record.random.is_none_or(|random| counted.insert(random)));
        self.finding.cost = Cost::of(once).to_string();
        self
    }

    /// What it costs, in words.
    pub(super) fn with_cost(mut self, cost: String) -> Self {
        self.finding.cost = cost;
        self
    }

    /// Whom it is about, each once.
    pub(super) fn about(mut self, peers: impl IntoIterator<Item = SocketAddr>) -> Self {
        let peers = peers.into_iter().collect::<BTreeSet<_>>();
        self.finding.peers = peers.into_iter().collect();
        self
    }

    pub(super) fn done(self) -> Finding {
        self.finding
    }
}

/// A problem where `hits` are enough of `all` to be worth acting on: one in twenty, and a single one only if it is one in
/// five. Otherwise a note.
pub(super) fn weight(hits: usize, all: usize) -> Severity {
    let needed = if hits == 1 { 5 } else { 20 };
    if hits > 0 && hits * needed >= all { Severity::Problem } else { Severity::Note }
}

/// Addresses in a sentence: the first few, and how many more.
pub(super) fn list<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let all = all.into_iter().map(|one| one.to_string()).collect::<BTreeSet<_>>();
    let shown = all.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(MAX_LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The clients of `connections`, by address.
pub(super) fn clients(case: &Case<'_>, connections: &[usize]) -> Vec<IpAddr> {
    let all = connections.iter().map(|place| case.record(*place).client.ip());
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The servers of `connections`.
pub(super) fn servers(case: &Case<'_>, connections: &[usize]) -> Vec<SocketAddr> {
    let all = connections.iter().map(|place| case.graph.server(case.record(*place)));
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

/// When something was seen, and in which packet.
pub(super) fn when(case: &Case<'_>, at: Moment) -> String {
    let seconds = at.time.since(case.first()).as_secs_f64();
    if at.packet == 0 { format!("at {seconds:.6} s") } else { format!("packet {}, at {seconds:.6} s", at.packet) }
}

/// What one connection shows.
fn describe(case: &Case<'_>, place: usize) -> String {
    let record = case.record(place);
    let mut sentence = format!(
        "{}: {} to {} {}",
        when(case, record.hello.unwrap_or(record.start)),
        record.client,
        case.graph.server(record),
        match record.offered {
            Offered::None => "offered nothing",
            Offered::SessionId => "offered a session ID",
            Offered::Ticket => "offered a ticket",
            Offered::Psk => "offered a TLS 1.3 ticket",
            Offered::Unknown => "began before the capture",
        }
    );
    if let Some(name) = case.graph.offered_key_name(record).filter(|_| !record.offers_handle()) {
        sentence += &format!(" under key {}", short(&name.to_string()));
    }
    sentence += match record.kind {
        Kind::Full if record.offered == Offered::None => ", full",
        Kind::Full => ", refused",
        Kind::ResumedSessionId | Kind::ResumedTicket | Kind::ResumedPsk => ", resumed",
        Kind::Aborted => ", aborted",
        Kind::Unknown => ", outcome not seen",
    };
    if record.renewed_inline == Answer::Yes {
        sentence += " with an inline renewal";
    }
    sentence += match record.close.client {
        Close::Clean => "; the client closed with close_notify",
        Close::Truncated => "; the client ended with FIN, without close_notify",
        Close::Reset => "; the client reset it, without close_notify",
        Close::Open | Close::Unknown => "",
    };
    sentence
}

fn short(name: &str) -> &str {
    name.get(..8).unwrap_or(name)
}

const MAX_EVIDENCE: usize = 6;
const MAX_LISTED: usize = 4;
