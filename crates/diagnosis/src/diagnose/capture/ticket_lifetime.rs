//! `ticket-lifetime`: tickets are good for longer than RFC 8446 §4.6.1 allows, or for too short a time to be of use.

use std::collections::BTreeMap;
use std::time::Duration;

use super::case::Case;
use super::sentence::{Draft, count};
use crate::evidence::Version;
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut odd = BTreeMap::<(u32, bool), Vec<(usize, Duration)>>::new();
    for session in case.graph.sessions() {
        for issue in case.graph.issues(session) {
            let Some(lifetime) = issue.lifetime() else { continue };
            let record = case.record(issue.connection());
            let is_long = lifetime > LONGEST && record.version >= Some(Version::TLS13);
            if is_long || lifetime < SHORTEST {
                odd.entry((record.server, is_long)).or_default().push((issue.connection(), lifetime));
            }
        }
    }
    let judged = odd.into_iter().map(|((server, is_long), mut issued)| {
        issued.sort_unstable();
        issued.dedup_by_key(|(place, _)| *place);
        let address = case.graph.servers()[server as usize];
        let places = issued.iter().map(|(place, _)| *place).collect::<Vec<_>>();
        let (severity, what) = match is_long {
            true => (Severity::Problem, "longer than the 604800 s that are allowed"),
            false => (Severity::Note, "too short for most clients to come back"),
        };
        let summary = format!(
            "{address} issues tickets for {} s, {what}: on {}.",
            issued[0].1.as_secs(),
            count(places.len(), "connection"),
        );
        Draft::new(Name::TicketLifetime, severity, Certainty::Seen, summary)
            .shown_by(case, &places)
            .about([address])
            .done()
    });
    judged.collect()
}

// RFC 8446 §4.6.1: a week.
const LONGEST: Duration = Duration::from_secs(604_800);
const SHORTEST: Duration = Duration::from_secs(60);
