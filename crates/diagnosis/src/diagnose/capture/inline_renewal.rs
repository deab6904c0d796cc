//! `inline-renewal`: tickets come inside abbreviated TLS 1.2 handshakes (RFC 5077 §3.3), which some clients cannot bear.

use super::case::Case;
use super::sentence::{Draft, count};
use crate::evidence::{Answer, Kind};
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut servers = case.for_servers::<(Vec<usize>, usize)>();
    for (place, record) in case.records() {
        let is_renewed = record.renewed_inline == Answer::Yes;
        if is_renewed || record.agreed == Kind::ResumedTicket {
            let (renewed, all) = &mut servers[record.server as usize];
            *all += 1;
            renewed.extend(is_renewed.then_some(place));
        }
    }
    let renewing = case.by_address(servers).filter(|(_, (renewed, _))| !renewed.is_empty());
    let judged = renewing.map(|(address, (renewed, all))| {
        let under_another = renewed.iter().filter(|place| seals_under_another_key(case, **place)).count();
        let why = match under_another {
            0 => "under the same key".to_owned(),
            all if all == renewed.len() => "because it was sealed under another key".to_owned(),
            some => format!("{some} of them because it was sealed under another key"),
        };
        let summary = format!(
            "{address} renews the ticket inside the abbreviated handshake at {} of {}, {why}.",
            renewed.len(),
            count(all, "resumption"),
        );
        Draft::new(Name::InlineRenewal, Severity::Note, Certainty::Seen, summary)
            .shown_by(case, &renewed)
            .about([address])
            .done()
    });
    judged.collect()
}

fn seals_under_another_key(case: &Case<'_>, place: usize) -> bool {
    let opened = case.record(place).session().and_then(|session| case.graph.sessions()[session].key);
    opened.zip(case.timelines.sealed(place)).is_some_and(|(opened, sealed)| opened != sealed)
}
