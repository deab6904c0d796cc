//! Handshakes that come to nothing, and what to do about it.

use super::ways::WayReport;
use super::{finding, ways};
use crate::evidence::{Description, Examination, Experiment, Failure, Stage, Trial};
use crate::finding::{Finding, Name, Severity};

/// What a failure is, and what to do about it, in a sentence without a full stop.
pub fn sentence(failure: &Failure) -> String {
    match remedy(failure) {
        Some(remedy) => format!("{failure}; {remedy}"),
        None => failure.to_string(),
    }
}

fn remedy(failure: &Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::Unreachable(_) => "is it the right port, and does the server run?",
        Failure::TimedOut(Stage::Connecting) => "is it the right address, and does a firewall drop what is sent there?",
        Failure::NotTls(said) if said.starts_with("HTTP/") => {
            "this is a port for plain HTTP; HTTPS has another, often 443"
        }
        Failure::NotTls(_) => "is it the right port? A server that starts TLS later needs --starttls PROTOCOL",
        Failure::Version(_) | Failure::Alert(Description::PROTOCOL_VERSION) => {
            "TLS 1.2 and TLS 1.3 are spoken here; have the server speak one of them"
        }
        Failure::Certificate(_) => "trust its authority by --ca FILE, or look at any certificate by --insecure",
        Failure::Alert(Description::CERTIFICATE_REQUIRED) => "give a client certificate by --cert FILE --key FILE",
        Failure::Alert(Description::HANDSHAKE_FAILURE) => {
            "it may want a client certificate (--cert FILE --key FILE), another name (--sni NAME), or another cipher suite"
        }
        Failure::Alert(Description::UNRECOGNIZED_NAME) => "ask for a name that it knows by --sni NAME",
        _ => return None,
    })
}

/// Why nothing could be found out, in a sentence.
pub(super) fn of_all(examination: &Examination) -> String {
    let name = &examination.name;
    // The first look, which leaves most open, tells most.
    let failure = examination.trials.iter().find_map(|trial| trial.failure.as_ref());
    match failure {
        Some(failure) => format!("{name} could not be examined: {}", sentence(failure)),
        None => format!("{name} could not be examined: there was no time left"),
    }
}

pub(super) fn findings(examination: &Examination, _: &[WayReport]) -> Vec<Finding> {
    let trials: Vec<&Trial> =
        examination.trials.iter().filter(|trial| is_expected_to_succeed(examination, trial)).collect();
    let failed: Vec<&Trial> = trials.iter().copied().filter(|trial| has_failed(trial)).collect();
    if failed.is_empty() || failed.len() == trials.len() {
        return Vec::new();
    }
    let summary = format!("{} of {} handshakes with {} fail", failed.len(), trials.len(), examination.name);
    let mut evidence: Vec<String> = Vec::new();
    for trial in &failed {
        let offering = if trial.offered.is_some() { "offering a session" } else { "without a session" };
        let failure = trial.failure.as_ref().map(Failure::to_string).unwrap_or_default();
        let line = format!("{}, {offering}: {failure}", trial.way);
        if !evidence.contains(&line) {
            evidence.push(line);
        }
    }
    let found = finding(examination, Name::HandshakeFailures, Severity::Problem, summary, evidence);
    vec![Finding { cost: "each is a connection that somebody wanted".to_owned(), ..found }]
}

/// Trials that may fail for what they ask for prove nothing.
fn is_expected_to_succeed(examination: &Examination, trial: &Trial) -> bool {
    !matches!(trial.experiment, Experiment::OtherName | Experiment::WithoutCertificate)
        && (trial.experiment == Experiment::Look || !ways::is_not_spoken(examination, trial.way))
}

fn has_failed(trial: &Trial) -> bool {
    !trial.is_sound() && trial.failure.is_some()
}
