//! What was found, from all scenarios a client was tried in.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::reading::{Deed, Offered, Outcome, Reading};
use super::verdict::{self, Verdict};
use super::{Scenario, Trial};
use crate::evidence::{Close, Description};
use crate::{Certainty, Finding, Name, Severity, Side, remedies};

/// What was found about one client.
pub fn findings(trials: &[Trial]) -> Vec<Finding> {
    let readings: Vec<_> = trials.iter().map(Reading::of).collect();
    let resumes = readings.iter().any(|reading| reading.deeds.iter().any(Deed::is_resumed));
    let mut clues = Clues { resumes, by_name: BTreeMap::new() };
    readings.iter().for_each(|reading| clues.read(reading));
    clues.by_name.into_iter().map(|(name, clues)| finding(name, clues, resumes)).collect()
}

/// One thing that was seen, and of whom.
struct Clue {
    scenario: Scenario,
    seen: String,
    peer: SocketAddr,
}

struct Clues {
    /// Whether the client resumed in any scenario.
    resumes: bool,
    by_name: BTreeMap<Name, Vec<Clue>>,
}

impl Clues {
    fn add(&mut self, name: Name, reading: &Reading<'_>, deed: &Deed<'_>, seen: impl Into<String>) {
        let clue = Clue { scenario: reading.trial.scenario, seen: seen.into(), peer: deed.connection.client };
        self.by_name.entry(name).or_default().push(clue);
    }

    fn read(&mut self, reading: &Reading<'_>) {
        for deed in &reading.deeds {
            self.read_end(reading, deed);
        }
        if let Some((deed, version)) = verdict::fallback(reading) {
            self.add(
                Name::VersionFallback,
                reading,
                deed,
                format!("connection {} offers {version} at most", deed.number()),
            );
        }
        self.read_reuse(reading);
        self.read_verdict(reading);
        let unclean: Vec<_> = reading.deeds.iter().filter(|deed| closes_unclean(deed)).collect();
        if reading.trial.scenario == Scenario::UncleanClose {
            return; // it was not told either
        }
        if let Some(first) = unclean.first() {
            let resets = unclean.iter().filter(|deed| deed.connection.close(Side::Client) == Close::Reset).count();
            let seen = format!("{} of {} connections, {resets} of them by a reset", unclean.len(), reading.deeds.len());
            self.add(Name::ClientClosesUnclean, reading, first, seen);
        }
    }

    /// How a connection was given up.
    fn read_end(&mut self, reading: &Reading<'_>, deed: &Deed<'_>) {
        let Outcome::GaveUp(alert) = deed.outcome else { return };
        if verdict::distrusts(deed) {
            return;
        }
        let number = deed.number();
        let (name, seen) = match (deed.is_renewed(), alert) {
            (true, Some(Description::UNEXPECTED_MESSAGE)) if reading.is_parallel(deed) => (
                Name::StaleSessionAlert,
                format!(
                    "connection {number} answers the renewed ticket with {}, beside others that offered the same",
                    Description::UNEXPECTED_MESSAGE
                ),
            ),
            (true, Some(alert)) => {
                (Name::InlineRenewalAborted, format!("connection {number} answers the renewed ticket with {alert}"))
            }
            (true, None) => (
                Name::InlineRenewalAborted,
                format!("connection {number} ends on the renewed ticket, by {}", end_of(deed)),
            ),
            (false, Some(alert)) => (Name::HandshakeFailures, format!("connection {number} ends in {alert}")),
            (false, None) if verdict::broke_off_resuming(deed) => (
                Name::HandshakeFailures,
                format!("connection {number} breaks off as its session is resumed, by {}", end_of(deed)),
            ),
            (false, None) => return, // it may not trust the certificate
        };
        self.add(name, reading, deed, seen);
    }

    /// Tickets that were offered by two connections in TLS 1.3 (RFC 8446 §C.4).
    fn read_reuse(&mut self, reading: &Reading<'_>) {
        let psk = |deed: &Deed<'_>| deed.connection.client_hello.as_ref().and_then(|hello| hello.psks.first().cloned());
        for (index, deed) in reading.deeds.iter().enumerate() {
            let Some(own) = psk(deed) else { continue };
            let before = reading.deeds[..index]
                .iter()
                .find(|before| psk(before).is_some_and(|psk| psk.identity == own.identity));
            if let (Some(before), Offered::Left(_)) = (before, deed.offered) {
                let seen =
                    format!("connection {} offers the ticket of connection {} again", deed.number(), before.number());
                self.add(Name::TicketReused, reading, deed, seen);
            }
        }
    }

    /// What the client does with its sessions, which its connections tell only together.
    fn read_verdict(&mut self, reading: &Reading<'_>) {
        let Some(last) = reading.deeds.last() else { return };
        let judgement = reading.trial.judge();
        let name = match judgement.verdict {
            Verdict::KeepsOldSession => Name::ClientKeepsOldTicket,
            Verdict::LosesSession => Name::ClientLosesSession,
            Verdict::NeverOffers if reading.deeds.iter().any(verdict::leaves_before_tickets) => {
                Name::ClosedBeforeTickets
            }
            // Who resumes after other ends forgets its sessions for this one.
            Verdict::NeverOffers if self.resumes && reading.trial.scenario == Scenario::UncleanClose => {
                Name::ClientLosesSession
            }
            Verdict::NeverOffers => Name::ClientNeverOffers,
            _ => return,
        };
        self.add(name, reading, last, judgement.why);
    }
}

/// Whether the client ended an established connection, and did not say so in TLS.
fn closes_unclean(deed: &Deed<'_>) -> bool {
    deed.is_established() && matches!(deed.connection.close(Side::Client), Close::Truncated | Close::Reset)
}

fn end_of(deed: &Deed<'_>) -> &'static str {
    if deed.connection.end.client.reset.is_some() { "a reset" } else { "a FIN" }
}

fn finding(name: Name, clues: Vec<Clue>, resumes: bool) -> Finding {
    let mut peers: Vec<_> = clues.iter().map(|clue| clue.peer).collect();
    peers.sort_unstable();
    peers.dedup();
    let ip = peers.first().map_or_else(String::new, |peer| peer.ip().to_string());
    Finding {
        name,
        severity: severity(name, &clues, resumes),
        certainty: if name == Name::ClosedBeforeTickets { Certainty::Inferred } else { Certainty::Seen },
        summary: format!("{ip} {}", summary(name)),
        evidence: clues.iter().map(|clue| format!("{}: {}", clue.scenario.as_str(), clue.seen)).collect(),
        cost: cost(name).to_owned(),
        remedy: remedies(name).to_vec(),
        peers,
        connections: Vec::new(),
    }
}

/// Who resumes elsewhere has its reasons where it offers nothing: a library that speaks no tickets in TLS 1.2, say. Who stays
/// with an old ticket resumes as long as that is good, and never again once it was refused.
fn severity(name: Name, clues: &[Clue], resumes: bool) -> Severity {
    let refuses = |clue: &Clue| matches!(clue.scenario, Scenario::UnknownKey | Scenario::RefusedSession);
    match name {
        Name::ClientClosesUnclean | Name::TicketReused => Severity::Note,
        Name::ClientNeverOffers | Name::ClosedBeforeTickets if resumes => Severity::Note,
        Name::ClientKeepsOldTicket if !clues.iter().any(refuses) => Severity::Note,
        _ => Severity::Problem,
    }
}

fn summary(name: Name) -> &'static str {
    match name {
        Name::InlineRenewalAborted => {
            "ends connections on a ticket that is renewed inside an abbreviated TLS 1.2 handshake"
        }
        Name::VersionFallback => "comes back with a lower version after a connection it gave up",
        Name::StaleSessionAlert => {
            "sends unexpected_message when connections that use one session at once meet a renewal"
        }
        Name::ClientKeepsOldTicket => "goes on offering the session it had, not the one it was given since",
        Name::ClientLosesSession => "comes back without the session it had",
        Name::ClientNeverOffers => "does not come back with what it was given to resume",
        Name::ClosedBeforeTickets => "leaves before TLS 1.3 tickets reach it, so it has none to offer",
        Name::ClientClosesUnclean => "ends its connections without close_notify",
        Name::TicketReused => "uses a TLS 1.3 ticket more than once",
        _ => "ends connections in alerts, or breaks them off",
    }
}

fn cost(name: Name) -> &'static str {
    match name {
        Name::InlineRenewalAborted | Name::StaleSessionAlert | Name::HandshakeFailures => {
            "a failed connection each time"
        }
        Name::VersionFallback => "connections under a version that is broken, or none where that is not served",
        Name::ClientKeepsOldTicket => "a full handshake each time once the old key is gone",
        Name::ClientLosesSession => "a full handshake each time it happens",
        Name::ClientNeverOffers | Name::ClosedBeforeTickets => "a full handshake each time",
        Name::ClientClosesUnclean => "the session, with servers that forget it then",
        Name::TicketReused => "an observer can tell that its connections belong together",
        _ => "",
    }
}
