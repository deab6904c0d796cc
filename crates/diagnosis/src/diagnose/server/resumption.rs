//! Sessions that are not given, or not taken back.

use super::ways::{Verdict, WayReport};
use super::{cost, finding, nodes};
use crate::evidence::{Answer, Examination, Experiment, Version, Way};
use crate::finding::{Finding, Name, Severity};

pub(super) fn findings(examination: &Examination, ways: &[WayReport]) -> Vec<Finding> {
    let [psk, ticket, session_id] = Way::ALL.map(|way| ways.iter().find(|report| report.way == way));
    let (Some(psk), Some(ticket), Some(session_id)) = (psk, ticket, session_id) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let apart = [psk, ticket].into_iter().find_map(|report| nodes::apart(examination, report.way));
    // What is refused by one node for the key of another is not refused by all.
    findings.extend(apart.or_else(|| never_accepted(examination, &[psk, ticket])));
    findings.extend(ids_never_resumed(examination, session_id, ticket, psk));
    findings.extend(nothing_offered(examination, psk, ticket, session_id));
    findings.extend(echo(examination));
    findings
}

fn never_accepted(examination: &Examination, ways: &[&WayReport]) -> Option<Finding> {
    let refused: Vec<&&WayReport> = ways.iter().filter(|report| report.verdict == Verdict::Refused).collect();
    let version = refused.first()?.way.version();
    let names: Vec<String> = refused.iter().map(|report| report.way.version().to_string()).collect();
    let summary = format!("{} refuses its own tickets in {}", examination.name, names.join(" and "));
    let evidence = refused.iter().map(|report| refusals(examination, report.way)).collect();
    let found = finding(examination, Name::TicketNeverAccepted, Severity::Problem, summary, evidence);
    Some(Finding { cost: cost::of_full_handshakes(examination, version), ..found })
}

fn ids_never_resumed(
    examination: &Examination,
    session_id: &WayReport,
    ticket: &WayReport,
    psk: &WayReport,
) -> Option<Finding> {
    if session_id.verdict != Verdict::Refused {
        return None;
    }
    // Clients that speak tickets do not notice.
    let others = ticket.verdict == Verdict::Resumes || psk.verdict == Verdict::Resumes;
    let severity = if others { Severity::Note } else { Severity::Problem };
    let summary = format!("{} gives out session IDs, and none resumes", examination.name);
    let evidence = vec![refusals(examination, Way::SessionId)];
    let found = finding(examination, Name::SessionIdsNeverResumed, severity, summary, evidence);
    let of = if ticket.verdict == Verdict::Resumes { "for clients without tickets, " } else { "" };
    Some(Finding { cost: format!("{of}{}", cost::of_full_handshakes(examination, Way::SessionId.version())), ..found })
}

fn nothing_offered(
    examination: &Examination,
    psk: &WayReport,
    ticket: &WayReport,
    session_id: &WayReport,
) -> Option<Finding> {
    let not = |report: &WayReport| report.verdict == Verdict::NotOffered;
    let tls13 = not(psk);
    let tls12 = not(ticket) && not(session_id);
    let (severity, version, which) = match (tls13, tls12) {
        (true, true) => (Severity::Problem, psk.way.version(), "in any version"),
        (true, false) => (Severity::Problem, psk.way.version(), "in TLS 1.3, which most clients speak"),
        (false, true) if psk.verdict == Verdict::Resumes => (Severity::Note, ticket.way.version(), "in TLS 1.2"),
        (false, true) => (Severity::Problem, ticket.way.version(), "in TLS 1.2"),
        (false, false) => return None,
    };
    let summary = format!("{} offers no way to resume {which}", examination.name);
    let mut evidence = Vec::new();
    if tls13 {
        let count = full(examination, Way::Psk);
        evidence
            .push(format!("TLS 1.3: no ticket came in {count} full handshakes, nor with the answers that followed"));
    }
    if tls12 {
        evidence.push("TLS 1.2: ServerHello has no session ID, and no ticket follows".to_owned());
    }
    let found = finding(examination, Name::NoResumptionOffered, severity, summary, evidence);
    Some(Finding { cost: cost::of_full_handshakes(examination, version), ..found })
}

/// A server that resumes without echoing the session ID (RFC 5077 §3.4, RFC 8446 §4.1.3).
fn echo(examination: &Examination) -> Option<Finding> {
    let wrong = examination.trials.iter().find_map(|trial| {
        let (hello, answer) = (trial.connection.client_hello.as_ref()?, trial.connection.server_hello.as_ref()?);
        let must = trial.connection.agreed().is_resumed() || answer.version >= Version::TLS13;
        (must && hello.session_id != answer.session_id).then_some((trial.way, hello.session_id, answer.session_id))
    });
    let (way, sent, echoed) = wrong?;
    let summary = format!("{} does not echo the session ID", examination.name);
    let evidence = vec![format!("{way}: the client sent {sent:?}, the server answered {echoed:?}")];
    let found = finding(examination, Name::SessionIdEcho, Severity::Problem, summary, evidence);
    Some(Finding { cost: "clients that go by the echo fail when they resume".to_owned(), ..found })
}

fn refusals(examination: &Examination, way: Way) -> String {
    let offers = super::ways::offers(super::ways::of(examination, way, Experiment::Resume));
    let refused = offers.filter(|answer| *answer == Answer::No).count();
    format!("{way}: {refused} sessions were offered as soon as they were made, and each was refused")
}

fn full(examination: &Examination, way: Way) -> usize {
    examination.trials.iter().filter(|trial| trial.way == way && trial.is_sound() && trial.offered.is_none()).count()
}
