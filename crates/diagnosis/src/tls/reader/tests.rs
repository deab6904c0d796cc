//! Whole handshakes, and what is left of them where bytes are missing.

use std::time::Duration;

use proptest::prelude::*;

use super::super::script::*;
use super::*;
use crate::evidence::{Answer, Application, Close, Kind, Offer, TicketRequest};

mod partial;

/// TLS 1.2, a new session with a ticket.
fn full12() -> Vec<Event> {
    vec![
        send(Client, &[&handshake(&[&client_hello(&[], &[extension(35, &[]), extension(23, &[])])])]),
        send(
            Server,
            &[&handshake(&[
                &server_hello(&[], 0xc02f, &[extension(35, &[]), extension(23, &[])]),
                &message(11, &[1; 900]),
                &message(12, &[2; 300]),
                &message(14, &[]),
            ])],
        ),
        send(Client, &[&handshake(&[&message(16, &[3; 66])]), &change_cipher_spec(), &sealed_finished()]),
        send(Server, &[&handshake(&[&new_ticket(300, TICKET)]), &change_cipher_spec(), &sealed_finished()]),
        send(Client, &[&sealed(23, 100)]),
        send(Server, &[&sealed(23, 4000), &sealed(23, 500)]),
        send(Client, &[&sealed_alert()]),
        send(Server, &[&sealed_alert()]),
        Event::Fin(Server),
        Event::Fin(Client),
    ]
}

/// TLS 1.2, resumed, with or without a new ticket.
fn abbreviated12(hello: &[u8], server_hello: &[u8], renewal: Option<Vec<u8>>) -> Vec<Event> {
    let renewal = renewal.map_or(Vec::new(), |ticket| handshake(&[&ticket]));
    vec![
        send(Client, &[&handshake(&[hello])]),
        send(Server, &[&handshake(&[server_hello]), &renewal, &change_cipher_spec(), &sealed_finished()]),
        send(Client, &[&change_cipher_spec(), &sealed_finished(), &sealed(23, 100)]),
        send(Server, &[&sealed(23, 200)]),
        send(Client, &[&sealed_alert()]),
        Event::Fin(Client),
        send(Server, &[&sealed_alert()]),
        Event::Fin(Server),
    ]
}

fn resumed_by_ticket(renewal: Option<Vec<u8>>) -> Vec<Event> {
    abbreviated12(&client_hello(ID, &[extension(35, TICKET)]), &server_hello(ID, 0xc02f, &[]), renewal)
}

fn resumed_by_session_id() -> Vec<Event> {
    abbreviated12(&client_hello(ID, &[]), &server_hello(ID, 0xc02f, &[]), None)
}

/// TLS 1.3 by OpenSSL: each message of the server in its own record, two tickets.
fn full13() -> Vec<Event> {
    let hello = client_hello13(&[extension(51, &[0; 38])]);
    handshake13(&hello, &server_hello13(0x1302, &[]), &[23, 880, 281])
}

fn resumed13() -> Vec<Event> {
    let hello = client_hello13(&[extension(45, &[1, 1]), psks(&[(TICKET, 77), (ID, 0)])]);
    handshake13(&hello, &server_hello13(0x1302, &[extension(41, &[0, 0])]), &[27])
}

fn handshake13(hello: &[u8], server_hello: &[u8], flight: &[usize]) -> Vec<Event> {
    let flight = flight.iter().flat_map(|length| sealed(23, *length)).collect::<Vec<_>>();
    vec![
        send(Client, &[&handshake(&[hello])]),
        send(Server, &[&handshake(&[server_hello]), &change_cipher_spec(), &flight, &sealed(23, 69)]),
        send(Client, &[&change_cipher_spec(), &sealed(23, 69)]),
        send(Server, &[&sealed(23, 250), &sealed(23, 250)]),
        send(Client, &[&sealed(23, 100)]),
        send(Server, &[&sealed(23, 1000)]),
        send(Client, &[&sealed(23, 19)]),
        Event::Fin(Client),
        send(Server, &[&sealed(23, 19)]),
        Event::Fin(Server),
    ]
}

fn retried13() -> Vec<Event> {
    let mut events = resumed13();
    let retry = server_hello_of(0x0303, RETRY, &[9; 32], 0x1302, &[extension(43, &[3, 4]), extension(51, &[0, 24])]);
    let first = client_hello13(&[extension(51, &[0; 38]), psks(&[(ID, 1)])]);
    let second = events.remove(0);
    let Event::Data(_, second) = second else { unreachable!() };
    let again = send(Client, &[&change_cipher_spec(), &second]);
    events.splice(
        0..0,
        [send(Client, &[&handshake(&[&first])]), send(Server, &[&handshake(&[&retry]), &change_cipher_spec()]), again],
    );
    events
}

fn early_data() -> Vec<Event> {
    let mut events = resumed13();
    let hello = client_hello13(&[extension(42, &[]), psks(&[(TICKET, 77)])]);
    events[0] = send(Client, &[&handshake(&[&hello]), &change_cipher_spec(), &sealed(23, 300), &sealed(23, 90)]);
    events[2] = send(Client, &[&sealed(23, 120), &sealed(23, 21), &sealed(23, 69)]);
    events
}

/// SChannel's way: FIN instead of Finished, once a ticket came inline.
fn aborted_on_renewal() -> Vec<Event> {
    let mut events = resumed_by_ticket(Some(new_ticket(300, &[0x55; 176])));
    events.truncate(2);
    events.extend([Event::Fin(Client), Event::Fin(Server)]);
    events
}

fn refused_in_clear() -> Vec<Event> {
    let mut events = full12();
    events.truncate(1);
    events.extend([send(Server, &[&alert(2, 40)]), Event::Fin(Server), Event::Fin(Client)]);
    events
}

fn renegotiated() -> Vec<Event> {
    let mut events = full12();
    events.splice(
        6..6,
        [
            send(Client, &[&sealed(22, 260)]),
            send(Server, &[&sealed(22, 1400)]),
            send(Client, &[&sealed(22, 100), &change_cipher_spec(), &sealed_finished()]),
            send(Server, &[&sealed(22, 250), &change_cipher_spec(), &sealed_finished()]),
            send(Client, &[&sealed(23, 30)]),
        ],
    );
    events
}

fn all() -> Vec<(&'static str, Vec<Event>)> {
    vec![
        ("full in 1.2", full12()),
        ("resumed by ticket", resumed_by_ticket(None)),
        ("renewed inline", resumed_by_ticket(Some(new_ticket(300, &[0x55; 176])))),
        ("resumed by session ID", resumed_by_session_id()),
        ("full in 1.3", full13()),
        ("resumed in 1.3", resumed13()),
        ("retried", retried13()),
        ("early data", early_data()),
        ("aborted on renewal", aborted_on_renewal()),
        ("refused", refused_in_clear()),
        ("renegotiated", renegotiated()),
    ]
}

#[test]
fn handshakes_are_told_apart() {
    let table: [(&str, Option<Version>, Kind, Answer); 11] = [
        ("full in 1.2", Some(Version::TLS12), Kind::Full, Answer::No),
        ("resumed by ticket", Some(Version::TLS12), Kind::ResumedTicket, Answer::No),
        ("renewed inline", Some(Version::TLS12), Kind::ResumedTicket, Answer::Yes),
        ("resumed by session ID", Some(Version::TLS12), Kind::ResumedSessionId, Answer::No),
        ("full in 1.3", Some(Version::TLS13), Kind::Full, Answer::No),
        ("resumed in 1.3", Some(Version::TLS13), Kind::ResumedPsk, Answer::No),
        ("retried", Some(Version::TLS13), Kind::ResumedPsk, Answer::No),
        ("early data", Some(Version::TLS13), Kind::ResumedPsk, Answer::No),
        ("aborted on renewal", Some(Version::TLS12), Kind::Aborted, Answer::Yes),
        ("refused", None, Kind::Aborted, Answer::No),
        ("renegotiated", Some(Version::TLS12), Kind::Full, Answer::No),
    ];
    for ((name, events), expected) in all().into_iter().zip(table) {
        let seen = read(&events);
        assert_eq!((name, seen.version(), seen.kind(), seen.renewed_inline()), expected);
        assert_eq!(seen.client_hello.as_ref().unwrap().server_name.as_deref(), Some("shop.example"), "{name}");
        let close = if seen.kind() == Kind::Aborted { Close::Truncated } else { Close::Clean };
        assert_eq!((seen.close(Client), seen.close(Server)), (close, close), "{name}");
        assert_eq!((seen.missing, seen.foreign), (Sides::default(), Sides::default()), "{name}");
    }
}

#[test]
fn a_full_handshake_is_kept_in_full() {
    let seen = read(&full12());
    let hello = seen.client_hello.as_ref().unwrap();
    assert_eq!(*hello.profile.suites, [0x1301, 0xc02f, 0x00ff]);
    assert_eq!((hello.random, hello.ticket.as_deref()), ([7; 32], Some(&[][..])));
    assert!(hello.extended_master_secret && !hello.fallback && !hello.early_data);
    let server = seen.server_hello.as_ref().unwrap();
    assert!(server.ticket && server.extended_master_secret && server.session_id.is_empty());
    assert_eq!((server.suite, seen.certificate, seen.offer()), (0xc02f, Some(900), Offer::None));
    let [ticket] = &seen.tickets[..] else { panic!("{:?}", seen.tickets) };
    assert_eq!((&*ticket.ticket, ticket.lifetime, ticket.at), (TICKET, Duration::from_secs(300), moment(4)));
    assert_eq!((seen.finished.client, seen.finished.server), (Some(moment(3)), Some(moment(4))));
    let Application { bytes, records, first } = seen.application.server;
    assert_eq!((bytes, records, first), (4500, 2, Some(moment(6))));
}

#[test]
fn offers_are_kept() {
    let ticket = read(&resumed_by_ticket(None));
    assert_eq!(ticket.offer(), Offer::Ticket(TICKET));
    assert_eq!(ticket.offered_key_name().unwrap().to_string(), "000102030405060708090a0b0c0d0e0f");
    assert_eq!(read(&resumed_by_session_id()).offer(), Offer::SessionId(ID));
    let psk = read(&resumed13());
    assert_eq!(psk.offer(), Offer::Psk(TICKET));
    let ages = psk.client_hello.unwrap().psks.iter().map(|psk| psk.obfuscated_age).collect::<Vec<_>>();
    assert_eq!(ages, [77, 0]);
    assert_eq!(read(&retried13()).offer(), Offer::Psk(TICKET), "the second ClientHello counts");
}

#[test]
fn a_client_is_known_by_its_first_hello() {
    let request = extension(58, &[3, 1]);
    let hello = client_hello13(&[extension(16, &vec16(&vec8(b"h2"))), extension(13, &vec16(&[4, 3])), request]);
    let mut events = retried13();
    events[0] = send(Client, &[&handshake(&[&hello])]);
    let seen = read(&events);
    let alone = read(&events[..1]).client_hello.unwrap();
    assert_eq!(alone.ticket_request, Some(TicketRequest { full: 3, resumed: 1 }));
    // 13 01, c0 2f, 00 ff; server_name, supported_versions, ALPN, signature_algorithms, ticket_request.
    assert!(alone.profile.ja4.as_str().starts_with("t13d0305h2_"), "{}", alone.profile.ja4);
    assert_eq!(seen.client_hello.unwrap().profile.ja4, alone.profile.ja4);
    assert_ne!(read(&resumed13()).client_hello.unwrap().profile.ja4, alone.profile.ja4);
}

#[test]
fn of_a_name_that_is_none_nothing_is_shown_that_moves_a_cursor() {
    for (name, shown) in [
        (&b"Xn--Bcher-kva.example"[..], "xn--bcher-kva.example"),
        (b"a\x1b]0;b\x07\r\nc d", "a\u{fffd}]0;b\u{fffd}\u{fffd}\u{fffd}c\u{fffd}d"),
        ("\u{202e}".as_bytes(), "\u{fffd}\u{fffd}\u{fffd}"),
        (b"<b>", "<b>"),
    ] {
        let hello = client_hello(ID, &[extension(0, &vec16(&[&[0][..], &vec16(name)].concat()))]);
        let seen = read(&[send(Client, &[&handshake(&[&hello])])]);
        assert_eq!(seen.client_hello.unwrap().server_name.as_deref(), Some(shown));
    }
}

#[test]
fn an_empty_ticket_is_none() {
    // A server that said it would send a ticket may change its mind (RFC 5077 §3.3).
    let seen = read(&resumed_by_ticket(Some(new_ticket(0, &[]))));
    assert_eq!((seen.kind(), seen.renewed_inline(), seen.tickets.len()), (Kind::ResumedTicket, Answer::No, 0));
}

#[test]
fn versions_before_1_2_are_read_alike() {
    for version in [Version::SSL3, Version::TLS10, Version::TLS11] {
        let hello = client_hello_of(version.0, ID, &[extension(35, TICKET)]);
        let answer = server_hello_of(version.0, [8; 32], ID, 0x002f, &[]);
        let events = abbreviated12(&hello, &answer, None);
        let events = events.into_iter().map(|event| match event {
            Event::Data(side, bytes) => Event::Data(side, of_version(version, &bytes)),
            other => other,
        });
        let seen = read(&events.collect::<Vec<_>>());
        assert_eq!((seen.version(), seen.kind()), (Some(version), Kind::ResumedTicket));
        assert_eq!(seen.client_hello.unwrap().version, version);
    }
}

#[test]
fn alerts_are_read_where_they_are_in_clear() {
    let seen = read(&refused_in_clear());
    assert_eq!(seen.read_alerts().collect::<Vec<_>>(), [(Server, Description(40))]);
    // A warning, and close_notify before anything was agreed to.
    let hello = handshake(&[&client_hello(&[], &[])]);
    let seen = read(&[send(Client, &[&hello, &alert(1, 90), &alert(1, 0)]), Event::Fin(Client)]);
    assert_eq!(seen.read_alerts().collect::<Vec<_>>(), [(Client, Description::USER_CANCELED)]);
    assert_eq!((seen.close(Client), seen.end.client.close_notify), (Close::Clean, CloseNotify::Sent(moment(1))));
}

#[test]
fn an_encrypted_alert_is_close_notify_if_nothing_follows_it() {
    let mut events = full12();
    events.insert(7, send(Client, &[&sealed(23, 50)]));
    let seen = read(&events);
    assert_eq!((seen.close(Client), seen.close(Server)), (Close::Truncated, Close::Clean));
    assert_eq!(seen.alerts[0].content, AlertContent::Sealed);
}

#[test]
fn what_answers_an_unclean_end_may_be_close_notify_or_not() {
    // JSSE answers a FIN without close_notify with internal_error or unexpected_message, others with close_notify.
    for (events, finish) in [(full12(), sealed_alert()), (full13(), sealed(23, 19))] {
        let mut events = events[..6].to_vec();
        events.extend([Event::Fin(Client), send(Server, &[&finish]), Event::Reset(Client)]);
        let seen = read(&events);
        assert_eq!((seen.close(Client), seen.close(Server)), (Close::Truncated, Close::Unknown));
        events.remove(7);
        assert_eq!(read(&events).close(Server), Close::Open);
    }
}

#[test]
fn the_size_of_an_alert_counts_at_the_end_alone() {
    let close = |tail: &[Event]| read(&[&full13()[..6], tail].concat());
    let two_bytes = send(Client, &[&sealed(23, 19)]);
    assert_eq!(close(std::slice::from_ref(&two_bytes)).close(Client), Close::Open, "more may follow");
    let seen = close(&[two_bytes.clone(), send(Client, &[&sealed(23, 40)]), Event::Fin(Client)]);
    assert_eq!(seen.close(Client), Close::Truncated);
    assert_eq!((seen.application.client.records, seen.application.client.bytes), (3, 159));
    assert_eq!(close(&[two_bytes, Event::Reset(Client)]).close(Client), Close::Clean);
    assert_eq!(close(&[Event::Reset(Client)]).close(Client), Close::Reset);
}

#[test]
fn whoever_pads_a_finished_pads_alerts() {
    // Java's sockets: 16 zeros behind everything. From others a record of that size is 18 bytes of data.
    let with = |finished: usize| {
        let mut events = full13();
        events[2] = send(Client, &[&change_cipher_spec(), &sealed(23, finished)]);
        events[6] = send(Client, &[&sealed(23, 35)]);
        read(&events).close(Client)
    };
    assert_eq!((with(85), with(69)), (Close::Clean, Close::Truncated));
}

#[test]
fn an_alert_in_place_of_finished_aborts() {
    for length in [19, 35] {
        let mut events = full13();
        events.truncate(2);
        events.extend([send(Client, &[&change_cipher_spec(), &sealed(23, length)]), Event::Fin(Client)]);
        let seen = read(&events);
        assert_eq!((seen.kind(), seen.agreed(), seen.finished.client), (Kind::Aborted, Kind::Full, None), "{length}");
    }
    let mut events = resumed_by_ticket(None);
    events.truncate(2);
    events.extend([send(Client, &[&change_cipher_spec(), &sealed_alert()]), Event::Fin(Client)]);
    assert_eq!(read(&events).kind(), Kind::Aborted);
}

#[test]
fn what_may_be_a_ticket_is_noted() {
    let seen = read(&full13());
    assert_eq!(seen.sealed.iter().map(|sealed| sealed.length).collect::<Vec<_>>(), [250, 250, 1000]);
    let spoke = seen.application.client.first;
    assert_eq!(
        seen.sealed.iter().filter(|sealed| Some(sealed.at) < spoke).count(),
        2,
        "before the client's application"
    );
    assert_eq!(seen.finished.client, Some(moment(3)));
}

#[test]
fn a_ticket_right_behind_the_servers_finished_is_noted() {
    // As Go sends it; its EncryptedExtensions are as long as Finished. Some send several messages in one record.
    for (flight, expected) in [(&[69, 420, 97, 69, 147][..], &[147][..]), (&[69, 420, 97, 69], &[]), (&[590], &[])] {
        let hello = client_hello13(&[extension(51, &[0; 38])]);
        let flight = flight.iter().flat_map(|length| sealed(23, *length)).collect::<Vec<_>>();
        let server = [handshake(&[&server_hello13(0x1302, &[])]), flight].concat();
        let mut events = vec![send(Client, &[&handshake(&[&hello])]), send(Server, &[&server])];
        assert_eq!(read(&events).application.server.records, 0, "the client may yet refuse the certificate");
        events.push(send(Client, &[&sealed(23, 69)]));
        let seen = read(&events);
        assert_eq!(seen.sealed.iter().map(|sealed| sealed.length).collect::<Vec<_>>(), expected);
        assert_eq!(seen.application.server.records, expected.len() as u64);
    }
}

#[test]
fn a_reset_in_the_middle_of_a_record_is_noted() {
    for (length, expected) in [(105, false), (104, true), (3, true), (0, false)] {
        let mut events = full13();
        events.truncate(4);
        events.push(send(Client, &[&sealed(23, 100)[..length]]));
        events.push(Event::Reset(Client));
        assert_eq!(read(&events).cut, Sides { client: expected, server: false }, "{length} bytes of 105");
    }
}

#[test]
fn early_data_is_application_data() {
    let seen = read(&early_data());
    assert!(seen.client_hello.unwrap().early_data);
    // Two records before the ServerHello, one and EndOfEarlyData behind it; then Finished, and a request.
    assert_eq!((seen.application.client.first, seen.application.client.records), (Some(moment(1)), 5));
    assert_eq!(seen.application.client.bytes, 300 + 90 + 120 + 21 + 100);
}

#[test]
fn each_byte_in_a_packet_of_its_own_changes_nothing() {
    for (name, events) in all() {
        assert_eq!(read_with(Reader::new(opening(true)), &events, 1), read(&events), "{name}");
    }
}

#[test]
fn sides_that_come_late_change_nothing() {
    // A capture may have all of one side first.
    for (name, events) in all().into_iter().filter(|(name, _)| !["early data", "refused"].contains(name)) {
        let of = |side| events.iter().filter(move |event| event.side() == side).cloned();
        let client_first = of(Client).chain(of(Server)).collect::<Vec<_>>();
        let server_first = of(Server).chain(of(Client)).collect::<Vec<_>>();
        let whole = read(&events);
        for seen in [read(&client_first), read(&server_first)] {
            assert_eq!((seen.version(), seen.kind()), (whole.version(), whole.kind()), "{name}");
            assert_eq!(seen.client_hello.as_ref().unwrap().psks, whole.client_hello.as_ref().unwrap().psks, "{name}");
            assert!(seen.read_alerts().next().is_none(), "{name}");
        }
    }
}

proptest! {
    #[test]
    fn however_it_is_cut_a_connection_is_the_same(
        which in 0..all().len(),
        cuts in proptest::collection::vec(1_usize..400, 1..60),
    ) {
        let (_, events) = all().swap_remove(which);
        let mut reader = Reader::new(opening(true));
        let mut next = cuts.iter().cycle();
        feed(&mut reader, &events, |_, _| *next.next().unwrap());
        prop_assert_eq!(reader.into_connection(), read(&events));
    }

    #[test]
    fn no_bytes_panic(
        garbage in proptest::collection::vec(any::<u8>(), 0..2000),
        which in 0..all().len(),
        from in 0_usize..3000,
        gap in 0_u64..20_000,
    ) {
        let (_, mut events) = all().swap_remove(which);
        for event in &mut events {
            if let Event::Data(_, bytes) = event && from < bytes.len() {
                let to = (from + garbage.len()).min(bytes.len());
                bytes[from..to].copy_from_slice(&garbage[..to - from]);
            }
        }
        events.insert(from % events.len(), Event::Gap(if gap % 2 == 0 { Client } else { Server }, gap));
        for opening in [opening(true), opening(false)] {
            let seen = read_with(Reader::new(opening), &events, 1 + from);
            let _ = (seen.kind(), seen.renewed_inline(), seen.close(Client), seen.close(Server));
        }
    }
}

fn of_version(version: Version, mut records: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let [kind, _, _, hi, lo, rest @ ..] = records {
        let (body, rest) = rest.split_at(usize::from(u16::from_be_bytes([*hi, *lo])));
        all.extend(record_of(version.0, *kind, body));
        records = rest;
    }
    all
}

const TICKET: &[u8] = &{
    let mut bytes = [0xee; 192];
    let mut at = 0;
    while at < 16 {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};
const ID: &[u8] = &[4; 32];
const RETRY: [u8; 32] = crate::tls::hello::HELLO_RETRY_REQUEST;
