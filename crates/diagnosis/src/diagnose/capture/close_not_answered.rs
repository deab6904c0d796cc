//! `close-not-answered`: the server does not answer close_notify with its own. RFC 8446 §6.1 lets it, but clients that wait
//! for it wait in vain, and cannot tell its end from an attacker's.

use super::case::Case;
use super::sentence::{Draft, count};
use crate::evidence::Close;
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut servers = case.for_servers::<(Vec<usize>, usize)>();
    for (place, record) in case.records().filter(|(_, record)| record.established.is_some()) {
        let (unanswered, answered) = &mut servers[record.server as usize];
        match (record.close.client, record.close.server) {
            (Close::Clean, Close::Truncated) => unanswered.push(place),
            (Close::Clean, Close::Clean) => *answered += 1,
            _ => {}
        }
    }
    let silent = case
        .by_address(servers)
        .filter(|(_, (unanswered, answered))| unanswered.len() >= FEWEST && unanswered.len() > MOST * answered);
    let judged = silent.map(|(address, (unanswered, _))| {
        let summary = format!(
            "{address} ends without close_notify where the client sent one: {}.",
            count(unanswered.len(), "connection")
        );
        Draft::new(Name::CloseNotAnswered, Severity::Note, Certainty::Inferred, summary)
            .shown_by(case, &unanswered)
            .about([address])
            .done()
    });
    judged.collect()
}

const FEWEST: usize = 3;
const MOST: usize = 4;
