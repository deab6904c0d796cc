mod made;

use super::*;
use crate::evidence::{Alert, AlertContent, CloseNotify, Description, Flight, Version};
use crate::{Certainty, Name, Severity, Side};
use made::{Made, at};

fn trial(scenario: Scenario, connections: impl IntoIterator<Item = Made>) -> Trial {
    Trial { scenario, connections: connections.into_iter().map(|made| made.0).collect() }
}

fn full(start: u64) -> Made {
    Made::full(Version::TLS12, start)
}

fn verdict(trial: &Trial) -> Verdict {
    trial.judge().verdict
}

/// What was found, without the notes on closes that every connection of these would bring.
fn found(trials: &[Trial]) -> Vec<(Name, Severity)> {
    findings(trials).iter().map(|finding| (finding.name, finding.severity)).collect()
}

/// Three at once meet a renewal, and each of them takes it.
fn healthy_renewal() -> Vec<Made> {
    vec![
        full(0).issuing("old"),
        full(10).offering("old").resumed(),
        full(20).offering("old").resumed().issuing("new 1"),
        full(21).offering("old").resumed().issuing("new 2"),
        full(22).offering("old").resumed().issuing("new 3"),
        full(40).offering("new 3").resumed(),
    ]
}

#[test]
fn a_client_that_does_everything_right_is_told_so() {
    let cases = [
        trial(Scenario::Tickets, [full(0).issuing("a"), full(10).offering("a").resumed()]),
        trial(Scenario::SessionIds, [full(0).with_id("", "a"), full(10).with_id("a", "a").resumed()]),
        trial(Scenario::Renewal, healthy_renewal()),
        trial(
            Scenario::Rotation,
            [full(0).issuing("a"), full(10).offering("a").resumed(), full(20).offering("a").resumed()],
        ),
        trial(
            Scenario::UnknownKey,
            [full(0).issuing("a"), full(10).offering("a").issuing("b"), full(20).offering("b").resumed()],
        ),
        trial(
            Scenario::RefusedSession,
            [full(0).with_id("", "a"), full(10).with_id("a", "b"), full(20).with_id("b", "b").resumed()],
        ),
        trial(
            Scenario::HeldTickets,
            [
                Made::full(Version::TLS13, 0).issuing("a").issuing("b"),
                Made::full(Version::TLS13, 10).offering("b").resumed().issuing("c"),
                Made::full(Version::TLS13, 20).offering("c").resumed(),
            ],
        ),
        // Its only ticket is used up: it could not offer it once more.
        trial(
            Scenario::EarlyTickets,
            [
                Made::full(Version::TLS13, 0).issuing("a"),
                Made::full(Version::TLS13, 10).offering("a").resumed(),
                Made::full(Version::TLS13, 20),
            ],
        ),
    ];
    for trial in &cases {
        assert_eq!(verdict(trial), Verdict::Resumed, "{:?}", trial.scenario);
    }
    assert_eq!(found(&cases), []);
    let none = trial(Scenario::NoResumption, [full(0), full(10)]);
    assert_eq!((verdict(&none), found(&[none])), (Verdict::Full, vec![]));
}

#[test]
fn what_was_not_seen_is_not_determined() {
    let cases = [
        (Scenario::Tickets, vec![], "it has not connected"),
        (Scenario::NoResumption, vec![full(0)], "it has connected once"),
        (Scenario::Tickets, vec![full(0).issuing("a")], "it has not come back with a session"),
        (Scenario::Tickets, vec![full(0).issuing("a"), full(10)], "but did so only once"),
        // Two at once, before either had a ticket.
        (Scenario::Tickets, vec![full(0).issuing("a"), full(1).issuing("b")], "it has not come back with a session"),
        (Scenario::Renewal, vec![full(0).issuing("a"), full(10).offering("a").resumed()], "had not changed"),
        (Scenario::Rotation, vec![full(0).issuing("a"), full(10).offering("a").resumed()], "had not changed"),
        (Scenario::UnknownKey, vec![full(0).issuing("a"), full(10).offering("a").issuing("b")], "not come back since"),
        (Scenario::Tickets, vec![full(0).offering("of yesterday").issuing("a")], "it has not come back with a session"),
    ];
    for (scenario, connections, why) in cases {
        let trial = trial(scenario, connections);
        let judgement = trial.judge();
        assert_eq!(judgement.verdict, Verdict::NotDetermined, "{judgement:?}");
        assert!(judgement.why.contains(why), "{judgement:?} and not {why}");
        assert_eq!(found(&[trial]), [], "{judgement:?}");
    }
}

#[test]
fn a_client_that_does_not_trust_the_certificate_is_not_judged() {
    let distrusting = trial(Scenario::Tickets, [full(0).cut().alerting(Description(48))]);
    assert!(distrusting.judge().why.contains("does not trust the certificate (unknown_ca (48))"));
    let silent = trial(Scenario::Tickets, [full(0).cut()]);
    assert!(silent.judge().why.contains("does it trust the certificate?"));
    for trial in [distrusting, silent] {
        assert_eq!((verdict(&trial), found(&[trial])), (Verdict::NotDetermined, vec![]));
    }
}

#[test]
fn a_version_that_is_not_spoken_is_not_held_against_a_client() {
    let refused = |version: Version| {
        let mut made = full(0).cut();
        made.hello().version = version;
        made.0.server_hello = None;
        made.0.flight = Flight::Unknown;
        let content = AlertContent::Read(Description(70));
        made.0.alerts.push(Alert { side: Side::Server, at: at(2), content });
        made
    };
    let old = trial(Scenario::HeldTickets, [refused(Version::TLS12)]);
    assert_eq!(old.judge().why, "it offers no more than TLSv1.2, and this is about TLSv1.3");
    let new = trial(Scenario::Tickets, [refused(Version::TLS13)]);
    assert_eq!(new.judge().why, "it does not offer TLSv1.2, which this is about");
    // An honest client of TLS 1.0 comes with no more from the first.
    let honest = trial(Scenario::Tickets, [refused(Version::TLS10), refused(Version::TLS10)]);
    for trial in [old, new, honest] {
        assert_eq!((verdict(&trial), found(&[trial])), (Verdict::NotDetermined, vec![]));
    }
}

/// What SChannel did: it ended on the inline ticket, and came back with TLS 1.0.
#[test]
fn an_abort_on_a_renewal_and_a_fallback() {
    let begin = || [full(0).issuing("a"), full(10).offering("a").resumed()];
    let aborted = || full(20).offering("a").resumed().issuing("b").cut();
    let alone = trial(Scenario::Renewal, begin().into_iter().chain([aborted()]));
    assert_eq!(verdict(&alone), Verdict::AbortedAfterRenewal);
    assert_eq!(found(&[alone]), [(Name::InlineRenewalAborted, Severity::Problem)]);
    let fallback = |scsv: bool, before: Vec<Made>| {
        let mut back = full(40).cut();
        back.hello().version = Version::TLS10;
        back.hello().fallback = scsv;
        trial(Scenario::Renewal, begin().into_iter().chain(before).chain([back]))
    };
    let back = fallback(false, vec![aborted()]);
    assert_eq!(verdict(&back), Verdict::FellBack(Version::TLS10));
    let both = [(Name::InlineRenewalAborted, Severity::Problem), (Name::VersionFallback, Severity::Problem)];
    assert_eq!(found(&[back]), both);
    // The signal says it by itself; a lower version does not, where nothing went wrong before.
    assert_eq!(verdict(&fallback(true, vec![])), Verdict::FellBack(Version::TLS10));
    assert_ne!(verdict(&fallback(false, vec![])), Verdict::FellBack(Version::TLS10));
}

/// What Chromium 45 did: the first of three at once is fine, and the others take offence.
#[test]
fn an_alert_of_parallel_connections_on_a_renewal() {
    let alert = Description::UNEXPECTED_MESSAGE;
    let mut connections = healthy_renewal();
    let third = full(22).offering("old").resumed().issuing("new 3").cut().alerting(alert);
    connections[4] = third;
    let stale = trial(Scenario::Renewal, connections);
    assert_eq!(verdict(&stale), Verdict::Alert(alert));
    let found_here = findings(&[stale]);
    assert_eq!(found_here[0].name, Name::StaleSessionAlert);
    assert!(
        found_here[0].evidence[0].starts_with("renewal: connection 5 answers the renewed ticket"),
        "{found_here:?}"
    );
    assert_eq!(found_here[0].certainty, Certainty::Seen);
    // By itself it is a client that ends on a renewal.
    let alone = [
        full(0).issuing("old"),
        full(10).offering("old").resumed(),
        full(20).offering("old").resumed().issuing("new").cut().alerting(alert),
    ];
    assert_eq!(found(&[trial(Scenario::Renewal, alone)]), [(Name::InlineRenewalAborted, Severity::Problem)]);
}

/// What OpenSSL does: it says decode_error to an end without close_notify.
#[test]
fn an_alert_after_the_end_is_no_failure() {
    let connections = || {
        let mut connections = [full(0).issuing("a"), full(10).offering("a").resumed()];
        for Made(connection) in &mut connections {
            connection.end.server.fin = Some(at(connection.start.time.nanoseconds() + 8));
        }
        connections.map(|made| made.alerting(Description(50)))
    };
    let offended = trial(Scenario::UncleanClose, connections());
    assert_eq!((verdict(&offended), found(&[offended])), (Verdict::Resumed, vec![]));
    let mut earlier = connections();
    earlier[1].0.alerts[0].at = at(17);
    let failed = trial(Scenario::UncleanClose, earlier);
    assert_eq!(verdict(&failed), Verdict::Alert(Description(50)));
    assert_eq!(found(&[failed]), [(Name::HandshakeFailures, Severity::Problem)]);
}

#[test]
fn what_a_client_does_with_a_renewed_ticket() {
    let after = |last: Made| {
        trial(
            Scenario::Renewal,
            [
                full(0).issuing("old"),
                full(10).offering("old").resumed(),
                full(20).offering("old").resumed().issuing("new"),
                last,
            ],
        )
    };
    let keeps = after(full(40).offering("old").resumed().issuing("newer"));
    assert_eq!(verdict(&keeps), Verdict::KeepsOldSession);
    assert_eq!(found(&[keeps]), [(Name::ClientKeepsOldTicket, Severity::Note)]);
    let loses = after(full(40).issuing("fresh"));
    assert_eq!(verdict(&loses), Verdict::LosesSession);
    assert_eq!(found(&[loses]), [(Name::ClientLosesSession, Severity::Problem)]);
    assert_eq!(verdict(&after(full(40).offering("new").resumed())), Verdict::Resumed);
    // Of tickets that came at once any will do.
    for new in ["new 1", "new 2", "new 3"] {
        let mut connections = healthy_renewal();
        connections[5] = full(40).offering(new).resumed();
        assert_eq!(verdict(&trial(Scenario::Renewal, connections)), Verdict::Resumed);
    }
    // At once with the one that renewed it, it could not have the new one.
    assert_eq!(verdict(&after(full(21).offering("old").resumed().issuing("newer"))), Verdict::Resumed);
}

#[test]
fn who_stays_with_what_was_refused_has_a_problem() {
    let tickets = trial(
        Scenario::UnknownKey,
        [full(0).issuing("a"), full(10).offering("a").issuing("b"), full(20).offering("a").issuing("c")],
    );
    let ids = trial(
        Scenario::RefusedSession,
        [full(0).with_id("", "a"), full(10).with_id("a", "b"), full(20).with_id("a", "c")],
    );
    for trial in [tickets, ids] {
        assert_eq!(verdict(&trial), Verdict::KeepsOldSession);
        assert_eq!(found(&[trial]), [(Name::ClientKeepsOldTicket, Severity::Problem)]);
    }
}

#[test]
fn who_never_offers_has_a_problem_unless_it_resumes_elsewhere() {
    let never = trial(Scenario::Tickets, [full(0).issuing("a"), full(10).issuing("b"), full(20).issuing("c")]);
    assert_eq!(verdict(&never), Verdict::NeverOffers);
    let elsewhere = trial(Scenario::SessionIds, [full(0).with_id("", "a"), full(10).with_id("a", "a").resumed()]);
    assert_eq!(found(std::slice::from_ref(&never)), [(Name::ClientNeverOffers, Severity::Problem)]);
    assert_eq!(found(&[never, elsewhere]), [(Name::ClientNeverOffers, Severity::Note)]);
    // An ID that nobody issued is for the eyes of middleboxes.
    let random = trial(
        Scenario::SessionIds,
        [full(0).with_id("x", "a"), full(10).with_id("y", "b"), full(20).with_id("z", "c")],
    );
    assert_eq!(verdict(&random), Verdict::NeverOffers);
}

#[test]
fn who_leaves_before_tickets_is_told_so() {
    let leaving = |start| {
        let mut made = Made::full(Version::TLS13, start);
        made.0.application.client.records = 0;
        made
    };
    let held = trial(Scenario::HeldTickets, [leaving(0), leaving(10), leaving(20)]);
    let early = trial(Scenario::EarlyTickets, [leaving(0).issuing("a"), leaving(10).issuing("b")]);
    for trial in [held, early] {
        assert_eq!(verdict(&trial), Verdict::NeverOffers);
        let found = findings(&[trial]);
        assert_eq!(
            (found.len(), found[0].name, found[0].certainty),
            (1, Name::ClosedBeforeTickets, Certainty::Inferred)
        );
    }
}

#[test]
fn reuse_and_unclean_ends_are_notes() {
    let tls13 = |start| Made::full(Version::TLS13, start);
    let reused = trial(
        Scenario::HeldTickets,
        [tls13(0).issuing("a"), tls13(10).offering("a").resumed(), tls13(20).offering("a").resumed()],
    );
    assert_eq!(verdict(&reused), Verdict::Resumed);
    assert_eq!(found(&[reused]), [(Name::TicketReused, Severity::Note)]);
    let mut unclean = full(0);
    unclean.0.end.client.close_notify = CloseNotify::None;
    let unclean = trial(Scenario::NoResumption, [unclean, full(10)]);
    let found_here = findings(&[unclean]);
    assert_eq!(found_here[0].evidence, ["no-resumption: 1 of 2 connections, 0 of them by a reset"]);
    assert_eq!(found_here[0].severity, Severity::Note);
}

/// What Java does that insists on close_notify: it forgets the session, and resumes after any other end.
#[test]
fn who_forgets_the_session_of_an_unclean_close_loses_it() {
    let forgets = trial(Scenario::UncleanClose, [full(0).issuing("a"), full(10).issuing("b"), full(20).issuing("c")]);
    let resumes = trial(Scenario::Tickets, [full(0).issuing("a"), full(10).offering("a").resumed()]);
    assert_eq!(found(&[resumes, forgets.clone()]), [(Name::ClientLosesSession, Severity::Problem)]);
    assert_eq!(found(&[forgets]), [(Name::ClientNeverOffers, Severity::Problem)]);
}

#[test]
fn scenarios_are_counted_in_their_order() {
    assert_eq!(Scenario::ALL.map(|scenario| scenario as usize), std::array::from_fn(|index| index));
}

#[test]
fn plans_say_what_is_next() {
    let made: Vec<_> = (0..8).map(|made| Scenario::Renewal.next(made)).collect();
    assert_eq!(made, [1, 1, 3, 2, 1, 1, 0, 0]);
    assert_eq!(Scenario::Renewal.step_after(2), Some(5));
    assert_eq!(Scenario::Renewal.step_after(6), None);
}

#[test]
fn keys_change_when_a_client_has_done_its_part() {
    let begun = [full(0).issuing("a").0];
    let resumed = [full(0).issuing("a").0, full(10).offering("a").resumed().0];
    let aborted = [full(0).issuing("a").0, full(10).offering("a").resumed().cut().0];
    for scenario in [Scenario::Renewal, Scenario::Rotation] {
        let changed = [&begun[..], &resumed, &aborted].map(|connections| scenario.has_changed(connections));
        assert_eq!(changed, [false, true, false]);
    }
    assert!(Scenario::UnknownKey.has_changed(&begun) && !Scenario::UnknownKey.has_changed(&[full(0).cut().0]));
    assert!(!Scenario::Tickets.has_changed(&resumed));
}
