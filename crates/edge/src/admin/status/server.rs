//! What the status says of one server.

use std::time::{Instant, UNIX_EPOCH};

use raincheck_tls::Kind;
use rustls::ProtocolVersion;
use serde_json::{Value, json};

use super::object;
use crate::config::CheckKind;
use crate::counters::{Purpose, ServerCounters};
use crate::upstream::balance::WEIGHT_OF_ONE;
use crate::upstream::check::{Ended, Failed, Report};
use crate::upstream::{Server, Standing, Upstream, Wanted};

pub(super) fn json(upstream: &Upstream, server: &Server, now: Instant) -> Value {
    let (counters, standing) = (&server.counters, server.standing());
    json!({
        "name": server.name,
        "address": server.address().to_string(),
        "backup": server.is_backup(),
        "state": state(&standing, now),
        "since": now.saturating_duration_since(standing.changed).as_secs_f64(),
        "weight": {
            "configured": server.configured_weight(),
            "wanted": server.weight(),
            "now": f64::from(server.share(now, false)) / f64::from(WEIGHT_OF_ONE),
        },
        "open": counters.open.value(),
        "connections": counters.connections.value(),
        "failures": counters.failures.value(),
        "checks": upstream.check().map(|check| json!({
            "kind": kind(&check.kind),
            "passed": counters.checks_passed.value(),
            "failed": counters.checks_failed.value(),
            "downs": counters.downs.value(),
            "last": standing.last_check.as_ref().map(report),
        })),
        "tls": server.target().connector.as_ref().map(|connector| json!({
            "sessions": connector.sessions().len(),
            "handshakes": object(Purpose::ALL.map(|purpose| (purpose.as_str(), handshakes(counters, purpose)))),
        })),
        "notes": match (upstream.check(), &standing.last_check) {
            (Some(check), Some(report)) => notes(&check.kind, report, counters),
            _ => Vec::new(),
        },
    })
}

fn state(standing: &Standing, now: Instant) -> &'static str {
    match standing.wanted {
        Wanted::Maintenance => "maintenance",
        _ if !standing.health.is_up() => "down",
        Wanted::Drain => "drain",
        Wanted::Ready if standing.ejection.is_ejected(now) => "ejected",
        Wanted::Ready => "up",
    }
}

fn kind(kind: &CheckKind) -> &'static str {
    match kind {
        CheckKind::Tcp => "tcp",
        CheckKind::Tls => "tls",
        CheckKind::Http(_) => "http",
    }
}

fn report(report: &Report) -> Value {
    let passed = report.result.as_ref().ok();
    let failed = report.result.as_ref().err();
    let status = match failed.map(|failed| &**failed) {
        Some(Failed::Status(status)) => Some(*status),
        _ => passed.and_then(|passed| passed.status),
    };
    json!({
        "at": report.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        "took": report.took.as_secs_f64(),
        "passed": passed.is_some(),
        "reason": failed.map(|failed| failed.to_string()),
        "status": status,
        "handshake": passed.and_then(|passed| passed.tls).map(|(_, kind)| kind.as_str()),
        "close": passed.and_then(|passed| passed.closed).map(|closed| match closed {
            Ended::Clean => "clean",
            Ended::Unclean => "unclean",
        }),
    })
}

fn handshakes(counters: &ServerCounters, purpose: Purpose) -> Value {
    let kinds = Kind::ALL.map(|kind| (kind.as_str(), counters.handshakes(purpose, kind).into()));
    let [full, session_id, ticket, psk] = kinds;
    let refused = ("refused", counters.refused(purpose).into());
    object([full, session_id, ticket, psk, refused, ("failed", counters.failed_handshakes(purpose).into())])
}

/// Why checks cost more than they need to, and what to do about it.
fn notes(kind: &CheckKind, last: &Report, counters: &ServerCounters) -> Vec<String> {
    let Ok(passed) = &last.result else { return Vec::new() };
    let mut notes = Vec::new();
    match passed.tls {
        Some((ProtocolVersion::TLSv1_3, _)) if passed.left_no_session && *kind == CheckKind::Tls => notes.push(
            "It sends no ticket before it has a request, so checks of kind \"tls\" cannot resume, and each is a full \
             handshake. Checks of kind \"http\" can: write kind = \"http\"."
                .to_owned(),
        ),
        Some(_) if passed.left_no_session => notes.push(
            "It leaves no session to come back with, so each check is a full handshake. Turn on session tickets or a \
             session cache there."
                .to_owned(),
        ),
        Some((_, Kind::Full)) if counters.refused(Purpose::Check) >= REFUSED_AGAIN => notes.push(format!(
            "The last check was a full handshake, and so were {} of those that offered a session: it refuses its own \
             sessions. Look whether several servers with different ticket keys, or caches of their own, share this \
             address, or whether it drops sessions at once.",
            counters.refused(Purpose::Check)
        )),
        _ => {}
    }
    notes
}

/// Once is what a server does that was started again.
const REFUSED_AGAIN: u64 = 2;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use raincheck_tls::ClientOutcome;

    use super::*;
    use crate::config::{Expect, HttpCheck};
    use crate::upstream::check::Passed;

    fn http() -> CheckKind {
        let expect = Expect { status: vec![200..=399], body: None };
        CheckKind::Http(HttpCheck { method: "GET".into(), path: "/".into(), host: None, expect })
    }

    fn passed(version: ProtocolVersion, kind: Kind, left_no_session: bool) -> Report {
        let passed = Passed { tls: Some((version, kind)), left_no_session, ..Passed::default() };
        Report { at: SystemTime::UNIX_EPOCH, took: Duration::from_millis(3), result: Ok(passed) }
    }

    #[test]
    fn checks_that_cannot_resume_are_told_of() {
        let (tls12, tls13) = (ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3);
        let counters = ServerCounters::default();
        let noted = |kind: &CheckKind, report: &Report| notes(kind, report, &counters).concat();
        let silent = noted(&CheckKind::Tls, &passed(tls13, Kind::Full, true));
        assert!(silent.contains("no ticket before it has a request") && silent.contains("kind = \"http\""), "{silent}");
        let without = noted(&CheckKind::Tls, &passed(tls12, Kind::Full, true));
        assert!(without.contains("leaves no session"), "{without}");
        let asked = noted(&http(), &passed(tls13, Kind::Full, true));
        assert!(asked.contains("leaves no session"), "{asked}");
        assert_eq!(noted(&CheckKind::Tls, &passed(tls13, Kind::Psk, false)), "");
        assert_eq!(
            noted(&CheckKind::Tcp, &Report { result: Ok(Passed::default()), ..passed(tls13, Kind::Full, true) }),
            ""
        );
        let failed = Report { result: Err(Arc::new(Failed::Status(503))), ..passed(tls13, Kind::Full, true) };
        assert_eq!(noted(&CheckKind::Tls, &failed), "");
    }

    #[test]
    fn sessions_refused_again_and_again_are_told_of() {
        let counters = ServerCounters::default();
        let version = ProtocolVersion::TLSv1_3;
        let full = passed(version, Kind::Full, false);
        for refused in 0..4 {
            let noted = notes(&CheckKind::Tls, &full, &counters).concat();
            assert_eq!(noted.contains(&format!("{refused} of those")), refused >= 2, "{refused}: {noted}");
            assert_eq!(notes(&CheckKind::Tls, &passed(version, Kind::Psk, false), &counters), [""; 0]);
            counters.handshake(Purpose::Check, &ClientOutcome { version, kind: Kind::Full, refused: true });
        }
    }

    #[test]
    fn a_failed_check_says_why() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
        let json = report(&Report { at, took: Duration::from_millis(250), result: Err(Arc::new(Failed::Status(503))) });
        let expected = json!({
            "at": 7.0,
            "took": 0.25,
            "passed": false,
            "reason": "status 503",
            "status": 503,
            "handshake": null,
            "close": null,
        });
        assert_eq!(json, expected);
    }
}
