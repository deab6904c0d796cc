//! Nodes that do not resume one another's sessions.

use super::{Seen, count, verb};
use crate::diagnose::fleet::groups::share;
use crate::diagnose::fleet::{BY_TICKET, Cell, Why};
use crate::evidence::{KeyName, Way};
use crate::remedy::CONTEXT_NOT_SHARED;
use crate::{Certainty, Finding, Name, Severity};

/// `keys-not-shared`: pairs of nodes that refuse one another's tickets both ways.
pub(super) fn keys_not_shared(seen: &Seen<'_>) -> Option<Finding> {
    let groups: Vec<&Vec<usize>> =
        seen.groups.iter().filter(|group| group.iter().any(|&node| seen.node(node).gives_tickets())).collect();
    let nodes: Vec<usize> = groups.iter().flat_map(|group| group.iter().copied()).collect();
    let whys = refusals(seen, &nodes);
    if whys.is_empty() {
        return None;
    }
    let summary = match &groups[..] {
        [one] => format!("{} share keys, but not each with each.", seen.list(one)),
        _ if groups.len() == nodes.len() => format!("No two of {} open one another's tickets.", seen.list(&nodes)),
        _ => {
            format!("{} are in {} groups that refuse one another's tickets.", count(nodes.len(), "node"), groups.len())
        }
    };
    let mut finding = seen.problem(Name::KeysNotShared, summary, &nodes);
    if groups.len() > 1 && groups.len() < nodes.len() {
        finding.evidence.extend(groups.iter().map(|group| {
            let under = key_name(seen, group).map_or_else(String::new, |name| format!(", under key {name}"));
            format!("one group: {}{under}", seen.list(group))
        }));
    }
    for why in [Why::OtherKey, Why::OtherCertificate, Why::OtherContext, Why::OtherSuite, Why::Unknown] {
        if let times @ 1.. = whys.iter().filter(|&&other| other == why).count() {
            finding.evidence.push(format!("{}: {}", count(times, "refusal"), because(why)));
        }
    }
    if groups.len() > 1 {
        finding.cost = format!(
            "{:.0}% of the clients that come back to a node at random make a full handshake",
            100.0 * elsewhere(groups.iter().map(|group| group.len()))
        );
    }
    if whys.iter().all(|why| matches!(why, Why::OtherCertificate | Why::OtherContext)) {
        finding.remedy = CONTEXT_NOT_SHARED.to_vec();
    }
    Some(finding)
}

/// `keys-not-shared` of a node that is several: its own tickets resume at times.
pub(super) fn several_behind_one(seen: &Seen<'_>) -> Option<Finding> {
    let at_times = |node: usize| BY_TICKET.iter().any(|&way| *seen.cells.of_pair(way, node, node) == Cell::AtTimes);
    let nodes: Vec<usize> = (0..seen.cells.nodes()).filter(|&node| at_times(node)).collect();
    if nodes.is_empty() {
        return None;
    }
    let summary = format!(
        "{} {} at times and {} them at others, as if several servers that share no keys answered there.",
        seen.list(&nodes),
        verb(&nodes, "resumes its own tickets", "resume their own tickets"),
        verb(&nodes, "refuses", "refuse"),
    );
    let mut finding = seen.problem(Name::KeysNotShared, summary, &nodes);
    finding.certainty = Certainty::Inferred;
    Some(finding)
}

/// `keys-not-shared` of nodes that give session IDs alone: a problem only where no session at all is shared.
pub(super) fn ids_not_shared(seen: &Seen<'_>) -> Option<Finding> {
    let nodes: Vec<usize> = (0..seen.cells.nodes()).filter(|&node| seen.node(node).gives_ids_alone()).collect();
    let refused = |&(issuer, asked): &(usize, usize)| seen.cells.of_pair(Way::SessionId, issuer, asked).is_refused();
    let all = 0..seen.cells.nodes();
    let pairs = nodes.iter().flat_map(|&issuer| all.clone().map(move |asked| (issuer, asked)));
    let refused = pairs.filter(|&(issuer, asked)| issuer != asked).filter(refused).count();
    if refused == 0 {
        return None;
    }
    let summary = format!(
        "{} {} session IDs and no tickets; the other nodes do not know them, for a cache of sessions belongs to one node.",
        seen.list(&nodes),
        verb(&nodes, "gives", "give")
    );
    let mut finding = seen.problem(Name::KeysNotShared, summary, &nodes);
    if seen.groups.iter().any(|group| group.len() > 1) {
        finding.severity = Severity::Note;
    }
    finding.evidence.push(format!("{} of a session ID by a node that had not given it", count(refused, "refusal")));
    finding.cost = "a full handshake whenever a client comes back to another node".to_owned();
    Some(finding)
}

/// Why nodes of different keys refuse one another's tickets: an entry for each refusal.
fn refusals(seen: &Seen<'_>, nodes: &[usize]) -> Vec<Why> {
    let mut whys = Vec::new();
    for &issuer in nodes {
        for &asked in nodes {
            if issuer == asked || share(seen.cells, issuer, asked) {
                continue;
            }
            for way in BY_TICKET {
                if let Cell::Refused(why) = *seen.cells.of_pair(way, issuer, asked)
                    && why != Why::NotEvenItsOwn
                    && (seen.cells.of_pair(way, asked, issuer).resumes() != Some(true) || !is_about_keys(why))
                {
                    whys.push(why);
                }
            }
        }
    }
    whys
}

/// Whether a refusal in one direction alone says that keys are out of step.
pub(super) fn is_about_keys(why: Why) -> bool {
    matches!(why, Why::OtherKey | Why::Unknown)
}

/// The name of the key that a group seals with, where all of it does so with one.
fn key_name(seen: &Seen<'_>, group: &[usize]) -> Option<KeyName> {
    let mut names = group.iter().flat_map(|&node| {
        let key_names = &seen.node(node).key_names;
        BY_TICKET.iter().flat_map(|&way| key_names[way].names().iter().copied())
    });
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

fn because(why: Why) -> &'static str {
    match why {
        Why::OtherKey => "the ticket was under a key that the node does not seal with",
        Why::OtherCertificate => {
            "the ticket was under the very key that the node seals with, but given with another certificate, which nginx \
             minds, and HAProxy since August 2026"
        }
        Why::OtherContext => {
            "the ticket was under the very key that the node seals with, so it minds something else, such as whose client \
             certificates it trusts"
        }
        Why::OtherSuite => "the node prefers a cipher suite that the session cannot be used with",
        Why::NotEvenItsOwn => "the node resumes not even its own tickets",
        Why::Unknown => "the tickets do not show which key they are under",
    }
}

/// How likely a client is to come back to another group than its own, which has its share of the nodes.
fn elsewhere(sizes: impl Iterator<Item = usize>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a fleet is small")]
    let sizes: Vec<f64> = sizes.map(|size| size as f64).collect();
    let all: f64 = sizes.iter().sum();
    1.0 - sizes.iter().map(|size| (size / all).powi(2)).sum::<f64>()
}
