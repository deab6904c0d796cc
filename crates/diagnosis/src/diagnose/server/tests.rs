use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::evidence::{
    CertificateRequest, ClientHello, Connection, Ending, Experiment, Failure, Flight, Identity, KeyName, NewTicket,
    Said, Sealed, ServerHello, SessionId, Stage, Trial, Version, WriteOnly,
};
use crate::{Moment, Timestamp};

/// What came of an offer.
#[derive(Clone, Copy, PartialEq)]
enum Came {
    Resumed,
    Refused,
    Broken,
}
use Came::{Broken, Refused, Resumed};

const LIFETIME: Duration = Duration::from_secs(7200);

#[test]
fn a_verdict_takes_what_repeats() {
    let table: [(&[Came], Verdict); 7] = [
        (&[Resumed, Resumed], Verdict::Resumes),
        (&[Resumed], Verdict::Resumes),
        (&[Broken, Resumed], Verdict::Resumes),
        (&[Refused, Refused], Verdict::Refused),
        (&[Refused, Broken, Refused], Verdict::Refused),
        (&[], Verdict::NotOffered),
        (&[Refused, Resumed], undetermined("resumed 1 of 2 times: it does not always do the same")),
    ];
    for way in Way::ALL {
        for (came, expected) in &table {
            let mut server = Server::default();
            let made = server.full(way, Experiment::Resume);
            if came.is_empty() {
                server.gave_nothing(made);
            }
            came.iter().for_each(|came| _ = server.offer(way, Experiment::Resume, made, *came));
            assert_eq!(server.way(way).verdict, *expected, "{way}");
        }
    }
}

#[test]
fn a_single_refusal_is_no_verdict() {
    let mut server = Server::default();
    let made = server.full(Way::Psk, Experiment::Resume);
    server.offer(Way::Psk, Experiment::Resume, made, Refused);
    assert!(matches!(server.way(Way::Psk).verdict, Verdict::NotDetermined(_)));
    server.offer(Way::Psk, Experiment::Resume, made, Broken);
    let Verdict::NotDetermined(why) = server.way(Way::Psk).verdict else { panic!() };
    assert_eq!(why, "refused once, and then the server reset the connection in the middle of the handshake");
    assert_eq!(server.problems(), [Name::HandshakeFailures]);
}

#[test]
fn no_ticket_is_no_offer_only_where_the_server_has_spoken() {
    for (said, expected) in [(Said::Answered, true), (Said::Unanswered, false), (Said::Nothing, false)] {
        let mut server = Server::default();
        let made = server.full(Way::Psk, Experiment::Resume);
        server.gave_nothing(made);
        server.0.trials[made].said = said;
        assert_eq!(server.way(Way::Psk).verdict == Verdict::NotOffered, expected, "{said:?}");
        assert_eq!(server.problems().contains(&Name::NoResumptionOffered), expected, "{said:?}");
    }
}

#[test]
fn only_the_contrast_shows_what_an_unclean_close_does() {
    // After a FIN, after close_notify: found?
    let table: [(&[Came], &[Came], bool); 7] = [
        (&[Refused, Refused], &[Resumed, Resumed], true),
        (&[Refused], &[Resumed, Resumed], false),
        (&[Refused, Refused], &[Resumed], false),
        (&[Refused, Resumed], &[Resumed, Resumed], false),
        (&[Refused, Refused], &[Resumed, Resumed, Refused], false),
        (&[Refused, Refused], &[Refused, Refused], false),
        (&[Broken, Broken], &[Resumed, Resumed], false),
    ];
    for (after_fin, after_clean, found) in table {
        let mut server = Server::default();
        for (ending, came) in [(Ending::Fin, after_fin), (Ending::Clean, after_clean)] {
            for came in came {
                let made = server.full(Way::SessionId, Experiment::Close);
                server.0.trials[made].ending = ending;
                server.offer(Way::SessionId, Experiment::Close, made, *came);
            }
        }
        assert_eq!(server.problems().contains(&Name::UncleanCloseInvalidates), found);
    }
}

#[test]
fn what_clients_with_tickets_do_not_notice_is_a_note() {
    let mut server = Server::default();
    for way in [Way::SessionId, Way::Ticket] {
        for ending in [Ending::Fin, Ending::Clean] {
            for _ in 0..2 {
                let made = server.full(way, Experiment::Close);
                server.0.trials[made].ending = ending;
                let lost = way == Way::SessionId && ending == Ending::Fin;
                server.offer(way, Experiment::Close, made, if lost { Refused } else { Resumed });
            }
        }
    }
    assert_eq!(server.problems(), []);
    assert!(server.notes().contains(&Name::UncleanCloseInvalidates));
}

#[test]
fn keys_that_take_turns_are_those_of_several_nodes() {
    // The keys that tickets were issued under in turn; each is offered to the next.
    for (keys, expected) in [
        (&[1, 2, 1, 2][..], Name::KeysNotShared),
        (&[1, 1, 2, 2], Name::TicketNeverAccepted),
        // A ticket that begins at random has no key name.
        (&[1, 2, 3, 4], Name::TicketNeverAccepted),
    ] {
        let mut server = Server::default();
        let mut made = server.full(Way::Ticket, Experiment::Resume);
        server.sealed_under(made, keys[0]);
        for key in &keys[1..] {
            let offer = server.offer(Way::Ticket, Experiment::Resume, made, Refused);
            server.sealed_under(offer, *key);
            made = offer;
        }
        assert_eq!(server.problems(), [expected], "{keys:?}");
    }
}

#[test]
fn a_ticket_that_is_refused_inside_its_lifetime_has_lost_its_key() {
    let table = [
        // The key now, the age in seconds, how often it was refused: what is found.
        (2, 600, 2, Some(Name::KeyRotatedAway)),
        (2, 600, 1, None),
        (2, 7300, 2, None),
        (1, 600, 2, Some(Name::TicketExpired)),
    ];
    for (now, age, refusals, expected) in table {
        let mut server = Server::default();
        let made = server.full(Way::Ticket, Experiment::Canary);
        server.offer(Way::Ticket, Experiment::Canary, made, Resumed);
        for _ in 0..refusals {
            let offer = server.offer(Way::Ticket, Experiment::Canary, made, Refused);
            server.0.trials[offer].connection.start = after(Duration::from_secs(age));
            server.sealed_under(offer, now);
        }
        let found = server.problems().into_iter().find(|name| *name != Name::TicketNeverAccepted);
        assert_eq!(found, expected, "{now}, {age}, {refusals}");
    }
}

#[test]
fn a_session_that_crosses_to_other_certificates_is_a_problem() {
    let request = |authority: u8| Some(CertificateRequest { authorities: vec![vec![authority]], shown: false });
    for (own, other, problem) in
        [(None, None, false), (request(1), None, true), (request(1), request(2), true), (request(1), request(1), false)]
    {
        let mut server = Server::default();
        let made = server.full(Way::Psk, Experiment::OtherName);
        server.named(made, "own.test", own.clone());
        let offer = server.offer(Way::Psk, Experiment::OtherName, made, Resumed);
        server.named(offer, "other.test", None);
        let full = server.full(Way::Psk, Experiment::OtherName);
        server.named(full, "other.test", other.clone());
        assert_eq!(server.problems().contains(&Name::PolicyNotBound), problem, "{own:?} {other:?}");
        assert_eq!(server.notes().contains(&Name::PolicyNotBound), !problem, "{own:?} {other:?}");
    }
}

#[test]
fn data_is_lost_only_where_tickets_lay_unread_and_bytes_were_not_acknowledged() {
    for (unasked, unacknowledged, lost) in [(500, 30_000, true), (0, 30_000, false), (500, 0, false)] {
        let mut server = Server::default();
        server.0.write_only = Some(WriteOnly { unasked, written: 400_000, unacknowledged, unread: 500, failure: None });
        assert_eq!(server.problems().contains(&Name::WriteOnlyDataLost), lost);
    }
}

#[test]
fn tickets_are_eager_that_come_between_finished_and_the_first_request() {
    let second = Duration::from_secs(1);
    // When the ticket came, the version, whether it was seen before anything was said: found?
    for (at, way, unasked, found) in [
        (second, Way::Psk, 1, true),
        (second * 3, Way::Psk, 1, false),
        (second, Way::Ticket, 1, false),
        (second, Way::Psk, 0, false),
    ] {
        let mut server = Server::default();
        let made = server.full(way, Experiment::Resume);
        let trial = &mut server.0.trials[made];
        trial.unasked = unasked;
        trial.connection.sealed = vec![Sealed { at: after(at), length: 250 }];
        trial.connection.application.client.first = Some(after(second * 2));
        assert_eq!(server.notes().contains(&Name::EagerTickets), found, "{at:?} {way} {unasked}");
    }
}

#[test]
fn lifetimes_are_measured_against_the_seven_days_of_tls_1_3() {
    let week = Duration::from_secs(7 * 86_400);
    let second = Duration::from_secs(1);
    for (way, lifetime, problems, notes) in [
        (Way::Psk, week, 0, 0),
        (Way::Psk, week + second, 1, 0),
        (Way::Ticket, week + second, 0, 1),
        (Way::Ticket, Duration::ZERO, 0, 0),
        (Way::Psk, Duration::from_secs(59), 0, 1),
    ] {
        let mut server = Server::default();
        let made = server.full(way, Experiment::Resume);
        server.0.trials[made].connection.tickets[0].lifetime = lifetime;
        server.offer(way, Experiment::Resume, made, Resumed);
        let count = |names: Vec<Name>| names.iter().filter(|name| **name == Name::TicketLifetime).count();
        assert_eq!((count(server.problems()), count(server.notes())), (problems, notes), "{way} {lifetime:?}");
    }
}

#[test]
fn a_session_id_that_is_not_echoed_is_found() {
    let mut server = Server::default();
    let made = server.full(Way::Ticket, Experiment::Resume);
    let offer = server.offer(Way::Ticket, Experiment::Resume, made, Resumed);
    assert_eq!(server.problems(), []);
    server.0.trials[offer].connection.server_hello.as_mut().unwrap().session_id = SessionId::new(&[9; 31]).unwrap();
    assert_eq!(server.problems(), [Name::SessionIdEcho]);
}

#[test]
fn where_nothing_came_of_it_a_sentence_says_why() {
    let mut server = Server::default();
    let trial = server.full(Way::Psk, Experiment::Look);
    let Trial { connection, failure, .. } = &mut server.0.trials[trial];
    *connection = Connection::new(connection.client, connection.server, connection.start, true);
    *failure = Some(Failure::NotTls("HTTP/1.1 400 Bad Request".to_owned()));
    let diagnosis = diagnose(&server.0);
    assert!(!diagnosis.examined && diagnosis.findings.is_empty());
    assert!(diagnosis.verdict.contains("this is a port for plain HTTP"), "{}", diagnosis.verdict);
}

fn undetermined(why: &str) -> Verdict {
    Verdict::NotDetermined(why.to_owned())
}

fn after(time: Duration) -> Moment {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap();
    Moment { time: Timestamp::from_nanoseconds(1_000_000_000 + nanoseconds), packet: 0 }
}

/// A server as a probe saw it, made up.
struct Server(Examination);

impl Default for Server {
    fn default() -> Self {
        let address = "127.0.0.1:443".parse().unwrap();
        Self(Examination { name: "shop.example:443".to_owned(), address, trials: Vec::new(), write_only: None })
    }
}

impl Server {
    /// A full handshake that gives a session, and offers none.
    fn full(&mut self, way: Way, experiment: Experiment) -> usize {
        self.trial(way, experiment, None, Refused)
    }

    fn offer(&mut self, way: Way, experiment: Experiment, made: usize, came: Came) -> usize {
        self.trial(way, experiment, Some(made), came)
    }

    fn trial(&mut self, way: Way, experiment: Experiment, offered: Option<usize>, came: Came) -> usize {
        let at = after(Duration::from_secs(self.0.trials.len() as u64));
        let mut connection = Connection::new("127.0.0.1:1".parse().unwrap(), self.0.address, at, true);
        let id = SessionId::new(&[7; 32]).unwrap();
        let shown = offered.map(|made| self.0.trials[made].connection.tickets[0].ticket.clone());
        let ticket = (way == Way::Ticket).then(|| shown.clone().unwrap_or_default());
        let psk = shown.filter(|_| way == Way::Psk).map(|identity| Identity { identity, obfuscated_age: 0 });
        connection.client_hello = Some(Box::new(ClientHello {
            at,
            random: [0; 32],
            version: way.version(),
            server_name: None,
            session_id: if way == Way::SessionId && offered.is_none() { SessionId::default() } else { id },
            ticket,
            psks: psk.into_iter().collect(),
            early_data: false,
            extended_master_secret: true,
            fallback: false,
            ticket_request: None,
            profile: Arc::default(),
        }));
        connection.server_hello = Some(ServerHello {
            at,
            version: way.version(),
            suite: 0x1301,
            session_id: id,
            ticket: false,
            psk: (way == Way::Psk && came == Resumed).then_some(0),
            extended_master_secret: true,
        });
        connection.flight = match came {
            Resumed if way.version() < Version::TLS13 => Flight::Abbreviated,
            Refused if way.version() < Version::TLS13 => Flight::Full,
            _ => Flight::Unknown,
        };
        let failure = (came == Broken).then_some(Failure::Reset(Stage::Handshake));
        if came == Broken {
            connection.server_hello = None;
        } else {
            connection.finished.client = Some(at);
            connection.finished.server = Some(at);
        }
        let ticket = [1; 64].into();
        let issued = NewTicket { at, ticket, lifetime: LIFETIME, age_add: None, early_data: None };
        connection.tickets = if came == Resumed { Vec::new() } else { vec![issued] };
        self.0.trials.push(Trial {
            experiment,
            way,
            offered,
            ending: Ending::Clean,
            certificate_request: None,
            said: Said::Answered,
            gained: 1,
            unasked: 0,
            connection,
            failure,
        });
        self.0.trials.len() - 1
    }

    fn gave_nothing(&mut self, trial: usize) {
        let trial = &mut self.0.trials[trial];
        trial.gained = 0;
        trial.connection.tickets.clear();
    }

    /// Has the ticket of a trial begin with `key`.
    fn sealed_under(&mut self, trial: usize, key: u8) {
        let ticket: Box<[u8]> = [key; 64].into();
        assert_eq!(KeyName::of(&ticket).unwrap().stem(), [key; KeyName::STEM]);
        self.0.trials[trial].connection.tickets[0].ticket = ticket;
    }

    fn named(&mut self, trial: usize, name: &str, request: Option<CertificateRequest>) {
        let trial = &mut self.0.trials[trial];
        trial.connection.client_hello.as_mut().unwrap().server_name = Some(name.into());
        trial.certificate_request = request;
    }

    fn way(&self, way: Way) -> WayReport {
        diagnose(&self.0).ways.into_iter().find(|report| report.way == way).unwrap()
    }

    fn problems(&self) -> Vec<Name> {
        self.found(Severity::Problem)
    }

    fn notes(&self) -> Vec<Name> {
        self.found(Severity::Note)
    }

    fn found(&self, severity: Severity) -> Vec<Name> {
        let findings = diagnose(&self.0).findings;
        findings.iter().filter(|finding| finding.severity == severity).map(|finding| finding.name).collect()
    }
}
