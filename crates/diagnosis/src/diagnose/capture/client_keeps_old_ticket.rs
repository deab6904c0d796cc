//! `client-keeps-old-ticket`: the client goes on offering the ticket that it had before an inline renewal.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::case::Case;
use super::client_loses_session::next_visit;
use super::sentence::{Draft, count, list, servers};
use crate::evidence::Answer;
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut clients = BTreeMap::<IpAddr, Vec<usize>>::new();
    for ((client, _), visits) in case.pairs() {
        let kept = visits.iter().enumerate().filter_map(|(index, place)| {
            let record = case.record(*place);
            if !record.kind.is_resumed() || record.renewed_inline != Answer::Yes {
                return None;
            }
            let next = next_visit(case, record, &visits[index + 1..])?;
            let same = case.record(next).session() == record.session();
            (same && adopted(case, *place) == Adopted::Old).then_some(next)
        });
        let kept = kept.collect::<Vec<_>>();
        if !kept.is_empty() {
            clients.entry(client).or_default().extend(kept);
        }
    }
    let judged = clients.into_iter().map(|(client, kept)| {
        let to = servers(case, &kept);
        let summary = format!(
            "{client} goes on offering {} a ticket that was renewed inline before: {}.",
            list(&to),
            count(kept.len(), "time"),
        );
        Draft::new(Name::ClientKeepsOldTicket, Severity::Note, Certainty::Seen, summary)
            .shown_by(case, &kept)
            .with_cost("The ticket is renewed again each time, and refused once its key is gone".to_owned())
            .about(to.into_iter().chain([case.record(kept[0]).client]))
            .done()
    });
    judged.collect()
}

/// Which ticket a client went on with after an inline renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adopted {
    /// The new one, sooner or later.
    New,
    /// The old one.
    Old,
    Neither,
}

/// What became of the renewal on the connection at `place`.
pub(super) fn adopted(case: &Case<'_>, place: usize) -> Adopted {
    let record = case.record(place);
    let Some(old) = record.session() else { return Adopted::Neither };
    let offered_later = |session: usize| {
        let offers = case.graph.offers(&case.graph.sessions()[session]);
        offers.last().is_some_and(|offer| record.was_left_by(offer.at))
    };
    let new = case.issued_on(place).any(|session| session != old && offered_later(session));
    match (new, offered_later(old)) {
        (true, _) => Adopted::New,
        (false, true) => Adopted::Old,
        (false, false) => Adopted::Neither,
    }
}
