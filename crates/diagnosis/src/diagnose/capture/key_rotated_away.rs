//! `key-rotated-away`: a ticket inside its lifetime is refused because its key is gone: rotated too soon, or lost at a restart.

use std::collections::BTreeMap;

use super::case::{Case, Offers};
use super::refusal::{Reason, Refusal};
use super::sentence::{Draft, count, weight};
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut servers = BTreeMap::<u32, Vec<&Refusal>>::new();
    for refusal in case.refusals.iter().filter(|refusal| matches!(refusal.reason, Reason::KeyGone { .. })) {
        servers.entry(case.record(refusal.connection).server).or_default().push(refusal);
    }
    let judged = servers.into_iter().map(|(server, refusals)| {
        let refused = refusals.iter().map(|refusal| refusal.connection).collect::<Vec<_>>();
        let Offers { tickets: all, resumed_tickets: resumed, .. } = case.offered_to(server);
        let severity = if resumed == 0 { Severity::Note } else { weight(refused.len(), all) };
        let keys = refusals.iter().filter_map(|refusal| match refusal.reason {
            Reason::KeyGone { key } => Some(key),
            _ => None,
        });
        let keys = keys.map(|key| case.graph.key_name(key).to_string()).collect::<Vec<_>>();
        let address = case.graph.servers()[server as usize];
        let summary = format!(
            "{address} refuses tickets under {} that it issued or opened before, though they are not expired: {} of {}.",
            super::sentence::list(keys.iter().map(|name| format!("key {}", name.get(..8).unwrap_or(name)))),
            refused.len(),
            count(all, "offer"),
        );
        let mut draft = Draft::new(Name::KeyRotatedAway, severity, Certainty::Inferred, summary);
        if resumed == 0 {
            draft = draft.because("No ticket ever resumed here, to compare with.".to_owned());
        }
        draft.shown_by(case, &refused).costing(case, &refused).about([address]).done()
    });
    judged.collect()
}
