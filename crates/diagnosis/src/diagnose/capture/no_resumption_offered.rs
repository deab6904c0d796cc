//! `no-resumption-offered`: the server gives its clients nothing to come back with.

use std::collections::BTreeMap;

use super::case::Case;
use super::sentence::{Draft, count};
use crate::session::{Given, Record};
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut servers = BTreeMap::<u32, Vec<(usize, &Record)>>::new();
    for (place, record) in case.records().filter(|(_, record)| record.established.is_some()) {
        servers.entry(record.server).or_default().push((place, record));
    }
    let judged = servers.into_iter().filter_map(|(server, all)| {
        let withheld = all.iter().filter(|(_, record)| record.given.is_withheld()).collect::<Vec<_>>();
        let gives = all.iter().any(|(_, record)| record.given.is_given() || record.agreed.is_resumed());
        if gives || withheld.len() < FEWEST {
            return None;
        }
        let address = case.graph.servers()[server as usize];
        let asked = withheld.iter().filter(|(_, record)| record.takes_tickets()).count();
        let places = withheld.iter().map(|(place, _)| *place).collect::<Vec<_>>();
        let (severity, why) = match asked {
            0 => (Severity::Note, "no session ID, and its clients do not ask for tickets"),
            _ => (Severity::Problem, "neither session IDs nor tickets"),
        };
        let is_seen = withheld.iter().all(|(_, record)| record.given == Given::No);
        let certainty = if is_seen { Certainty::Seen } else { Certainty::Inferred };
        let summary = format!("{address} gives {why}: {}, all full.", count(places.len(), "handshake"));
        let draft = Draft::new(Name::NoResumptionOffered, severity, certainty, summary);
        Some(draft.shown_by(case, &places).costing(case, &places[1..]).about([address]).done())
    });
    judged.collect()
}

// Once or twice may be a matter of those clients.
const FEWEST: usize = 3;
