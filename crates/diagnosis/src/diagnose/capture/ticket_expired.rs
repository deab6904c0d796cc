//! `ticket-expired`: a ticket is refused for its age.

use std::collections::BTreeMap;
use std::time::Duration;

use super::case::Case;
use super::refusal::Reason;
use super::sentence::{Draft, count, weight};
use crate::{Certainty, Finding, Name};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut servers = BTreeMap::<u32, Vec<(usize, Duration, Duration)>>::new();
    for refusal in &case.refusals {
        if let Reason::Expired { age, lifetime } = refusal.reason {
            let server = case.record(refusal.connection).server;
            servers.entry(server).or_default().push((refusal.connection, age, lifetime));
        }
    }
    let judged = servers.into_iter().map(|(server, expired)| {
        let address = case.graph.servers()[server as usize];
        let refused = expired.iter().map(|(place, ..)| *place).collect::<Vec<_>>();
        let all = case.offered_to(server).tickets;
        let shortest = expired.iter().map(|(_, _, lifetime)| *lifetime).min().unwrap_or_default();
        let oldest = expired.iter().map(|(_, age, _)| *age).max().unwrap_or_default();
        let summary = format!(
            "{address} refuses tickets for their age: {} of {}, up to {:.0} s old where they are good for {} s.",
            refused.len(),
            count(all, "offer"),
            oldest.as_secs_f64(),
            shortest.as_secs(),
        );
        Draft::new(Name::TicketExpired, weight(refused.len(), all), Certainty::Seen, summary)
            .shown_by(case, &refused)
            .costing(case, &refused)
            .about([address])
            .done()
    });
    judged.collect()
}
