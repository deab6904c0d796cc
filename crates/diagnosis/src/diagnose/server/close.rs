//! What the end of a connection does to its session, and how the server ends its own side.

use super::ways::{self, WayReport};
use super::{cost, finding};
use crate::Side;
use crate::evidence::{Answer, Close, CloseNotify, Ending, Examination, Trial, Way};
use crate::finding::{Finding, Name, Severity};

pub(super) fn findings(examination: &Examination, reports: &[WayReport]) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(unclean_close_invalidates(examination, reports));
    findings.extend(close_not_answered(examination));
    findings
}

/// Only the contrast counts: what resumes after a clean close, each time, and after another end never, each twice at least.
fn unclean_close_invalidates(examination: &Examination, reports: &[WayReport]) -> Option<Finding> {
    let seen = |way: Way, ending: Ending, wanted: Answer| {
        ways::ended(examination, way, ending).filter(|trial| trial.resumed() == wanted).count()
    };
    let lost = |way: Way, ending: Ending| {
        seen(way, ending, Answer::No) >= 2
            && seen(way, ending, Answer::Yes) == 0
            && seen(way, Ending::Clean, Answer::Yes) >= 2
            && seen(way, Ending::Clean, Answer::No) == 0
    };
    let found: Vec<(Way, Ending)> = reports
        .iter()
        .flat_map(|report| [Ending::Fin, Ending::Reset].map(|ending| (report.way, ending)))
        .filter(|(way, ending)| lost(*way, *ending))
        .collect();
    let (first, _) = found.first()?;
    let mut ends: Vec<Ending> = found.iter().map(|(_, ending)| *ending).collect();
    ends.sort_unstable();
    ends.dedup();
    let ends: Vec<String> = ends.iter().map(Ending::to_string).collect();
    let summary = format!("{} forgets a session whose connection ended by {}", examination.name, ends.join(" or "));
    let evidence = found.iter().map(|(way, ending)| {
        format!(
            "{way}: after {ending} {} of {} sessions were refused, after close_notify all {} resumed",
            seen(*way, *ending, Answer::No),
            seen(*way, *ending, Answer::No),
            seen(*way, Ending::Clean, Answer::Yes)
        )
    });
    // Clients that speak tickets do not notice what becomes of a session ID.
    let covered = |(way, ending): &(Way, Ending)| {
        *way == Way::SessionId && seen(Way::Ticket, *ending, Answer::Yes) > 0 && !lost(Way::Ticket, *ending)
    };
    let severity = if found.iter().all(covered) { Severity::Note } else { Severity::Problem };
    let who = if severity == Severity::Note { "client without tickets" } else { "client" };
    let cost = cost::of_full_handshakes(examination, first.version());
    let found = finding(examination, Name::UncleanCloseInvalidates, severity, summary, evidence.collect());
    Some(Finding { cost: format!("for each {who} that ends its connections so, {cost}"), ..found })
}

/// A client that waits for close_notify waits in vain.
fn close_not_answered(examination: &Examination) -> Option<Finding> {
    let closed: Vec<&Trial> = examination.trials.iter().filter(|trial| was_closed_cleanly(trial)).collect();
    let bad: Vec<Close> = closed.iter().map(|trial| trial.connection.close(Side::Server)).collect();
    // One that does it now and then has been overtaken, perhaps, by the end of the connection.
    if bad.len() < 2 || bad.contains(&Close::Clean) {
        return None;
    }
    let count = |wanted| bad.iter().filter(|close| **close == wanted).count();
    let ends = [(Close::Truncated, "a FIN"), (Close::Reset, "a reset"), (Close::Open, "silence")];
    let seen: Vec<String> = ends
        .iter()
        .filter(|(close, _)| count(*close) > 0)
        .map(|(close, what)| format!("{what} ({} times)", count(*close)))
        .collect();
    if seen.is_empty() {
        return None;
    }
    let summary = format!("{} does not answer close_notify by its own", examination.name);
    let evidence = vec![format!("what followed close_notify: {}", seen.join(", "))];
    let found = finding(examination, Name::CloseNotAnswered, Severity::Note, summary, evidence);
    let cost = if count(Close::Open) > 0 {
        "a client that waits for the server's end waits until its own patience ends"
    } else {
        "a client that takes an end without close_notify for an error reports one"
    };
    Some(Finding { cost: cost.to_owned(), ..found })
}

/// Whether the client's close_notify came before any end of the server's.
fn was_closed_cleanly(trial: &Trial) -> bool {
    let end = &trial.connection.end;
    trial.ending == Ending::Clean
        && trial.failure.is_none()
        && trial.connection.is_established()
        && match end.client.close_notify {
            CloseNotify::Sent(at) | CloseNotify::Likely(at) => end.server.fin.is_none_or(|fin| fin >= at),
            CloseNotify::None => false,
        }
}
