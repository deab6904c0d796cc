//! `stale-session-alert`: the client answers an inline renewal with unexpected_message where parallel connections use one
//! session, as Chromium 45 did: the first renewal makes the session that the others know stale.

use super::case::Case;
use super::sentence::{Draft, clients, count, list, servers};
use crate::evidence::{Answer, Description, Kind};
use crate::session::Record;
use crate::{Certainty, Finding, Name, Severity, Side};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let stale = case.records().filter(|(place, _)| is_stale(case, *place)).map(|(place, _)| place).collect::<Vec<_>>();
    if stale.is_empty() {
        return Vec::new();
    }
    let (from, to) = (clients(case, &stale), servers(case, &stale));
    let summary = format!(
        "{} ends {} to {} with unexpected_message, when {} renews the ticket that a parallel connection had renewed.",
        list(&from),
        count(stale.len(), "connection"),
        list(&to),
        if to.len() == 1 { "it" } else { "one" },
    );
    let peers = stale.iter().map(|place| case.record(*place).client).chain(to.iter().copied()).collect::<Vec<_>>();
    let draft = Draft::new(Name::StaleSessionAlert, Severity::Problem, Certainty::Seen, summary);
    vec![draft.shown_by(case, &stale).with_cost(failed(stale.len())).about(peers).done()]
}

/// Whether the client broke a renewal off with unexpected_message, and offered the same session elsewhere meanwhile.
pub(super) fn is_stale(case: &Case<'_>, place: usize) -> bool {
    let record = case.record(place);
    let Some(session) = record.session().map(|session| &case.graph.sessions()[session]) else { return false };
    complains(record) && case.offers(session).any(|other| other != place && overlap(record, case.record(other)))
}

/// Whether it may have, because something is missing of what was said to the server meanwhile.
pub(super) fn may_be_stale(case: &Case<'_>, place: usize) -> bool {
    let record = case.record(place);
    complains(record) && case.is_partial(record.server, record.start, record.last)
}

fn complains(record: &Record) -> bool {
    record.kind == Kind::Aborted
        && record.renewed_inline == Answer::Yes
        && record.alerts().any(|alert| alert == (Side::Client, Description::UNEXPECTED_MESSAGE))
}

pub(super) fn failed(connections: usize) -> String {
    format!("{} failed, and had to be made again", count(connections, "connection"))
}

fn overlap(one: &Record, other: &Record) -> bool {
    one.start <= other.last && other.start <= one.last
}
