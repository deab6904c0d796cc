//! What single nodes do, whatever the others do.

use super::{Seen, count, verb};
use crate::diagnose::fleet::{BY_TICKET, Cell, Why};
use crate::evidence::{Failure, Gives, Node, Reply, Way};
use crate::{Certainty, Finding, Name, Severity};

/// `ticket-never-accepted`: nodes that give tickets, and refuse their own.
pub(super) fn never_accepted(seen: &Seen<'_>) -> Option<Finding> {
    let refuses =
        |way: Way, node: usize| matches!(seen.cells.of_pair(way, node, node), Cell::Refused(Why::NotEvenItsOwn));
    let nodes = nodes(seen, |node| BY_TICKET.iter().any(|&way| refuses(way, node)));
    if nodes.is_empty() {
        return None;
    }
    let summary = format!(
        "{} {}.",
        seen.list(&nodes),
        verb(&nodes, "gives tickets, and refuses each of its own", "give tickets, and each refuses its own")
    );
    let mut finding = seen.problem(Name::TicketNeverAccepted, summary, &nodes);
    for way in BY_TICKET {
        let nodes: Vec<usize> = nodes.iter().copied().filter(|&node| refuses(way, node)).collect();
        if !nodes.is_empty() {
            finding.evidence.push(format!("{}: {}", way.version(), seen.list(&nodes)));
        }
    }
    finding.cost = "a full handshake for each connection".to_owned();
    Some(finding)
}

/// `no-resumption-offered`: nodes that give nothing that could be resumed.
pub(super) fn nothing_offered(seen: &Seen<'_>) -> Option<Finding> {
    let nodes = nodes(seen, |node| {
        let gives = &seen.node(node).gives;
        let all = || Way::ALL.iter().map(|&way| &gives[way]);
        all().all(|gives| matches!(gives, Gives::Nothing | Gives::NotSpoken))
            && all().any(|gives| *gives == Gives::Nothing)
    });
    if nodes.is_empty() {
        return None;
    }
    let summary = format!("{} {} neither tickets nor session IDs.", seen.list(&nodes), verb(&nodes, "gives", "give"));
    let mut finding = seen.problem(Name::NoResumptionOffered, summary, &nodes);
    finding.cost = "a full handshake for each connection".to_owned();
    Some(finding)
}

/// `version-changed`: nodes that do not speak TLS 1.3, among others whose sessions are of it.
pub(super) fn version_changed(seen: &Seen<'_>) -> Option<Finding> {
    let without = nodes(seen, |node| seen.node(node).gives.psk == Gives::NotSpoken);
    let with = nodes(seen, |node| seen.node(node).gives.psk == Gives::Sessions);
    if without.is_empty() || with.is_empty() {
        return None;
    }
    let summary = format!(
        "{} {} not speak TLSv1.3, in which {} {} sessions.",
        seen.list(&without),
        verb(&without, "does", "do"),
        seen.list(&with),
        verb(&with, "gives", "give")
    );
    let mut finding = seen.problem(Name::VersionChanged, summary, &without);
    finding.certainty = Certainty::Inferred;
    finding.cost = "a full handshake for each client that comes from the one to the other".to_owned();
    Some(finding)
}

/// `handshake-failures` (note): connections to nodes that were there which came to nothing.
pub(super) fn failures(seen: &Seen<'_>) -> Option<Finding> {
    let mut evidence = Vec::new();
    let failing = nodes(seen, |node| {
        let failures = failures_at(seen, node);
        if let Some(first) = failures.first() {
            evidence.push(format!("{}: {}: {first}", seen.label(node), count(failures.len(), "connection")));
        }
        !failures.is_empty()
    });
    if failing.is_empty() {
        return None;
    }
    let summary = format!("Connections to {} failed, while others succeeded.", seen.list(&failing));
    let finding = seen.problem(Name::HandshakeFailures, summary, &failing);
    Some(Finding { severity: Severity::Note, evidence, ..finding })
}

/// Why connections to a node failed that resumes or refuses at other times.
fn failures_at<'a>(seen: &Seen<'a>, node: usize) -> Vec<&'a Failure> {
    let Node { gone: None, .. } = seen.node(node) else {
        return Vec::new();
    };
    let asks = seen.fleet.asks.iter().filter(|ask| ask.asked == node);
    let failures = asks.filter_map(|ask| match &ask.reply {
        Reply::Failed(failure) => Some(failure),
        _ => None,
    });
    failures.collect()
}

fn nodes(seen: &Seen<'_>, mut is: impl FnMut(usize) -> bool) -> Vec<usize> {
    (0..seen.cells.nodes()).filter(|&node| is(node)).collect()
}
