//! Bytes that are missing, that lie, or that are no TLS.

use super::*;

/// The part of a connection that `side` sends.
fn only(side: Side, events: &[Event]) -> Vec<Event> {
    events.iter().filter(|event| event.side() == side).cloned().collect()
}

/// The events, with `length` bytes of the `index`th lost from `from` on.
fn lose(events: &[Event], index: usize, from: usize, length: usize) -> Vec<Event> {
    let Event::Data(side, bytes) = &events[index] else { panic!("no data") };
    let (before, rest) = bytes.split_at(from);
    let lost = [
        Event::Data(*side, before.to_vec()),
        Event::Gap(*side, length as u64),
        Event::Data(*side, rest[length..].to_vec()),
    ];
    [&events[..index], &lost, &events[index + 1..]].concat()
}

#[test]
fn the_client_alone_tells_full_from_abbreviated() {
    let table = [
        (full12(), Some(Version::TLS12), Kind::Full),
        (resumed_by_ticket(None), Some(Version::TLS12), Kind::ResumedTicket),
        (resumed_by_session_id(), Some(Version::TLS12), Kind::ResumedSessionId),
        (full13(), Some(Version::TLS13), Kind::Unknown),
        (resumed13(), Some(Version::TLS13), Kind::Unknown),
    ];
    for (events, version, kind) in table {
        let seen = read(&only(Client, &events));
        assert_eq!((seen.version(), seen.kind()), (version, kind), "{events:?}");
        assert_eq!((seen.close(Client), seen.close(Server)), (Close::Clean, Close::Open));
    }
    let seen = read(&only(Client, &resumed_by_ticket(Some(new_ticket(300, TICKET)))));
    assert_eq!(seen.renewed_inline(), Answer::Unknown);
}

#[test]
fn the_server_alone_tells_what_it_chose() {
    let table = [
        (full12(), Version::TLS12, Kind::Full),
        (resumed_by_ticket(None), Version::TLS12, Kind::Unknown),
        (full13(), Version::TLS13, Kind::Full),
        (resumed13(), Version::TLS13, Kind::ResumedPsk),
    ];
    for (events, version, agreed) in table {
        let mut events = only(Server, &events);
        events.insert(0, Event::Gap(Client, 600));
        let seen = read(&events);
        assert_eq!((seen.version(), seen.agreed(), seen.offer()), (Some(version), agreed, Offer::Unknown));
        assert_eq!(seen.kind(), Kind::Unknown, "whether the client finished was not seen");
    }
}

#[test]
fn a_lost_hello_leaves_the_rest() {
    let Event::Data(_, hello) = &resumed_by_ticket(None)[0] else { unreachable!() };
    let renewal = resumed_by_ticket(Some(new_ticket(300, TICKET)));
    let events = [&[Event::Gap(Client, hello.len() as u64)], &renewal[1..]].concat();
    let seen = read(&events);
    assert_eq!((seen.version(), seen.kind()), (Some(Version::TLS12), Kind::Unknown));
    assert_eq!((seen.offer(), seen.offered_key_name(), seen.flight), (Offer::Unknown, None, Flight::Abbreviated));
    assert_eq!((seen.renewed_inline(), seen.tickets.len()), (Answer::Yes, 1));
    assert_eq!((seen.close(Client), seen.close(Server)), (Close::Unknown, Close::Clean));
}

#[test]
fn a_certificate_that_is_cut_short_is_one() {
    // As a snap length does it: the flight breaks off in the middle of Certificate, and the next packet is seen.
    let events = full12();
    let Event::Data(_, flight) = &events[1] else { unreachable!() };
    for cut in [100, 400, flight.len() - 10] {
        let seen = read(&lose(&events, 1, cut, flight.len() - cut));
        assert_eq!((seen.version(), seen.kind()), (Some(Version::TLS12), Kind::Full), "{cut}");
        assert_eq!((seen.tickets.len(), seen.close(Client)), (1, Close::Clean), "{cut}");
        let server = only(Server, &lose(&events, 1, cut, flight.len() - cut));
        assert_eq!(read(&server[..1]).agreed(), Kind::Full, "{cut}");
    }
}

#[test]
fn a_gap_inside_a_record_loses_only_what_was_in_it() {
    let seen = read(&lose(&full12(), 5, 100, 3000));
    assert_eq!((seen.kind(), seen.application.server.bytes), (Kind::Full, 4500));
    // Inside a message: the next ones are read.
    let seen = read(&lose(&full12(), 1, 200, 50));
    assert_eq!((seen.kind(), seen.certificate), (Kind::Full, Some(900)));
    // Inside a hello: who sent it is known, not what is in it.
    let seen = read(&lose(&full12(), 0, 30, 20));
    assert_eq!((seen.kind(), seen.client_hello), (Kind::Full, None));
}

#[test]
fn records_are_found_again_behind_a_gap() {
    // Over several records, to the beginning of one, to the middle of one with another behind it.
    let data = [sealed(23, 1000), sealed(23, 1000), sealed(23, 1000), sealed_alert()].concat();
    let mut events = full12();
    events[7] = Event::Data(Server, data.clone());
    for (from, length) in [(500, 1510), (500, 1000), (1005, 1005), (3, 1002)] {
        let seen = read(&lose(&events, 7, from, length));
        assert_eq!((seen.kind(), seen.close(Server)), (Kind::Full, Close::Unknown), "{from}, {length}");
        assert!(matches!(seen.end.server.close_notify, CloseNotify::Likely(_)), "{from}, {length}");
    }
    // With nothing to find behind it: whether close_notify came is unknown.
    assert_eq!(read(&lose(&events, 7, 500, data.len() - 510)).close(Server), Close::Unknown);
}

#[test]
fn encrypted_messages_behind_a_gap_are_not_read() {
    // The client's ChangeCipherSpec is lost: what follows begins with zeros, or with what could be a header.
    let events = full12();
    let Event::Data(_, flight) = &events[2] else { unreachable!() };
    for start in [[0; 8], [1, 0, 0, 60, 0, 0, 0, 0], [2, 0, 0, 70, 3, 3, 0, 0]] {
        let mut finished = sealed_finished();
        finished[5..13].copy_from_slice(&start);
        let mut events = events.clone();
        events[2] = Event::Gap(Client, (flight.len() - finished.len()) as u64);
        events.insert(3, Event::Data(Client, finished));
        let seen = read(&events);
        assert_eq!((seen.kind(), seen.offer(), seen.version()), (Kind::Full, Offer::None, Some(Version::TLS12)));
        assert!(seen.read_alerts().next().is_none());
    }
}

#[test]
fn a_capture_that_begins_in_the_middle_claims_nothing() {
    let seen = join(&full12()[4..]);
    assert_eq!((seen.kind(), seen.offer(), seen.version()), (Kind::Unknown, Offer::Unknown, None));
    assert_eq!((seen.close(Client), seen.application.server.records), (Close::Unknown, 2));
    let seen = join(&resumed13()[3..]);
    assert_eq!((seen.kind(), seen.version(), seen.renewed_inline()), (Kind::Unknown, None, Answer::Unknown));
    assert_eq!((seen.close(Client), seen.close(Server)), (Close::Unknown, Close::Unknown), "it may be TLS 1.3");
    // A whole handshake, though nobody saw the SYN.
    assert_eq!(join(&full12()).agreed(), Kind::Full);
}

#[test]
fn sides_that_were_guessed_wrong_are_put_right() {
    let whole = join(&full12());
    let swapped = full12().into_iter().map(|event| match event {
        Event::Data(side, bytes) => Event::Data(!side, bytes),
        Event::Gap(side, length) => Event::Gap(!side, length),
        Event::Fin(side) => Event::Fin(!side),
        Event::Reset(side) => Event::Reset(!side),
    });
    let seen = join(&swapped.collect::<Vec<_>>());
    assert_eq!((seen.client, seen.server), (whole.server, whole.client));
    assert_eq!(Connection { client: whole.client, server: whole.server, ..seen }, whole);
}

#[test]
fn garbage_is_foreign() {
    let http = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n".to_vec();
    let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let events = [Event::Data(Client, http), Event::Data(Server, answer), Event::Fin(Server), Event::Fin(Client)];
    let seen = read(&events);
    assert_eq!((seen.foreign.client, seen.foreign.server), (true, true));
    assert_eq!((seen.kind(), seen.offer(), seen.version()), (Kind::Aborted, Offer::None, None));
    assert_eq!(seen.missing, Sides::default());
    // What stops to be TLS in its middle cannot be read on.
    let mut events = full12();
    events.insert(4, Event::Data(Client, b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n".to_vec()));
    let seen = read(&events);
    assert_eq!((seen.kind(), seen.close(Client), seen.missing.client), (Kind::Full, Close::Unknown, true));
    assert_eq!(read_with(Reader::new(opening(true)), &events, 1), seen);
}

#[test]
fn lengths_that_lie_do_no_harm() {
    for length in [0_u16, 1, 3, 37, 16_384, 18_433, u16::MAX] {
        let mut events = full12();
        let Event::Data(_, flight) = &mut events[1] else { unreachable!() };
        flight[3..5].copy_from_slice(&length.to_be_bytes());
        let seen = read(&events);
        // A record that never ends keeps what is in it from being read; the client went on all the same.
        assert!(matches!(seen.kind(), Kind::Full | Kind::Aborted | Kind::Unknown), "{length}: {:?}", seen.kind());
        assert_eq!((seen.offer(), seen.close(Client)), (Offer::None, Close::Clean), "{length}");
    }
    for at in [6, 7, 8, 9, 10, 43, 44, 46, 50, 52, 54] {
        let mut events = resumed13();
        let Event::Data(_, hello) = &mut events[0] else { unreachable!() };
        hello[at] = 0xff;
        let seen = read(&events);
        assert!(matches!(seen.offer(), Offer::Psk(TICKET) | Offer::None | Offer::Unknown), "{at}: {:?}", seen.offer());
    }
}

#[test]
fn a_message_of_16_mib_is_passed_over() {
    let mut reader = Reader::new(opening(true));
    feed(&mut reader, &full12()[..1], |_, bytes| bytes.len());
    reader.data(Server, moment(2), &handshake(&[&server_hello(&[], 0xc02f, &[])]));
    for part in message(11, &vec![1; (1 << 24) - 1]).chunks(1 << 14) {
        reader.data(Server, moment(2), &record(22, part));
        assert!(reader.memory() < 2048, "{}", reader.memory());
    }
    assert_eq!(reader.connection().certificate, Some((1 << 24) - 1));
    // One that would be read, were it not too long.
    for part in message(4, &vec![1; (1 << 24) - 1]).chunks(1 << 14) {
        reader.data(Server, moment(3), &record(22, part));
        assert!(reader.memory() < 200 << 10, "{}", reader.memory());
    }
    assert!(reader.connection().tickets.is_empty());
    assert!(reader.memory() < 2048, "{}", reader.memory());
}

#[test]
fn an_established_connection_needs_less_than_2_kib() {
    for (name, mut events) in all() {
        events.retain(|event| matches!(event, Event::Data(..)));
        let mut reader = Reader::new(opening(true));
        feed(&mut reader, &events, |_, bytes| bytes.len());
        let tickets = reader.connection().tickets.iter().map(|ticket| ticket.ticket.len()).sum::<usize>();
        assert!(reader.memory() - tickets < 2048, "{name}: {}", reader.memory());
    }
}

#[test]
fn what_a_peer_repeats_is_kept_a_bounded_number_of_times() {
    let ticket = handshake(&[&new_ticket(1, &[6; 16_000])]);
    let hello = handshake(&[&server_hello(&[], 0xc02f, &[])]);
    let mut reader = Reader::new(opening(true));
    reader.data(Server, moment(1), &hello);
    for _ in 0..1000 {
        reader.data(Server, moment(1), &ticket);
        reader.data(Server, moment(1), &alert(1, 112));
    }
    assert!(reader.memory() < 256 << 10, "{}", reader.memory());
}

#[test]
fn who_said_nothing_when_the_capture_ended_may_have_had_a_session_to_offer() {
    let seen = read(&[]);
    assert_eq!((seen.offer(), seen.renewed_inline()), (Offer::Unknown, Answer::Unknown));
    let seen = read(&[Event::Fin(Client)]);
    assert_eq!((seen.offer(), seen.renewed_inline()), (Offer::None, Answer::No));
}

#[test]
fn what_ended_before_it_was_joined_may_have_ended_otherwise() {
    // Between close_notify and FIN, between FIN and reset.
    for events in [[Event::Fin(Client), Event::Fin(Server)], [Event::Reset(Client), Event::Reset(Server)]] {
        let seen = join(&events);
        assert_eq!((seen.close(Client), seen.close(Server)), (Close::Unknown, Close::Unknown), "{events:?}");
    }
    // Who spoke after that had not ended.
    for from in [3, 5] {
        let mut events = full12()[from..].to_vec();
        events.retain(|event| !matches!(event, Event::Data(_, bytes) if *bytes == sealed_alert()));
        let seen = join(&[&full12()[2..3], &events].concat());
        assert_eq!((seen.close(Client), seen.close(Server)), (Close::Truncated, Close::Truncated), "{from}");
    }
}

#[test]
fn an_alert_that_may_answer_an_end_that_was_lost_may_be_any() {
    let mut events = full12();
    events[6] = Event::Gap(Client, 1);
    events.truncate(9);
    let seen = read(&events);
    assert_eq!((seen.close(Client), seen.close(Server)), (Close::Unknown, Close::Unknown));
}

#[test]
fn where_the_clients_part_comes_late_the_servers_alert_may_have_passed_for_a_message() {
    // As behind a hole that was waited for.
    let events = full13();
    let late = [&only(Server, &events)[..], &[Event::Gap(Client, 600)], &only(Client, &events)[1..]].concat();
    let seen = read(&late);
    assert_eq!((seen.version(), seen.close(Server)), (Some(Version::TLS13), Close::Unknown));
}

#[test]
fn a_second_server_hello_behind_a_first_that_was_cut_short_is_no_finished() {
    // As a snap length does it.
    let hello = handshake(&[&server_hello13(0x1302, &[extension(51, &[0; 36])])]);
    let retry = handshake(&[&server_hello_of(0x0303, RETRY, &[9; 32], 0x1302, &[extension(43, &[3, 4])])]);
    let cut = |record: &[u8]| [send(Server, &[&record[..30]]), Event::Gap(Server, record.len() as u64 - 30)];
    let events =
        [&retried13()[..1], &cut(&retry), &[send(Server, &[&change_cipher_spec()])], &retried13()[2..3], &cut(&hello)];
    let seen = read(&events.concat());
    assert_eq!((seen.version(), seen.finished.server, seen.agreed()), (None, None, Kind::Unknown));
}
