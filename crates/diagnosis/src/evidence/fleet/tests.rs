use super::*;
use crate::Moment;
use crate::evidence::{Flight, ServerHello, SessionId, Stage};

/// A connection of TLS 1.2 that came to its end, with this kind of flight; nothing is known of what was offered.
fn connection(flight: Flight) -> Connection {
    let address = "192.0.2.1:443".parse().unwrap();
    let now = Moment::default();
    let mut connection = Connection::new(address, address, now, true);
    connection.flight = flight;
    connection.server_hello = Some(ServerHello {
        at: now,
        version: Version::TLS12,
        suite: 0xc02b,
        session_id: SessionId::default(),
        ticket: true,
        psk: None,
        extended_master_secret: true,
    });
    connection.finished.client = Some(now);
    connection.finished.server = Some(now);
    connection
}

#[test]
fn a_name_is_what_tickets_have_in_common() {
    let name = |byte: u8| KeyName::of(&[byte; 16]).unwrap();
    let mut names = KeyNames::default();
    names.note(name(1));
    assert!(!names.repeat(), "one ticket shows nothing");
    names.note(name(1));
    assert!(names.repeat() && names.has(name(1)) && !names.has(name(2)));
    let mut random = KeyNames::default();
    (0..100).for_each(|byte| random.note(name(byte)));
    assert!(!random.repeat());
    assert_eq!(random.names().len(), 8, "however many there are");
}

#[test]
fn a_full_handshake_is_no_refusal_where_nothing_was_offered() {
    assert_eq!(Reply::of(Way::Ticket, &connection(Flight::Full), None), Reply::NotOffered);
    assert_eq!(Reply::of(Way::Ticket, &connection(Flight::Abbreviated), None), Reply::NotOffered);
    let failure = Failure::Ended(Stage::Hello);
    let failed = Reply::of(Way::Ticket, &connection(Flight::Unknown), Some(&failure));
    assert_eq!(failed, Reply::Failed(failure));
}

#[test]
fn that_nothing_came_says_something_only_where_it_could_have_come() {
    let sound = connection(Flight::Full);
    let mut tls13 = sound.clone();
    tls13.server_hello.as_mut().unwrap().version = Version::TLS13;
    assert_eq!(Gives::of(Way::Ticket, 1, true, &sound, None), Gives::Sessions);
    assert_eq!(Gives::of(Way::Ticket, 0, false, &sound, None), Gives::Nothing, "all came with the handshake");
    assert_eq!(Gives::of(Way::Psk, 0, true, &tls13, None), Gives::Nothing);
    assert_eq!(Gives::of(Way::Psk, 0, false, &tls13, None), Gives::NothingSaid);
    let silence = Failure::TimedOut(Stage::Answer);
    assert_eq!(Gives::of(Way::Psk, 0, true, &tls13, Some(&silence)), Gives::Unknown(silence.clone()));
    assert_eq!(Gives::of(Way::Ticket, 0, true, &sound, Some(&silence)), Gives::Nothing);
    let mut broken_off = connection(Flight::Unknown);
    broken_off.finished = Default::default();
    let end = Failure::Ended(Stage::Handshake);
    assert_eq!(Gives::of(Way::Ticket, 0, true, &broken_off, Some(&end)), Gives::Unknown(end));
}

#[test]
fn a_version_is_not_spoken_if_the_server_says_so() {
    let mut declined = connection(Flight::Unknown);
    declined.server_hello = None;
    let alert = Failure::Alert(Description::PROTOCOL_VERSION);
    assert_eq!(Gives::of(Way::Psk, 0, true, &declined, Some(&alert)), Gives::Unknown(alert.clone()), "who said it?");
    let alerted = |side: Side| {
        let content = AlertContent::Read(Description::PROTOCOL_VERSION);
        Connection { alerts: vec![Alert { side, at: Moment::default(), content }], ..declined.clone() }
    };
    let of = |connection: &Connection| Gives::of(Way::Psk, 0, true, connection, Some(&alert));
    assert_eq!(of(&alerted(Side::Client)), Gives::Unknown(alert.clone()), "we did");
    assert_eq!(of(&alerted(Side::Server)), Gives::NotSpoken);
    let other = Failure::Protocol("a lower version".to_owned());
    assert_eq!(Gives::of(Way::Psk, 0, true, &connection(Flight::Full), Some(&other)), Gives::NotSpoken);
}
