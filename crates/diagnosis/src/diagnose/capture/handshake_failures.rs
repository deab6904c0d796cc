//! `handshake-failures`: handshakes end in alerts.

use super::case::Case;
use super::inline_renewal_aborted::is_aborted;
use super::sentence::{Draft, count, list};
use super::stale_session_alert::is_stale;
use super::version_fallback::fallbacks;
use crate::evidence::{Description, Kind};
use crate::session::Record;
use crate::{Certainty, Finding, Name, Severity, Side};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let fallbacks = fallbacks(case);
    let mut servers = case.for_servers::<(Vec<(usize, Side, Description)>, usize)>();
    for (place, record) in case.records().filter(|(_, record)| record.hello.is_some()) {
        let (failed, all) = &mut servers[record.server as usize];
        *all += 1;
        let explained = || is_stale(case, place) || is_aborted(case, place) || fallbacks.contains(&place);
        failed.extend(fatal(record).filter(|_| !explained()).map(|(side, description)| (place, side, description)));
    }
    let failing = case.by_address(servers).filter(|(_, (failed, _))| !failed.is_empty());
    let judged = failing.map(|(address, (failed, all))| {
        let places = failed.iter().map(|(place, ..)| *place).collect::<Vec<_>>();
        let alerts = failed.iter().map(|(_, side, description)| match side {
            Side::Client => format!("{description} by the client"),
            Side::Server => format!("{description} by the server"),
        });
        let summary = format!(
            "{} of {} with {address} ended in an alert: {}.",
            failed.len(),
            count(all, "handshake"),
            list(alerts)
        );
        let many = failed.len() >= MANY && failed.len() * 10 >= all;
        let most = failed.len() > 1 && failed.len() * 2 >= all;
        let severity = if many || most { Severity::Problem } else { Severity::Note };
        Draft::new(Name::HandshakeFailures, severity, Certainty::Seen, summary)
            .shown_by(case, &places)
            .with_cost(super::stale_session_alert::failed(failed.len()))
            .about(places.iter().map(|place| case.record(*place).client).chain([address]))
            .done()
    });
    judged.collect()
}

/// The alert that a handshake ended with.
fn fatal(record: &Record) -> Option<(Side, Description)> {
    let fatal = |(_, description): &(Side, Description)| !description.is_warning();
    record.alerts().find(fatal).filter(|_| record.kind == Kind::Aborted)
}

const MANY: usize = 3;
