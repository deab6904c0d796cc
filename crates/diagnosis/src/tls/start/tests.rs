//! What goes before TLS, as servers and clients say it.

use super::super::script::*;
use crate::evidence::{Connection, Kind};
use crate::tcp::Conversation;
use crate::tls::Reader;

/// What each side says before TLS, in turns.
fn dialogues() -> Vec<(&'static str, Vec<Event>)> {
    let client = |text: &[u8]| Event::Data(Client, text.to_vec());
    let server = |text: &[u8]| Event::Data(Server, text.to_vec());
    vec![
        ("nothing", vec![]),
        (
            "smtp",
            vec![
                server(b"220 mail.example ESMTP Postfix\r\n"),
                client(b"EHLO client.example\r\n"),
                server(b"250-mail.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n"),
                client(b"STARTTLS\r\n"),
                server(b"220 2.0.0 Ready to start TLS\r\n"),
            ],
        ),
        (
            "imap",
            vec![
                server(b"* OK [CAPABILITY IMAP4rev1 SASL-IR STARTTLS] Dovecot ready.\r\n"),
                client(b"a1 STARTTLS\r\n"),
                server(b"a1 OK Begin TLS negotiation now.\r\n"),
            ],
        ),
        ("pop3", vec![server(b"+OK Dovecot ready.\r\n"), client(b"STLS\r\n"), server(b"+OK Begin TLS negotiation now.\r\n")]),
        ("ftp", vec![server(b"220 (vsFTPd 3.0.5)\r\n"), client(b"AUTH TLS\r\n"), server(b"234 Proceed with negotiation.\r\n")]),
        // SSLRequest: length 4 | code 4; answered with one byte.
        ("postgres", vec![client(&[0, 0, 0, 8, 4, 210, 22, 47]), server(b"S")]),
        // A greeting and an SSLRequest, each: length 3 | sequence 1 | payload.
        (
            "mysql",
            vec![
                server(b"\x4a\0\0\0\x0a8.0.36\0\x16\x03\x01\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0"),
                client(b"\x20\0\0\x01\x05\xae\xff\x19\0\0\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            ],
        ),
        // ExtendedRequest and ExtendedResponse 1.3.6.1.4.1.1466.20037 (RFC 4511 §4.14).
        (
            "ldap",
            vec![
                client(b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"),
                server(b"\x30\x24\x02\x01\x01\x78\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20037"),
            ],
        ),
        (
            "xmpp",
            vec![
                client(b"<?xml version='1.0'?><stream:stream to='example' xmlns='jabber:client' version='1.0'>"),
                server(b"<stream:stream from='example'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
                client(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
                server(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            ],
        ),
        ("PROXY v1", vec![client(b"PROXY TCP4 192.0.2.1 198.51.100.1 51000 443\r\n")]),
        // The addresses of version 2 are bytes, and may look like the beginning of a record.
        (
            "PROXY v2",
            vec![client(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x16\x03\x01\x02\x16\x03\x01\x00\x16\x03\x01\xbb")],
        ),
        ("10 KB", vec![client(&b"NOOP\r\n".repeat(1700)), server(&b"250 2.0.0 Ok\r\n".repeat(800))]),
        // What stops just before it would be a hello, again and again.
        ("near misses", vec![client(&b"\x16\x03\x01\x00\x80\x01\x00\x00\x05\x03\x03".repeat(50))]),
    ]
}

fn handshake_in_tls() -> Vec<Event> {
    vec![
        send(Client, &[&handshake(&[&client_hello(&[], &[])])]),
        send(Server, &[&handshake(&[&server_hello(&[], 0xc02f, &[]), &message(11, &[1; 900]), &message(14, &[])])]),
        send(Client, &[&handshake(&[&message(16, &[3; 66])]), &change_cipher_spec(), &sealed_finished()]),
        send(Server, &[&change_cipher_spec(), &sealed_finished()]),
    ]
}

fn read_in_pieces(events: &[Event], size: usize) -> Connection {
    read_with(Reader::new(opening(true)), events, size)
}

#[test]
fn tls_is_found_behind_what_goes_before_it() {
    for (name, dialogue) in dialogues() {
        let events = [dialogue, handshake_in_tls()].concat();
        let whole = read(&events);
        assert_eq!(whole.kind(), Kind::Full, "{name}");
        let hello = whole.client_hello.as_ref().unwrap();
        assert_eq!(hello.server_name.as_deref(), Some("shop.example"), "{name}");
        assert_eq!((whole.foreign.client, whole.foreign.server, whole.missing), Default::default(), "{name}");
        for size in [1, 2, 3, 7, 100] {
            assert_eq!(read_in_pieces(&events, size), whole, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn what_goes_before_may_come_in_one_segment_with_tls() {
    for (name, dialogue) in dialogues() {
        let all = [dialogue, handshake_in_tls()].concat();
        let of = |side| {
            let bytes = all.iter().filter_map(move |event| match event {
                Event::Data(of, bytes) if *of == side => Some(&bytes[..]),
                _ => None,
            });
            Event::Data(side, bytes.collect::<Vec<_>>().concat())
        };
        assert_eq!(read(&[of(Client), of(Server)]).kind(), Kind::Full, "{name}");
    }
}

#[test]
fn nobody_looks_for_tls_for_ever() {
    let plain = [b'x'; 1000];
    for (before, found) in [(60, true), (66, false)] {
        let mut reader = Reader::new(opening(true));
        for _ in 0..before {
            reader.data(Client, moment(1), &plain);
            assert!(reader.memory() < 2048);
        }
        let hello = handshake(&[&client_hello(&[], &[])]);
        reader.data(Client, moment(2), &hello);
        let seen = reader.into_connection();
        assert_eq!((seen.client_hello.is_some(), !seen.foreign.client), (found, found), "{before}");
    }
}

#[test]
fn plain_http_is_foreign() {
    let request = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n".to_vec();
    let answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_vec(), vec![0x16; 100_000]].concat();
    let seen = read_in_pieces(&[Event::Data(Client, request), Event::Data(Server, answer)], 1448);
    assert_eq!((seen.foreign.client, seen.foreign.server), (true, true));
    assert_eq!((seen.version(), seen.application.server.records), (None, 0));
}
