//! `inline-renewal-aborted`: the client ends the connection when a ticket comes inside an abbreviated handshake, as SChannel
//! does.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::case::Case;
use super::sentence::{Draft, count, list, servers};
use super::stale_session_alert::{failed, is_stale, may_be_stale};
use crate::evidence::{Answer, Kind};
use crate::{Certainty, Finding, Name, Severity, Side};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut renewals = BTreeMap::<(IpAddr, u32), (Vec<usize>, usize)>::new();
    for (place, record) in case.records().filter(|(_, record)| record.renewed_inline == Answer::Yes) {
        let (aborted, completed) = renewals.entry((record.client.ip(), record.shape)).or_default();
        if record.kind == Kind::Aborted {
            aborted.extend(is_aborted(case, place).then_some(place));
        } else {
            *completed += 1;
        }
    }
    // One in many that bear it may have been broken off for any reason.
    let aborting = renewals.into_iter().filter(|(_, (aborted, completed))| aborted.len() * FEW > *completed);
    let judged = aborting.map(|((client, _), (aborted, completed))| {
        let severity = if aborted.len() > completed { Severity::Problem } else { Severity::Note };
        let to = servers(case, &aborted);
        let summary = format!(
            "{client} ends the connection when {} renews its ticket inside the abbreviated handshake: {} of {}.",
            list(&to),
            aborted.len(),
            count(aborted.len() + completed, "renewal"),
        );
        Draft::new(Name::InlineRenewalAborted, severity, Certainty::Inferred, summary)
            .shown_by(case, &aborted)
            .with_cost(failed(aborted.len()))
            .about(to.into_iter().chain([case.record(aborted[0]).client]))
            .done()
    });
    judged.collect()
}

/// Whether the client broke the handshake off on an inline renewal, and not for its parallel connections.
pub(super) fn is_aborted(case: &Case<'_>, place: usize) -> bool {
    let record = case.record(place);
    record.kind == Kind::Aborted
        && record.renewed_inline == Answer::Yes
        && (record.client_ended.is_some() || record.alerts().any(|(side, _)| side == Side::Client))
        && !is_stale(case, place)
        && !may_be_stale(case, place)
}

const FEW: usize = 10;
