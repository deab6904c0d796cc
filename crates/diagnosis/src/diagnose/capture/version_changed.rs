//! `version-changed`: a session is refused because the server now picks another version than it was made with.

use std::collections::BTreeMap;

use super::case::Case;
use super::refusal::Reason;
use super::sentence::{Draft, count, weight};
use crate::{Certainty, Finding, Name};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut servers = BTreeMap::<u32, Vec<usize>>::new();
    for refusal in case.refusals.iter().filter(|refusal| refusal.reason == Reason::Version) {
        servers.entry(case.record(refusal.connection).server).or_default().push(refusal.connection);
    }
    let judged = servers.into_iter().map(|(server, refused)| {
        let address = case.graph.servers()[server as usize];
        let all = case.offered_to(server).all;
        let version = case.record(refused[0]).version.map(|version| version.to_string()).unwrap_or_default();
        let summary = format!(
            "{address} now picks {version}, and so refuses sessions of another version: {} of {}.",
            refused.len(),
            count(all, "offer"),
        );
        Draft::new(Name::VersionChanged, weight(refused.len(), all), Certainty::Seen, summary)
            .shown_by(case, &refused)
            .costing(case, &refused)
            .about([address])
            .done()
    });
    judged.collect()
}
