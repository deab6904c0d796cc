//! `policy-not-bound`: a session that was made for one name is resumed for another. What a capture does not show is whether
//! the two ask for client certificates alike, so it is a note.

use std::collections::BTreeMap;

use super::case::Case;
use super::sentence::{Draft, count, list};
use crate::session::Record;
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut servers = BTreeMap::<u32, Vec<usize>>::new();
    let named = |record: &Record| record.agreed.is_resumed() && record.server_name.is_some();
    for (place, record) in case.records().filter(|(_, record)| named(record)) {
        let origin = record.session().and_then(|session| case.origin(session, place));
        let Some(origin) = origin.filter(|origin| origin.is_seen) else { continue };
        let before = case.record(origin.connection).server_name;
        if before.is_some() && before != record.server_name {
            servers.entry(record.server).or_default().push(place);
        }
    }
    let judged = servers.into_iter().map(|(server, resumed)| {
        let address = case.graph.servers()[server as usize];
        let names = resumed.iter().filter_map(|place| case.graph.server_name(case.record(*place)));
        let summary = format!(
            "{address} resumes sessions of one name under another, {}: {}.",
            list(names),
            count(resumed.len(), "time")
        );
        Draft::new(Name::PolicyNotBound, Severity::Note, Certainty::Seen, summary)
            .shown_by(case, &resumed)
            .about([address])
            .done()
    });
    judged.collect()
}
