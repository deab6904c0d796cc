//! What was seen of each way to resume.

use std::time::Duration;

use super::failures;
use crate::evidence::{
    Answer, Connection, Description, Ending, Examination, Experiment, Failure, KeyName, Offer, Said, Stage, Trial,
    Version, Way,
};

/// What was seen of one way to resume.
#[derive(Clone, Debug)]
pub struct WayReport {
    /// The way.
    pub way: Way,
    /// Whether sessions resume.
    pub verdict: Verdict,
    /// Whether they do after each kind of end, and on several connections at once.
    pub after: Vec<(Ending, Verdict)>,
    /// Of connections that offered one session at once: how many resumed, of how many.
    pub parallel: Option<(usize, usize)>,
    /// How many sessions or tickets a full handshake gave.
    pub issued: Option<usize>,
    /// How many a resumption gave.
    pub renewed: Option<usize>,
    /// Whether a new ticket comes inside the handshake (TLS 1.2).
    pub renewal: Option<Renewal>,
    /// How long a ticket is good for, as the server says; zero where it leaves that open.
    pub lifetime: Option<Duration>,
    /// How long a ticket is, in bytes.
    pub size: Option<usize>,
    /// What tickets begin with, in the order it was first seen.
    pub key_names: Vec<KeyName>,
}

/// What is known of whether sessions resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They do.
    Resumes,
    /// The server makes full handshakes, each time, of fresh sessions.
    Refused,
    /// The server gives nothing to come back with.
    NotOffered,
    /// The server does not speak the version.
    NotSpoken,
    /// It was not to be seen; why.
    NotDetermined(String),
}

/// When a new ticket comes inside an abbreviated handshake (RFC 5077 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Never.
    Never,
    /// Each time.
    Always,
    /// Where the ticket that was offered is sealed under an older key.
    OlderKey,
    /// Now and then.
    Sometimes,
}

impl WayReport {
    /// What was seen of sessions whose connection ended so.
    pub fn after(&self, ending: Ending) -> Option<&Verdict> {
        self.after.iter().find(|(known, _)| *known == ending).map(|(_, verdict)| verdict)
    }
}

/// What `examination` says about `way`.
pub(super) fn report(examination: &Examination, way: Way) -> WayReport {
    let trials: Vec<&Trial> = of(examination, way, Experiment::Resume).collect();
    let all: Vec<&Trial> = examination.trials.iter().filter(|trial| trial.way == way).collect();
    let sound = |offered: bool| {
        trials.iter().filter(move |trial| trial.is_sound() && (trial.resumed() == Answer::Yes) == offered)
    };
    let parallel: Vec<Answer> = offers(of(examination, way, Experiment::Parallel)).collect();
    WayReport {
        way,
        verdict: if is_not_spoken(examination, way) { Verdict::NotSpoken } else { verdict(&trials) },
        after: [Ending::Clean, Ending::Fin, Ending::Reset]
            .into_iter()
            .filter_map(|ending| Some((ending, after(examination, way, ending)?)))
            .collect(),
        parallel: (!parallel.is_empty())
            .then(|| (parallel.iter().filter(|answer| **answer == Answer::Yes).count(), parallel.len())),
        issued: sound(false).map(|trial| trial.gained).max(),
        renewed: sound(true).map(|trial| renewed(trial)).max(),
        renewal: (way == Way::Ticket).then(|| renewal(&all)).flatten(),
        lifetime: all.iter().flat_map(|trial| &trial.connection.tickets).map(|ticket| ticket.lifetime).max(),
        size: all.iter().filter_map(|trial| size(&trial.connection)).max(),
        key_names: key_names(&all),
    }
}

/// The connections made for `experiment`.
pub(super) fn of(examination: &Examination, way: Way, experiment: Experiment) -> impl Iterator<Item = &Trial> {
    examination.trials.iter().filter(move |trial| trial.way == way && trial.experiment == experiment)
}

/// Whether each session that was offered resumed.
pub(super) fn offers<'a>(trials: impl Iterator<Item = &'a Trial>) -> impl Iterator<Item = Answer> {
    trials.filter(|trial| trial.offered.is_some()).map(Trial::resumed)
}

/// The connections that offered a session whose own connection ended so.
pub(super) fn ended(examination: &Examination, way: Way, ending: Ending) -> impl Iterator<Item = &Trial> {
    of(examination, way, Experiment::Close).filter(move |trial| {
        let made = trial.offered.and_then(|made| examination.trials.get(made));
        made.is_some_and(|made| made.ending == ending)
    })
}

fn after(examination: &Examination, way: Way, ending: Ending) -> Option<Verdict> {
    let offers: Vec<&Trial> = ended(examination, way, ending).collect();
    (!offers.is_empty()).then(|| of_offers(&offers))
}

fn verdict(trials: &[&Trial]) -> Verdict {
    let offers: Vec<&Trial> = trials.iter().copied().filter(|trial| trial.offered.is_some()).collect();
    if !offers.is_empty() {
        return of_offers(&offers);
    }
    let Some(last) = trials.last() else {
        return Verdict::NotDetermined("it was not tried".to_owned());
    };
    match (&last.failure, last.said) {
        (failure, _) if !last.is_sound() => Verdict::NotDetermined(
            failure.as_ref().map_or("the handshake came to no end".to_owned(), failures::sentence),
        ),
        (_, Said::Answered) => Verdict::NotOffered,
        _ if last.way.version() < Version::TLS13 => Verdict::NotOffered,
        (_, Said::Nothing) => Verdict::NotDetermined(
            "no ticket came, and nothing was said: a server may keep them until it answers".to_owned(),
        ),
        (_, Said::Unanswered) => Verdict::NotDetermined(
            "no ticket came, and what was said got no answer: a server may keep them until it has one (--send TEXT)"
                .to_owned(),
        ),
    }
}

/// What follows where sessions were offered. A refusal counts once it repeats.
fn of_offers(offers: &[&Trial]) -> Verdict {
    let count = |wanted| offers.iter().filter(|trial| trial.resumed() == wanted).count();
    let why = || offers.iter().rev().find_map(|trial| trial.failure.as_ref()).map(failures::sentence);
    match (count(Answer::Yes), count(Answer::No)) {
        (0, 0) => Verdict::NotDetermined(why().unwrap_or_else(|| "no session could be offered".to_owned())),
        (0, 1) => Verdict::NotDetermined(match why() {
            Some(why) => format!("refused once, and then {why}"),
            None => "refused once, and there was no second time to make sure".to_owned(),
        }),
        (0, _) => Verdict::Refused,
        (_, 0) => Verdict::Resumes,
        (resumed, refused) => Verdict::NotDetermined(format!(
            "resumed {resumed} of {} times: it does not always do the same",
            resumed + refused
        )),
    }
}

/// Whether the server does not speak the version of `way`: it says so, it takes the lower one where both are offered, or it
/// leaves without a word, each time.
pub(super) fn is_not_spoken(examination: &Examination, way: Way) -> bool {
    let trials: Vec<&Trial> =
        examination.trials.iter().filter(|trial| trial.way == way && trial.experiment != Experiment::Look).collect();
    if trials.iter().any(|trial| trial.connection.is_established()) {
        return false;
    }
    let look = examination.trials.iter().find(|trial| trial.experiment == Experiment::Look);
    let chosen = look.filter(|look| look.connection.is_established()).and_then(|look| look.connection.version());
    let left = trials.iter().filter(|trial| trial.failure == Some(Failure::Ended(Stage::Hello))).count();
    trials.iter().any(|trial| says_other_version(trial))
        || chosen.is_some_and(|chosen| chosen < way.version())
        || (chosen.is_some_and(|chosen| chosen != way.version()) && left >= 2 && left == trials.len())
}

fn says_other_version(trial: &Trial) -> bool {
    match trial.failure {
        Some(Failure::Alert(Description::PROTOCOL_VERSION) | Failure::Version(_)) => true,
        _ => trial.connection.version().is_some_and(|chosen| chosen != trial.way.version()),
    }
}

fn renewed(trial: &Trial) -> usize {
    // rustls takes a session of TLS 1.2 up again when it resumes, new ticket or not.
    if trial.way == Way::Psk { trial.gained } else { trial.connection.tickets.len() }
}

fn renewal(trials: &[&Trial]) -> Option<Renewal> {
    let resumed =
        || trials.iter().map(|trial| &trial.connection).zip(trials).filter(|(_, trial)| trial.resumed() == Answer::Yes);
    let count = |wanted| resumed().filter(|(connection, _)| connection.renewed_inline() == wanted).count();
    // Whether the new ticket is under another key than the one that was offered.
    let replaced = |connection: &Connection| {
        let new = connection.tickets.first().and_then(|ticket| KeyName::of(&ticket.ticket));
        new.map(KeyName::stem) != connection.offered_key_name().map(KeyName::stem)
    };
    let renewed = || resumed().filter(|(connection, _)| connection.renewed_inline() == Answer::Yes);
    match (count(Answer::Yes), count(Answer::No)) {
        (0, 0) => None,
        (0, _) => Some(Renewal::Never),
        (_, 0) => Some(Renewal::Always),
        _ if renewed().all(|(connection, _)| replaced(connection)) => Some(Renewal::OlderKey),
        _ => Some(Renewal::Sometimes),
    }
}

/// How long a ticket of a connection is: one that it issued, or one it was offered.
fn size(connection: &Connection) -> Option<usize> {
    connection.tickets.first().map(|ticket| ticket.ticket.len()).or(match connection.offer() {
        Offer::Ticket(ticket) | Offer::Psk(ticket) => Some(ticket.len()),
        Offer::None | Offer::SessionId(_) | Offer::Unknown => None,
    })
}

fn key_names(trials: &[&Trial]) -> Vec<KeyName> {
    let mut names = Vec::new();
    for trial in trials {
        let issued = trial.connection.tickets.iter().filter_map(|ticket| KeyName::of(&ticket.ticket));
        for name in trial.connection.offered_key_name().into_iter().chain(issued) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
