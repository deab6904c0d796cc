//! `closed-before-tickets`: the client leaves before TLS 1.3 tickets reach it, so that it never has one to offer.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::case::Case;
use super::sentence::{Draft, count, list, servers};
use crate::evidence::{Kind, Version};
use crate::session::{Offered, Record};
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut by_client = BTreeMap::<IpAddr, Vec<usize>>::new();
    for ((client, _), visits) in case.pairs() {
        let left = leaving(case, visits);
        if left.len() >= FEWEST {
            by_client.entry(client).or_default().extend(left);
        }
    }
    let judged = by_client.into_iter().map(|(client, mut left)| {
        left.sort_unstable();
        let from = servers(case, &left);
        let summary = format!(
            "{client} leaves {} as soon as the handshake is over, before a ticket has reached it: {}, none with anything \
             to offer.",
            list(&from),
            count(left.len(), "handshake"),
        );
        Draft::new(Name::ClosedBeforeTickets, Severity::Problem, Certainty::Inferred, summary)
            .shown_by(case, &left)
            .costing(case, &left[1..])
            .about(from.into_iter().chain([case.record(left[0]).client]))
            .done()
    });
    judged.collect()
}

/// Whether the client ended the connection before it can have taken a ticket in: nothing had come, or it read nothing.
pub(super) fn left_before_tickets(record: &Record) -> bool {
    record.version >= Some(Version::TLS13)
        && record.established.is_some()
        && record.client_ended.is_some()
        && !record.is_partial()
        && (record.records.server == 0 || (record.records.client == 0 && record.has_only_tickets()))
}

/// The connections that a client left so, if it always does.
fn leaving(case: &Case<'_>, visits: &[usize]) -> Vec<usize> {
    let all = visits.iter().filter(|place| case.record(**place).version >= Some(Version::TLS13));
    let all = all.copied().collect::<Vec<_>>();
    if all.iter().any(|place| case.record(*place).offered == Offered::Psk) {
        return Vec::new();
    }
    let leaves = |place: &usize| {
        let record = case.record(*place);
        record.kind == Kind::Full && record.records.client == 0 && left_before_tickets(record)
    };
    let left = all.iter().copied().filter(leaves).collect::<Vec<_>>();
    if left.len() * 5 >= all.len() * 4 { left } else { Vec::new() }
}

// Whoever comes back that often could have had a ticket.
const FEWEST: usize = 3;
