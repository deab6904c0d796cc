//! Nodes whose keys change, and not together.

use super::apart::is_about_keys;
use super::{Seen, count, verb};
use crate::diagnose::fleet::{BY_TICKET, Cell};
use crate::evidence::Reply;
use crate::{Certainty, Finding, Name};

/// `rotation-out-of-step`: nodes that seal with a key before others have it.
pub(super) fn out_of_step(seen: &Seen<'_>) -> Option<Finding> {
    let (late, one_way) = (pairs(seen, is_late), pairs(seen, is_one_way));
    if late.is_empty() && one_way.is_empty() {
        return None;
    }
    let mut ahead: Vec<usize> = late.iter().chain(&one_way).map(|&(issuer, _)| issuer).collect();
    let mut behind: Vec<usize> = late.iter().chain(&one_way).map(|&(_, asked)| asked).collect();
    for nodes in [&mut ahead, &mut behind] {
        nodes.sort_unstable();
        nodes.dedup();
    }
    let summary = format!(
        "{} {} with a key that {} did not have.",
        seen.list(&ahead),
        verb(&ahead, "seals", "seal"),
        seen.list(&behind)
    );
    let mut nodes = [&ahead[..], &behind[..]].concat();
    nodes.sort_unstable();
    nodes.dedup();
    let mut finding = seen.problem(Name::RotationOutOfStep, summary, &nodes);
    let sentences = late.iter().map(|&(issuer, asked)| {
        let (issuer, asked) = (seen.label(issuer), seen.label(asked));
        format!("{asked} refused tickets of {issuer}, and resumed them when it was asked again")
    });
    let sentences = sentences.chain(one_way.iter().map(|&(issuer, asked)| {
        let (issuer, asked) = (seen.label(issuer), seen.label(asked));
        format!("{asked} refuses tickets of {issuer}, while {issuer} opens those of {asked}")
    }));
    finding.evidence = sentences.take(SHOWN).collect();
    if let more @ 1.. = (late.len() + one_way.len()).saturating_sub(SHOWN) {
        finding.evidence.push(format!("so it is with {} more", count(more, "pair")));
    }
    if !late.iter().any(|&pair| same_key_twice(seen, pair)) {
        finding.certainty = Certainty::Inferred;
    }
    finding.cost = "full handshakes for whoever changes nodes, until all have the key; at each rotation".to_owned();
    Some(finding)
}

/// `key-rotated-away`: nodes that refuse their own tickets after a while.
pub(super) fn rotated_away(seen: &Seen<'_>) -> Option<Finding> {
    let lost = |node: usize| BY_TICKET.iter().any(|&way| *seen.cells.of_pair(way, node, node) == Cell::RefusedLater);
    let nodes: Vec<usize> = (0..seen.cells.nodes()).filter(|&node| lost(node)).collect();
    if nodes.is_empty() {
        return None;
    }
    let summary = format!(
        "{} resumed {}, and refused {} when asked again: the key is gone.",
        seen.list(&nodes),
        verb(&nodes, "a ticket of its own", "tickets of their own"),
        verb(&nodes, "one", "them"),
    );
    Some(seen.problem(Name::KeyRotatedAway, summary, &nodes))
}

fn pairs(seen: &Seen<'_>, is: fn(&Seen<'_>, usize, usize) -> bool) -> Vec<(usize, usize)> {
    let all = 0..seen.cells.nodes();
    let pairs = all.clone().flat_map(|issuer| all.clone().map(move |asked| (issuer, asked)));
    pairs.filter(|&(issuer, asked)| issuer != asked && is(seen, issuer, asked)).collect()
}

/// Whether `asked` had to get the key of `issuer` first.
fn is_late(seen: &Seen<'_>, issuer: usize, asked: usize) -> bool {
    BY_TICKET.iter().any(|&way| *seen.cells.of_pair(way, issuer, asked) == Cell::ResumedLater)
}

/// Whether `issuer` has the key of `asked` too, but seals with one that `asked` does not have.
fn is_one_way(seen: &Seen<'_>, issuer: usize, asked: usize) -> bool {
    BY_TICKET.iter().any(|&way| {
        let refused = matches!(*seen.cells.of_pair(way, issuer, asked), Cell::Refused(why) if is_about_keys(why));
        refused && seen.cells.of_pair(way, asked, issuer).resumes() == Some(true)
    })
}

/// Whether tickets under one key were refused and then resumed: it was the key that was missing, and nothing else.
fn same_key_twice(seen: &Seen<'_>, (issuer, asked): (usize, usize)) -> bool {
    let asks = || seen.fleet.asks.iter().filter(move |ask| ask.issuer == issuer && ask.asked == asked);
    let refused = asks().filter(|ask| !ask.again && matches!(ask.reply, Reply::Refused(_)));
    refused
        .filter_map(|ask| ask.key_name)
        .any(|name| asks().any(|ask| ask.again && ask.reply == Reply::Resumed && ask.key_name == Some(name)))
}

/// How many pairs of nodes are named.
const SHOWN: usize = 6;
