//! What tickets promise, and when new ones come.

use std::time::Duration;

use super::finding;
use super::ways::{Renewal, WayReport};
use crate::evidence::{Examination, Version};
use crate::finding::{Finding, Name, Severity};

pub(super) fn findings(examination: &Examination, ways: &[WayReport]) -> Vec<Finding> {
    let lifetimes = ways.iter().filter_map(|report| lifetime(examination, report));
    lifetimes.chain(ways.iter().filter_map(|report| renewal(examination, report))).collect()
}

fn lifetime(examination: &Examination, report: &WayReport) -> Option<Finding> {
    let lifetime = report.lifetime?;
    let name = &examination.name;
    let (severity, what, cost) = if lifetime > LONGEST {
        // RFC 8446 §4.6.1: no more than seven days. TLS 1.2 has no limit, and a hint.
        let severity = if report.way.version() >= Version::TLS13 { Severity::Problem } else { Severity::Note };
        (severity, "longer than seven days", "whoever gets hold of a ticket key opens what was said in all that time")
    } else if !lifetime.is_zero() && lifetime < SHORTEST {
        (Severity::Note, "too short for most clients to come back", "full handshakes for all that come back later")
    } else {
        return None;
    };
    let summary = format!("{name} promises its {} tickets a life of {what}", report.way.version());
    let evidence = vec![format!("{}: a lifetime of {} s", report.way, lifetime.as_secs())];
    let found = finding(examination, Name::TicketLifetime, severity, summary, evidence);
    Some(Finding { cost: cost.to_owned(), ..found })
}

fn renewal(examination: &Examination, report: &WayReport) -> Option<Finding> {
    let when = match report.renewal? {
        Renewal::Never => return None,
        Renewal::Always => "at every resumption",
        Renewal::OlderKey => "where the ticket is under an older key",
        Renewal::Sometimes => "at some resumptions",
    };
    let summary = format!("{} sends a new ticket inside abbreviated TLS 1.2 handshakes, {when}", examination.name);
    let evidence = vec![format!("NewSessionTicket came between ServerHello and Finished {when}")];
    let found = finding(examination, Name::InlineRenewal, Severity::Note, summary, evidence);
    let cost = "clients on SChannel ended the connection on it, and early Chromium when connections ran in parallel; \
                others keep the old ticket";
    Some(Finding { cost: cost.to_owned(), ..found })
}

const LONGEST: Duration = Duration::from_secs(7 * 86_400);
const SHORTEST: Duration = Duration::from_secs(60);
