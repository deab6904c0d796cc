//! Tickets that come before the application said anything, and what that does to a client that never reads.

use super::finding;
use super::ways::WayReport;
use crate::evidence::{Connection, Examination, Trial, Version, WriteOnly};
use crate::finding::{Certainty, Finding, Name, Severity};

pub(super) fn findings(examination: &Examination, _: &[WayReport]) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(examination.write_only.as_ref().and_then(|tried| data_lost(examination, tried)));
    findings.extend(eager(examination));
    findings
}

fn eager(examination: &Examination) -> Option<Finding> {
    // In TLS 1.2 a ticket is part of the handshake.
    let tls13 = |trial: &&Trial| trial.connection.version() >= Some(Version::TLS13);
    let trials = examination.trials.iter().filter(|trial| trial.unasked > 0).filter(tls13);
    // Those of the first flight, as Go sends them, are read with it.
    let (first, bytes) = trials.map(|trial| (trial, unasked(&trial.connection))).find(|(_, bytes)| *bytes > 0)?;
    let summary = format!("{} sends tickets before its application has anything to say", examination.name);
    let tickets = if first.unasked == 1 { "a ticket".to_owned() } else { format!("{} tickets", first.unasked) };
    let evidence =
        vec![format!("{tickets}, {bytes} bytes, came after Finished and before the client had said anything")];
    let found = finding(examination, Name::EagerTickets, Severity::Note, summary, evidence);
    let cost = "nothing where clients read; one that only writes may lose data (--intrusive tries it)";
    Some(Finding { cost: cost.to_owned(), ..found })
}

/// How much the server said after the client's Finished and before its application spoke, in bytes.
fn unasked(connection: &Connection) -> u32 {
    let spoken = connection.application.client.first;
    let before = connection.sealed.iter().filter(|record| spoken.is_none_or(|spoken| record.at < spoken));
    before.map(|record| u32::from(record.length)).sum()
}

/// What was not acknowledged when the client's kernel reset the connection is gone; what the server's application had not
/// read by then may be, too, which cannot be seen from here.
fn data_lost(examination: &Examination, tried: &WriteOnly) -> Option<Finding> {
    if tried.unasked == 0 || tried.unacknowledged == 0 {
        return None;
    }
    let summary = format!("a client of {} that writes and never reads loses data", examination.name);
    let evidence = vec![
        format!(
            "{} bytes were written, and the socket was closed with what the server had said unasked unread: a reset",
            tried.written
        ),
        format!("{} bytes had not been acknowledged by then: the reset threw them away", tried.unacknowledged),
    ];
    let found = finding(examination, Name::WriteOnlyDataLost, Severity::Problem, summary, evidence);
    Some(Finding {
        certainty: Certainty::Seen,
        cost: format!("the end of what such a client writes: here {} of {} bytes", tried.unacknowledged, tried.written),
        ..found
    })
}
