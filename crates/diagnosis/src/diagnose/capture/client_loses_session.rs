//! `client-loses-session`: the client has nothing to offer after an inline renewal, as nginx and stunnel have not, or after
//! any resumption.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::case::Case;
use super::client_keeps_old_ticket::{Adopted, adopted};
use super::sentence::{Draft, count, list, servers};
use crate::evidence::Answer;
use crate::session::{Offered, Record};
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut clients = BTreeMap::<IpAddr, Losses>::new();
    for ((client, _), visits) in case.pairs() {
        clients.entry(client).or_default().add(case, visits);
    }
    clients.into_iter().filter_map(|(client, losses)| losses.judge(case, client)).collect()
}

/// What a client has on the connection that follows a resumed one.
#[derive(Default)]
struct Losses {
    /// After an inline renewal: nothing.
    after_renewal: Vec<usize>,
    kept_after_renewal: usize,
    /// After another resumption: nothing.
    after_resumption: Vec<usize>,
    kept_after_resumption: usize,
}

impl Losses {
    fn add(&mut self, case: &Case<'_>, visits: &[usize]) {
        for (index, place) in visits.iter().enumerate() {
            let record = case.record(*place);
            if !record.kind.is_resumed() || record.is_partial() {
                continue;
            }
            let Some(next) = next_visit(case, record, &visits[index + 1..]) else { continue };
            let offered = case.record(next).offered;
            match (record.renewed_inline, offered) {
                (_, Offered::Unknown) | (Answer::Unknown, _) => {}
                (Answer::Yes, Offered::None) if adopted(case, *place) == Adopted::Neither => {
                    self.after_renewal.push(next);
                }
                (Answer::Yes, _) => self.kept_after_renewal += 1,
                (Answer::No, Offered::None) => self.after_resumption.push(next),
                (Answer::No, _) => self.kept_after_resumption += 1,
            }
        }
    }

    fn judge(&self, case: &Case<'_>, client: IpAddr) -> Option<Finding> {
        let Self { after_renewal, kept_after_renewal, after_resumption, kept_after_resumption } = self;
        let (lost, severity, after) = if !after_renewal.is_empty() && *kept_after_renewal == 0 {
            // Who forgets its sessions now and then, or is many clients, does so after any resumption.
            let contrast = after_resumption.len() < *kept_after_resumption;
            (after_renewal, if contrast { Severity::Problem } else { Severity::Note }, "the ticket was renewed inline")
        } else if after_resumption.len() > 1 && after_resumption.len() > *kept_after_resumption {
            (after_resumption, Severity::Note, "a session was resumed")
        } else {
            return None;
        };
        let to = servers(case, lost);
        let summary = format!(
            "{client} has nothing to offer {} on the connection after one on which {after}: {}.",
            list(&to),
            count(lost.len(), "time"),
        );
        let draft = Draft::new(Name::ClientLosesSession, severity, Certainty::Inferred, summary);
        let peers = to.into_iter().chain([case.record(lost[0]).client]);
        Some(draft.shown_by(case, lost).costing(case, lost).about(peers).done())
    }
}

/// The first connection of the same software that began once this one was over.
pub(super) fn next_visit(case: &Case<'_>, record: &Record, later: &[usize]) -> Option<usize> {
    let follows = |next: &&usize| {
        let next = case.record(**next);
        next.shape == record.shape && next.hello.is_some_and(|hello| record.was_left_by(hello))
    };
    later.iter().take(FURTHEST_VISIT).find(follows).copied()
}

const FURTHEST_VISIT: usize = 64;
