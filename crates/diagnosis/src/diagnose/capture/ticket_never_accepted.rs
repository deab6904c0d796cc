//! `ticket-never-accepted`: the server issues tickets and refuses every one.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::refusal::{Reason, Refusal};
use super::sentence::{Draft, count};
use super::session_forgotten::forgotten;
use crate::session::Offered;
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut servers = BTreeMap::<u32, Vec<&Refusal>>::new();
    let forgotten = forgotten(case).into_values().flatten().collect::<BTreeSet<_>>();
    for refusal in &case.refusals {
        let record = case.record(refusal.connection);
        let counts = match refusal.reason {
            Reason::SameKey => refusal.is_seen, // or it is another node's, for all that TLS 1.3 shows
            Reason::KeyGone { .. } => true,
            Reason::Forgotten { .. } | Reason::UncleanClose { .. } => forgotten.contains(&refusal.connection),
            _ => false,
        };
        if counts && record.offered != Offered::SessionId {
            servers.entry(record.server).or_default().push(refusal);
        }
    }
    let never =
        |(server, refusals): &(u32, Vec<_>)| refusals.len() > 1 && case.offered_to(*server).resumed_tickets == 0;
    let judged = servers.into_iter().filter(never).map(|(server, refusals)| {
        let address = case.graph.servers()[server as usize];
        let refused = refusals.iter().map(|refusal| refusal.connection).collect::<Vec<_>>();
        let gone = refusals.iter().filter(|refusal| matches!(refusal.reason, Reason::KeyGone { .. })).count();
        // Where the key is another one each time, other nodes may be behind the address, each good for its own.
        let (severity, certainty, why) = match gone * 2 > refused.len() {
            true => (Severity::Note, Certainty::Inferred, ", and issues one under another key each time"),
            false => (Severity::Problem, Certainty::Seen, ""),
        };
        let summary =
            format!("{address} issues tickets and refuses every one{why}: {}.", count(refused.len(), "offer"));
        Draft::new(Name::TicketNeverAccepted, severity, certainty, summary)
            .shown_by(case, &refused)
            .costing(case, &refused)
            .about([address])
            .done()
    });
    judged.collect()
}
