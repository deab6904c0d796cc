//! What becomes of sessions as they age.

use std::time::Duration;

use super::ways::{self, WayReport};
use super::{cost, finding};
use crate::evidence::{Answer, Examination, Experiment, KeyName, Trial, Way};
use crate::finding::{Certainty, Finding, Name, Severity};

pub(super) fn findings(examination: &Examination, reports: &[WayReport]) -> Vec<Finding> {
    reports.iter().filter_map(|report| gone(examination, report.way)).collect()
}

/// The sessions of one key, or where keys cannot be told, one session.
struct Life<'a> {
    key: Option<KeyName>,
    made: &'a Trial,
    offers: Vec<(&'a Trial, &'a Trial)>,
}

impl<'a> Life<'a> {
    /// The age at which a session of it was refused for good, and by which connection.
    fn end(&self) -> Option<(Duration, &'a Trial)> {
        let refused: Vec<_> = self.offers.iter().rev().take_while(|(_, offer)| offer.resumed() == Answer::No).collect();
        // The last in this order is the first in time.
        let (made, offer) = refused.last().filter(|_| refused.len() >= 2)?;
        Some((age(made, offer), offer))
    }

    fn accepted(&self) -> Option<Duration> {
        let accepted = self.offers.iter().filter(|(_, offer)| offer.resumed() == Answer::Yes);
        accepted.map(|(made, offer)| age(made, offer)).max()
    }
}

/// A refusal of old sessions counts only beside newer ones that resume.
fn gone(examination: &Examination, way: Way) -> Option<Finding> {
    let (life, (refused, by)) =
        lives(examination, way).into_iter().find_map(|life| life.end().map(|end| (life, end)))?;
    let later = |trial: &&Trial| trial.connection.start.time >= by.connection.start.time;
    let contrast = ways::of(examination, way, Experiment::Canary)
        .filter(later)
        .any(|trial| trial.resumed() == Answer::Yes && key(examination, trial) != life.key);
    let canaries = || ways::of(examination, way, Experiment::Canary).filter(later);
    let resumed = canaries().filter(|trial| trial.resumed() == Answer::Yes);
    let now =
        canaries().filter_map(issued).chain(resumed.filter_map(|trial| trial.connection.offered_key_name())).last();
    let promised = life.made.connection.tickets.first().map(|ticket| ticket.lifetime).filter(|time| !time.is_zero());
    if promised.is_some_and(|promised| refused >= promised) {
        return None;
    }
    let rotated = match (life.key, now) {
        (Some(then), Some(now)) => then.stem() != now.stem(),
        _ => false,
    };
    let server = &examination.name;
    let (name, what) = match way {
        Way::SessionId => (Name::SessionForgotten, format!("{server} forgets sessions while they are watched")),
        _ if rotated => {
            (Name::KeyRotatedAway, format!("{server} refuses tickets inside their lifetime: their key is gone"))
        }
        _ => (Name::TicketExpired, format!("{server} refuses tickets for their age, inside their lifetime")),
    };
    let certain = rotated && contrast && promised.is_some();
    let found =
        finding(examination, name, Severity::Problem, what, evidence(way, &life, refused, promised, now, contrast));
    Some(Finding {
        certainty: if certain { Certainty::Seen } else { Certainty::Inferred },
        cost: format!(
            "for each client that comes back later than {}, {}",
            seconds(life.accepted().unwrap_or_default()),
            cost::of_full_handshakes(examination, way.version())
        ),
        ..found
    })
}

fn evidence(
    way: Way,
    life: &Life<'_>,
    refused: Duration,
    promised: Option<Duration>,
    now: Option<KeyName>,
    contrast: bool,
) -> Vec<String> {
    let token = way.token();
    let under = life.key.map_or(String::new(), |key| format!(" under {key}"));
    let accepted = match life.accepted() {
        Some(age) => format!("was accepted up to an age of {}, and ", seconds(age)),
        None => String::new(),
    };
    let promised = promised.map_or(String::new(), |promised| format!("; it was promised for {}", seconds(promised)));
    let mut evidence = vec![format!(
        "{way}: a {token}{under} {accepted}was refused twice from an age of {} on{promised}",
        seconds(refused)
    )];
    evidence.extend(now.filter(|_| life.key.is_some()).map(|now| format!("tickets are sealed under {now} now")));
    if contrast {
        evidence.push(format!("newer {token}s resumed after that"));
    }
    evidence
}

fn lives(examination: &Examination, way: Way) -> Vec<Life<'_>> {
    let mut lives: Vec<Life<'_>> = Vec::new();
    for offer in ways::of(examination, way, Experiment::Canary) {
        let Some(made) = offer.offered.and_then(|made| examination.trials.get(made)) else { continue };
        let key = if way == Way::SessionId { None } else { offer.connection.offered_key_name() };
        let same = |life: &&mut Life<'_>| match (life.key, key) {
            (Some(one), Some(other)) => one.stem() == other.stem(),
            _ => std::ptr::eq(life.made, made),
        };
        match lives.iter_mut().find(same) {
            Some(life) => life.offers.push((made, offer)),
            None => lives.push(Life { key, made, offers: vec![(made, offer)] }),
        }
    }
    lives
}

fn key(examination: &Examination, offer: &Trial) -> Option<KeyName> {
    let made = offer.offered.and_then(|made| examination.trials.get(made))?;
    offer.connection.offered_key_name().or_else(|| issued(made))
}

/// The key that a trial's tickets are sealed under.
fn issued(trial: &Trial) -> Option<KeyName> {
    trial.connection.tickets.first().and_then(|ticket| KeyName::of(&ticket.ticket))
}

fn age(made: &Trial, offer: &Trial) -> Duration {
    offer.connection.start.time.since(made.connection.start.time)
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}
