//! `session-forgotten`: the server forgets sessions that it was to keep; and `session-ids-never-resumed`, where it never
//! resumed one.

use std::collections::BTreeMap;

use super::case::Case;
use super::refusal::{Reason, Refusal};
use super::sentence::{Draft, count, weight};
use super::unclean_close::is_to_blame;
use crate::session::Offered;
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let forgotten = forgotten(case);
    let judged = forgotten.into_iter().filter_map(|(server, refused)| {
        let address = case.graph.servers()[server as usize];
        let resumed = case.offered_to(server).resumed_kept;
        let by_id = refused.iter().copied().filter(|place| case.record(*place).offered == Offered::SessionId);
        let by_id = by_id.collect::<Vec<_>>();
        if resumed == 0 && by_id.is_empty() {
            return None; // TLS 1.3: they look like tickets, and are counted as such.
        }
        let draft = if resumed == 0 {
            let severity = if by_id.len() > 1 { Severity::Problem } else { Severity::Note };
            let summary = format!(
                "{address} issues session IDs and never resumes one: {} refused.",
                count(by_id.len(), "offer"),
            );
            Draft::new(Name::SessionIdsNeverResumed, severity, Certainty::Inferred, summary)
        } else {
            let severity = weight(refused.len(), refused.len() + resumed);
            let summary = format!(
                "{address} forgets sessions: {} refused, where {} resumed.",
                count(refused.len(), "offer"),
                count(resumed, "other"),
            );
            Draft::new(Name::SessionForgotten, severity, Certainty::Seen, summary)
        };
        let refused = if resumed == 0 { &by_id } else { &refused };
        Some(draft.shown_by(case, refused).costing(case, refused).about([address]).done())
    });
    judged.collect()
}

/// The refusals, by server, of sessions that were forgotten for no better reason.
pub(super) fn forgotten(case: &Case<'_>) -> BTreeMap<u32, Vec<usize>> {
    let mut forgotten = BTreeMap::<u32, Vec<usize>>::new();
    for Refusal { connection, reason, .. } in &case.refusals {
        let server = case.record(*connection).server;
        let counts = match reason {
            Reason::Forgotten { .. } => true,
            Reason::UncleanClose { ended } => !is_to_blame(case.tallies.get(&server), case.record(*ended).close.client),
            _ => false,
        };
        if counts {
            forgotten.entry(server).or_default().push(*connection);
        }
    }
    forgotten
}
