//! `no-resumption-offered`: the server gives its clients nothing to come back with.

use super::case::Case;
use super::sentence::{Draft, count};
use crate::session::Given;
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut servers = case.for_servers::<(bool, Vec<usize>)>();
    for (place, record) in case.records().filter(|(_, record)| record.established.is_some()) {
        let (gives, withheld) = &mut servers[record.server as usize];
        *gives |= record.given.is_given() || record.agreed.is_resumed();
        withheld.extend(record.given.is_withheld().then_some(place));
    }
    let all = case.by_address(servers);
    let judged =
        all.filter(|(_, (gives, withheld))| !gives && withheld.len() >= FEWEST).map(|(address, (_, places))| {
            let asked = places.iter().any(|place| case.record(*place).takes_tickets());
            let (severity, why) = match asked {
                false => (Severity::Note, "no session ID, and its clients do not ask for tickets"),
                true => (Severity::Problem, "neither session IDs nor tickets"),
            };
            let is_seen = places.iter().all(|place| case.record(*place).given == Given::No);
            let certainty = if is_seen { Certainty::Seen } else { Certainty::Inferred };
            let summary = format!("{address} gives {why}: {}, all full.", count(places.len(), "handshake"));
            let draft = Draft::new(Name::NoResumptionOffered, severity, certainty, summary);
            draft.shown_by(case, &places).costing(case, &places[1..]).about([address]).done()
        });
    judged.collect()
}

// Once or twice may be a matter of those clients.
const FEWEST: usize = 3;
