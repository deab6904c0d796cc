use std::time::Duration;

use super::failures;
use crate::evidence::{Answer, Experiment, Failure, Stage, Trial, Version, Way};

/// What trial `index` did and showed, in a line, with its time after the first.
pub fn step(trials: &[Trial], index: usize) -> String {
    let Some(trial) = trials.get(index) else {
        return String::new();
    };
    let begin = trials.first().map_or(trial, |first| first).connection.start.time;
    let at = trial.connection.start.time.since(begin);
    format!("{:6.2}s  {}: {}", at.as_secs_f64(), aim(trials, trial), result(trial))
}

fn aim(trials: &[Trial], trial: &Trial) -> String {
    let version = trial.way.version();
    let token = trial.way.token();
    if trial.experiment == Experiment::Look {
        return "a first look".to_owned();
    }
    let name = match (trial.experiment, trial.connection.client_hello.as_deref()) {
        (Experiment::OtherName, Some(hello)) => match &hello.server_name {
            Some(name) => format!(" under {name}"),
            None => " under no name".to_owned(),
        },
        (Experiment::WithoutCertificate, _) => " without a certificate".to_owned(),
        _ => String::new(),
    };
    let Some(made) = trial.offered.and_then(|made| trials.get(made)) else {
        let ended = match trial.experiment {
            Experiment::Close => format!(", to end by {}", trial.ending),
            _ => String::new(),
        };
        let made = if trial.way == Way::SessionId { "a session" } else { "a ticket" };
        return format!("{version} asks for {made}{name}{ended}");
    };
    let after = match trial.experiment {
        Experiment::Close => format!(" after {}", made.ending),
        Experiment::Parallel => " beside others".to_owned(),
        Experiment::EarlyData => " and early data".to_owned(),
        Experiment::Canary => {
            format!(" of {:.0}s before", trial.connection.start.time.since(made.connection.start.time).as_secs_f64())
        }
        _ => String::new(),
    };
    format!("{version} offers a {token}{after}{name}")
}

fn result(trial: &Trial) -> String {
    let failed = trial.failure.as_ref().map(failures::sentence);
    let unanswered = matches!(trial.failure, Some(Failure::TimedOut(Stage::Answer) | Failure::Ended(Stage::Answer)));
    if let Some(failed) = failed.as_ref().filter(|_| !trial.is_sound()) {
        return failed.clone();
    }
    let mut parts = Vec::new();
    if trial.experiment == Experiment::Look {
        parts.extend(trial.connection.version().map(|version| version.to_string()));
    }
    parts.push(match (trial.offered.is_some(), trial.resumed()) {
        (true, Answer::Yes) => "resumed".to_owned(),
        (true, Answer::No) => "refused, full".to_owned(),
        (true, Answer::Unknown) => "not to be seen".to_owned(),
        (false, _) => "full".to_owned(),
    });
    if let Some(took) = trial.handshake() {
        parts.push(milliseconds(took));
    }
    if trial.connection.retry {
        parts.push("HelloRetryRequest".to_owned());
    }
    if trial.experiment == Experiment::EarlyData && trial.offered.is_some() {
        parts.extend(trial.connection.early_data.map(|taken| if taken { "taken" } else { "not taken" }.to_owned()));
    }
    parts.extend(tickets(trial));
    if unanswered {
        parts.push("no answer".to_owned());
    } else {
        parts.extend(failed);
    }
    parts.join(", ")
}

fn tickets(trial: &Trial) -> Option<String> {
    let inside = trial.connection.version() < Some(Version::TLS13);
    let count = if inside { trial.connection.tickets.len() } else { trial.gained };
    let early = if trial.unasked > 0 && !inside { " unasked" } else { "" };
    match count {
        0 => None,
        1 => Some(format!("1 ticket{early}")),
        count => Some(format!("{count} tickets{early}")),
    }
}

pub(super) fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
