//! `client-never-offers`: the client never comes back with a session that it was given.

use super::case::Case;
use super::closed_before_tickets::left_before_tickets;
use super::sentence::{Draft, count};
use super::write_only_data_lost::leaves_tickets_unread;
use crate::evidence::Version;
use crate::session::{Given, Offered, Record};
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.pairs().filter_map(|((_, server), visits)| judge(case, server, visits)).collect()
}

fn judge(case: &Case<'_>, server: u32, visits: &[usize]) -> Option<Finding> {
    let offers = |place: &usize| !matches!(case.record(*place).offered, Offered::None | Offered::Unknown);
    if visits.len() <= FEWEST || visits.iter().any(offers) {
        return None;
    }
    let missed = missed(case, visits);
    if missed.len() < FEWEST {
        return None;
    }
    let (client, address) = (case.record(visits[0]).client, case.graph.servers()[server as usize]);
    let places = missed.iter().map(|(place, _)| *place).collect::<Vec<_>>();
    let is_seen = missed.iter().all(|(_, given)| *given == Given::Yes);
    let certainty = if is_seen { Certainty::Seen } else { Certainty::Inferred };
    let summary = format!(
        "{} never offers {address} a session that it was given before: {}, all full.",
        client.ip(),
        count(places.len(), "handshake"),
    );
    let draft = Draft::new(Name::ClientNeverOffers, Severity::Problem, certainty, summary);
    Some(draft.shown_by(case, &places).costing(case, &places).about([client, address]).done())
}

/// The connections on which a client could have offered what it had been given on an earlier one, by the same software. It
/// must have had the time: parallel connections have none.
fn missed(case: &Case<'_>, visits: &[usize]) -> Vec<(usize, Given)> {
    let mut missed = Vec::new();
    for (index, place) in visits.iter().enumerate() {
        let record = case.record(*place);
        let could_give = |earlier: &Record| {
            earlier.shape == record.shape
                && earlier.given.is_given()
                && earlier.established.is_some()
                && record.hello.is_some_and(|hello| earlier.was_left_by(hello))
                && earlier.client_ended.is_some()
                && may_have_read_tickets(earlier)
        };
        let mut before = visits[..index].iter().rev().take(FURTHEST_VISIT).map(|earlier| case.record(*earlier));
        let given = before.find(|earlier| could_give(earlier));
        if let (Offered::None, Some(earlier), Some(_)) = (record.offered, given, record.established) {
            missed.push((*place, earlier.given));
        }
    }
    missed
}

/// TLS 1.3 tickets come after the handshake. Who leaves without a word may not have waited for them, and who only writes does
/// not read them.
fn may_have_read_tickets(record: &Record) -> bool {
    record.version < Some(Version::TLS13)
        || (record.records.client > 0 && !left_before_tickets(record) && !leaves_tickets_unread(record))
}

const FEWEST: usize = 2;
// Of many connections at once, how many are looked at for one that was over.
const FURTHEST_VISIT: usize = 64;
