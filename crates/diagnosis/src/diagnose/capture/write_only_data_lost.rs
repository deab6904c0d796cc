//! `write-only-data-lost`: a client that only writes closes with tickets unread, its system resets the connection, and what it
//! had written is lost; and `eager-tickets`, the server that sends them before its application has anything to say.

use super::case::Case;
use super::sentence::{Draft, clients, count, list, servers};
use crate::evidence::{Close, Version};
use crate::session::Record;
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let lost = case.records().filter(|(_, record)| loses_data(record)).map(|(place, _)| place).collect::<Vec<_>>();
    if lost.is_empty() {
        return Vec::new();
    }
    let (from, to) = (clients(case, &lost), servers(case, &lost));
    let bytes = lost.iter().map(|place| case.record(*place).bytes.client).sum::<u64>();
    let summary = format!(
        "{} writes to {}, never reads, and resets {} with the server's tickets unread: what was on its way is lost.",
        list(&from),
        list(&to),
        count(lost.len(), "connection"),
    );
    let peers = lost.iter().map(|place| case.record(*place).client).chain(to.iter().copied()).collect::<Vec<_>>();
    let data = Draft::new(Name::WriteOnlyDataLost, Severity::Problem, Certainty::Inferred, summary)
        .shown_by(case, &lost)
        .with_cost(format!("What the client wrote may be lost: {bytes} bytes of it were seen, encryption included"))
        .about(peers);
    let summary = format!("{} sends TLS 1.3 tickets before its application has written anything.", list(&to));
    let eager = Draft::new(Name::EagerTickets, Severity::Note, Certainty::Inferred, summary)
        .shown_by(case, &lost)
        .about(to.iter().copied());
    vec![data.done(), eager.done()]
}

/// Whether the client wrote, and reset the connection with what may be tickets unread.
fn loses_data(record: &Record) -> bool {
    record.established.is_some()
        && !record.is_partial()
        && record.close.client == Close::Reset
        && leaves_tickets_unread(record)
        && record.records.client >= FEWEST_RECORDS
}

/// Whether the server said nothing but what may be tickets, and the client reset the connection, or may have.
pub(super) fn leaves_tickets_unread(record: &Record) -> bool {
    record.version >= Some(Version::TLS13)
        && matches!(record.close.client, Close::Reset | Close::Unknown)
        && record.has_only_tickets()
}

// A request, whose answer a lossy capture may not have, takes one.
const FEWEST_RECORDS: u32 = 2;
