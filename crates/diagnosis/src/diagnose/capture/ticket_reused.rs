//! `ticket-reused`: a TLS 1.3 ticket is used again where that does harm: the server takes early data with it twice, which may
//! be a replay (RFC 8446 §8), or it has dropped it after the first use.

use super::case::Case;
use super::refusal::Reason;
use super::sentence::{Draft, count, list, servers};
use crate::session::{Offered, Session};
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    early_data_twice(case).into_iter().chain(single_use(case)).collect()
}

fn early_data_twice(case: &Case<'_>) -> Option<Finding> {
    let again = |session: &Session| {
        let took = case.offers(session).filter(|place| case.record(*place).took_early_data());
        took.skip(1).collect::<Vec<_>>()
    };
    let mut places = case.graph.sessions().iter().flat_map(again).collect::<Vec<_>>();
    places.sort_unstable();
    if places.is_empty() {
        return None;
    }
    let to = servers(case, &places);
    let summary =
        format!("{} accepts early data more than once with one ticket: {}.", list(&to), count(places.len(), "time"));
    let draft = Draft::new(Name::TicketReused, Severity::Problem, Certainty::Seen, summary);
    Some(draft.shown_by(case, &places).about(to).done())
}

fn single_use(case: &Case<'_>) -> Option<Finding> {
    let refused = case.refusals.iter().filter(|refusal| {
        refusal.reason == Reason::Forgotten { worked: true } && case.record(refusal.connection).offered == Offered::Psk
    });
    let places = refused.map(|refusal| refusal.connection).collect::<Vec<_>>();
    if places.is_empty() {
        return None;
    }
    let to = servers(case, &places);
    let summary = format!(
        "{} refuses TLS 1.3 tickets that had worked once, as a server does that takes each only once: {}.",
        list(&to),
        count(places.len(), "offer"),
    );
    let draft = Draft::new(Name::TicketReused, Severity::Note, Certainty::Inferred, summary);
    Some(draft.shown_by(case, &places).costing(case, &places).about(to).done())
}
