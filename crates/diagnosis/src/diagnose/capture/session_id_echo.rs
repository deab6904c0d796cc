//! `session-id-echo`: the server resumes a ticket and does not echo the session ID (RFC 5077 §3.4), by which clients see that
//! it did; or answers with another in TLS 1.3 (RFC 8446 §4.1.3).

use std::collections::BTreeMap;

use super::case::Case;
use super::sentence::{Draft, count};
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut servers = BTreeMap::<u32, Vec<usize>>::new();
    for (place, record) in case.records().filter(|(_, record)| record.has_other_session_id()) {
        servers.entry(record.server).or_default().push(place);
    }
    let judged = servers.into_iter().map(|(server, places)| {
        let address = case.graph.servers()[server as usize];
        let summary =
            format!("{address} does not echo the client's session ID where it must: {}.", count(places.len(), "time"));
        Draft::new(Name::SessionIdEcho, Severity::Problem, Certainty::Seen, summary)
            .shown_by(case, &places)
            .about([address])
            .done()
    });
    judged.collect()
}
