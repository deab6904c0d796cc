use std::fmt;

use super::reading::{Deed, Offered, Outcome, Reading};
use super::{Scenario, Trial};
use crate::evidence::{Description, Version};

/// How a client fared in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Full handshakes, as it has to be where nothing can be resumed.
    Full,
    /// It resumed.
    Resumed,
    /// It ended a connection on an inline renewal.
    AbortedAfterRenewal,
    /// It came back with this lower version after it had given a connection up.
    FellBack(Version),
    /// It ended a connection with this alert.
    Alert(Description),
    /// It goes on offering a session although it was given a newer one.
    KeepsOldSession,
    /// It had a session, and comes back without one.
    LosesSession,
    /// It never came back with what it was given.
    NeverOffers,
    /// What was seen does not tell.
    NotDetermined,
}

impl Verdict {
    /// Its name, in lower case with hyphens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::AbortedAfterRenewal => "aborted-after-renewal",
            Self::FellBack(_) => "fell-back",
            Self::Alert(_) => "alert",
            Self::KeepsOldSession => "keeps-old-session",
            Self::LosesSession => "loses-session",
            Self::NeverOffers => "never-offers",
            Self::NotDetermined => "not-determined",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full, as it must be",
            Self::Resumed => "resumed",
            Self::AbortedAfterRenewal => "aborted after inline renewal",
            Self::FellBack(version) => return write!(f, "fell back to {version}"),
            Self::Alert(description) => return write!(f, "sent an alert: {description}"),
            Self::KeepsOldSession => "keeps the old session",
            Self::LosesSession => "loses the session",
            Self::NeverOffers => "never offers",
            Self::NotDetermined => "not determined",
        })
    }
}

/// A verdict, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How the client fared.
    pub verdict: Verdict,
    /// Why, in a sentence without its full stop.
    pub why: String,
}

impl Judgement {
    fn new(verdict: Verdict, why: impl Into<String>) -> Self {
        Self { verdict, why: why.into() }
    }

    fn open(why: impl Into<String>) -> Self {
        Self::new(Verdict::NotDetermined, why)
    }
}

/// The worst that was seen counts; what was not seen never does.
pub(super) fn judge(trial: &Trial) -> Judgement {
    let reading = Reading::of(trial);
    fell_back(&reading)
        .or_else(|| gave_up(&reading))
        .or_else(|| was_refused(&reading))
        .unwrap_or_else(|| sessions(&reading))
}

/// The first connection that came with a lower version than one that the client had given up, and the version. Whoever says
/// by the fallback SCSV that it does so is believed (RFC 7507).
pub(super) fn fallback<'r>(reading: &'r Reading<'_>) -> Option<(&'r Deed<'r>, Version)> {
    let mut given_up: Option<Version> = None;
    for deed in &reading.deeds {
        let hello = deed.connection.client_hello.as_ref()?;
        if hello.fallback || given_up.is_some_and(|version| hello.version < version) {
            return Some((deed, hello.version));
        }
        if matches!(deed.outcome, Outcome::GaveUp(_)) {
            given_up = given_up.max(Some(hello.version));
        }
    }
    None
}

/// Whether the client gave up, as far as can be told, because it does not trust the certificate (RFC 8446 §6.2).
pub(super) fn distrusts(deed: &Deed<'_>) -> bool {
    matches!(deed.outcome, Outcome::GaveUp(Some(Description(42..=46 | 48 | 49))))
}

/// Whether a session that resumes had anything to do with it: in a full handshake a client may have reasons of its own.
pub(super) fn broke_off_resuming(deed: &Deed<'_>) -> bool {
    matches!(deed.outcome, Outcome::GaveUp(_)) && deed.connection.agreed().is_resumed()
}

fn fell_back(reading: &Reading<'_>) -> Option<Judgement> {
    let (deed, version) = fallback(reading)?;
    let number = deed.number();
    let why = match deed.connection.client_hello.as_ref().is_some_and(|hello| hello.fallback) {
        true => format!("connection {number} offers no more than {version}, and says itself that this is a fallback"),
        false => format!("connection {number} offers no more than {version}, after one that was given up with more"),
    };
    Some(Judgement::new(Verdict::FellBack(version), why))
}

fn gave_up(reading: &Reading<'_>) -> Option<Judgement> {
    let renewed = reading.renewed().find(|deed| matches!(deed.outcome, Outcome::GaveUp(None)));
    if let Some(deed) = renewed {
        let why = format!("connection {} ended on the NewSessionTicket in its abbreviated handshake", deed.number());
        return Some(Judgement::new(Verdict::AbortedAfterRenewal, why));
    }
    let deed = reading.deeds.iter().find(|deed| matches!(deed.outcome, Outcome::GaveUp(_)))?;
    let number = deed.number();
    Some(match deed.outcome {
        Outcome::GaveUp(Some(alert)) if distrusts(deed) => Judgement::open(format!(
            "it does not trust the certificate ({alert}): make it, or give it one that it trusts by --cert and --key"
        )),
        Outcome::GaveUp(Some(alert)) => {
            let when = match (deed.is_renewed(), deed.connection.agreed().is_resumed()) {
                (true, _) if reading.is_parallel(deed) => {
                    "on a renewed ticket, with others beside it that offered the same"
                }
                (true, _) => "on a renewed ticket",
                (false, true) => "as its session was resumed",
                (false, false) => "in a full handshake",
            };
            Judgement::new(Verdict::Alert(alert), format!("connection {number} ended in it, {when}"))
        }
        _ if broke_off_resuming(deed) => {
            Judgement::open(format!("connection {number} broke off as its session was resumed, without an alert"))
        }
        _ => Judgement::open(format!(
            "connection {number} broke off in a full handshake without an alert: does it trust the certificate?"
        )),
    })
}

fn was_refused(reading: &Reading<'_>) -> Option<Judgement> {
    let deed = reading.deeds.iter().find(|deed| matches!(deed.outcome, Outcome::Refused(_)))?;
    let Outcome::Refused(alert) = deed.outcome else { return None };
    let highest = deed.connection.client_hello.as_ref()?.version;
    let versions = reading.trial.scenario.versions();
    let spoken = versions.iter().map(Version::to_string).collect::<Vec<_>>().join(" or ");
    Some(Judgement::open(match alert {
        // RFC 8446 §6.2: protocol_version.
        Description(70) if versions.iter().all(|version| highest < *version) => {
            format!("it offers no more than {highest}, and this is about {spoken}")
        }
        Description(70) => format!("it does not offer {spoken}, which this is about"),
        _ => format!("there was no handshake with it: the server answered {alert}"),
    }))
}

/// Where nothing went wrong: what became of sessions.
fn sessions(reading: &Reading<'_>) -> Judgement {
    let deeds = &reading.deeds;
    let established = deeds.iter().filter(|deed| deed.is_established()).count();
    if established == 0 {
        return Judgement::open(match deeds.len() {
            0 => "it has not connected".to_owned(),
            _ => "no connection was established yet".to_owned(),
        });
    }
    if reading.trial.scenario == Scenario::NoResumption {
        return match established {
            1 => Judgement::open("it has connected once"),
            _ => Judgement::new(Verdict::Full, format!("{established} connections")),
        };
    }
    older(reading).or_else(|| empty(reading)).unwrap_or_else(|| resumed(reading))
}

/// A client that stays with what it had. Where it offers what came in its place as well, it is several.
fn older(reading: &Reading<'_>) -> Option<Judgement> {
    let deeds = &reading.deeds;
    let older = deeds.iter().rfind(|deed| deed.replaced_by.is_some())?;
    let is_replacement = |index| deeds.iter().any(|deed| deed.replaced_by == Some(index));
    let newer = deeds.iter().any(|deed| matches!(deed.offered, Offered::Left(from) if is_replacement(from)));
    let Offered::Left(from) = older.offered else { return None };
    if newer || older.connection.version() >= Some(Version::TLS13) {
        return None;
    }
    let (number, from, by) = (older.number(), from + 1, older.replaced_by? + 1);
    let why =
        format!("connection {number} offers what it has of connection {from}, which connection {by} had replaced");
    Some(Judgement::new(Verdict::KeepsOldSession, why))
}

/// A client that offers nothing although it could.
fn empty(reading: &Reading<'_>) -> Option<Judgement> {
    let deeds = &reading.deeds;
    let empty: Vec<_> = deeds.iter().filter(|deed| deed.comes_empty()).collect();
    let first_offer = deeds.iter().find(|deed| matches!(deed.offered, Offered::Left(_)));
    let Some(first_offer) = first_offer else {
        return never(reading, empty.len());
    };
    let lost = empty.iter().find(|deed| deed.index > first_offer.index)?;
    let after = deeds[..lost.index].iter().rfind(|deed| deed.is_renewed() && Some(deed.index) == lost.newest);
    let why = match after {
        Some(renewed) => format!(
            "connection {} offers nothing, though connection {} renewed its ticket",
            lost.number(),
            renewed.number()
        ),
        None => format!("connection {} offers nothing, though it had a session", lost.number()),
    };
    Some(Judgement::new(Verdict::LosesSession, why))
}

fn never(reading: &Reading<'_>, chances: usize) -> Option<Judgement> {
    let left_early = reading.deeds.iter().filter(|deed| leaves_before_tickets(deed)).count();
    if left_early > 1 {
        return Some(Judgement::new(Verdict::NeverOffers, "it leaves before the tickets come"));
    }
    let last = reading.deeds.last()?.connection;
    let hello = last.client_hello.as_ref()?;
    let why = match (reading.trial.scenario, &hello.ticket) {
        (Scenario::Tickets | Scenario::Renewal | Scenario::Rotation | Scenario::UnknownKey, None) => {
            return Some(Judgement::new(Verdict::NeverOffers, "it speaks no tickets in TLS 1.2"));
        }
        (Scenario::UncleanClose, _) => {
            "it came back without the session of a connection that ended without close_notify"
        }
        _ => "it came back without the session it had been given",
    };
    match chances {
        0 => None,
        1 => Some(Judgement::open(format!("{why}, but did so only once"))),
        _ => Some(Judgement::new(Verdict::NeverOffers, format!("{why}, {chances} times"))),
    }
}

/// Whether a TLS 1.3 client left before the server had sent it a ticket, or without a word after an early one.
pub(super) fn leaves_before_tickets(deed: &Deed<'_>) -> bool {
    let connection = deed.connection;
    let over = connection.end.client.fin.is_some() || connection.end.client.reset.is_some();
    let unheard = connection.tickets.is_empty() || connection.application.client.records == 0;
    connection.version() >= Some(Version::TLS13) && deed.is_established() && over && unheard
}

fn resumed(reading: &Reading<'_>) -> Judgement {
    let deeds = &reading.deeds;
    let resumed: Vec<_> = deeds.iter().filter(|deed| deed.is_resumed()).collect();
    let Some(first) = resumed.first() else {
        let offers = deeds.iter().any(|deed| matches!(deed.offered, Offered::Left(_)));
        return Judgement::open(match offers {
            _ if reading.trial.scenario == Scenario::UnknownKey && offers => {
                "its ticket was refused, as it had to be; it has not come back since"
            }
            _ if reading.trial.scenario == Scenario::RefusedSession && offers => {
                "its session was refused, as it had to be; it has not come back since"
            }
            true => {
                "it offered a session that the server could not take: under another name, or with other cipher suites"
            }
            false => "it has not come back with a session",
        });
    };
    let renewed = reading.renewed().filter(|deed| deed.is_established()).count();
    let refused = deeds.iter().any(|deed| deed.is_refused());
    match reading.trial.scenario {
        Scenario::Renewal if renewed == 0 => Judgement::open("the key had not changed when it came last"),
        Scenario::Renewal => {
            let beside = reading.renewed().filter(|deed| reading.is_parallel(deed)).count();
            let so = match beside {
                0 => "one connection after the other".to_owned(),
                _ => format!("{beside} of them at once"),
            };
            Judgement::new(Verdict::Resumed, format!("with renewed tickets in {renewed} of {}, {so}", deeds.len()))
        }
        Scenario::Rotation if resumed.len() < 2 => Judgement::open("the key had not changed when it came last"),
        Scenario::UnknownKey | Scenario::RefusedSession if !refused => {
            Judgement::open("it never offered what the server had forgotten")
        }
        Scenario::UnknownKey | Scenario::RefusedSession => {
            Judgement::new(Verdict::Resumed, "with the session that came after the refusal")
        }
        _ => {
            let version = first.connection.version().map_or_else(String::new, |version| format!(", {version}"));
            Judgement::new(Verdict::Resumed, format!("{} of {} connections{version}", resumed.len(), deeds.len()))
        }
    }
}
