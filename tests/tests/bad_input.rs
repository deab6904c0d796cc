//! Bad input from clients ends in the right alert and disturbs nothing else.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use raincheck_tests::client::{Ending, Version, Visit, openssl};
use raincheck_tests::config::{Listener, quoted};
use raincheck_tests::deadline::{self, until};
use raincheck_tests::edge::Edge;
use raincheck_tests::hello::{self, Answered, Hello, in_records};
use raincheck_tests::key_file::{Key, KeyFile, random};
use raincheck_tests::protected::Protected;
use raincheck_tests::raw::Raw;
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::tap::{Tap, record};
use raincheck_tests::upstream::Upstream;

// RFC 8446 §6
const UNEXPECTED_MESSAGE: u8 = 10;
const RECORD_OVERFLOW: u8 = 22;
const HANDSHAKE_FAILURE: u8 = 40;
const DECODE_ERROR: u8 = 50;
const PROTOCOL_VERSION: u8 = 70;

/// The level of an alert that ends a connection.
const FATAL: u8 = 2;
/// How long a ClientHello is up to its extensions: version 2, random 32, session ID 33, suites 2 + 8, compression 2.
const UP_TO_EXTENSIONS: usize = 2 + 32 + 33 + 10 + 2;

/// An edge whose ticket keys the test knows.
struct Ground {
    edge: Edge,
    keys: Vec<Key>,
    _app: Upstream,
    // The last to go: the edge writes in its directory.
    site: Site,
}

impl Ground {
    fn new(change: impl FnOnce(Listener) -> Listener) -> Self {
        let site = Site::new();
        let app = Upstream::http();
        let keys: Vec<Key> = (0..3).map(|_| Key::random()).collect();
        let file = KeyFile::new(&site.scratch, "keys", &keys.iter().collect::<Vec<_>>());
        let listener = change(Listener::new("web", &site.certificate));
        let other = Listener::new("other", &site.certificate);
        let edge =
            Edge::start(&site.scratch, site.config(listener, app.address()).listener(other).key_file(file.path()));
        Self { edge, keys, _app: app, site }
    }

    fn address(&self) -> SocketAddr {
        self.edge.address("web")
    }

    /// What the edge sends to a client that sends a record of this `kind` where application data is due.
    fn after_handshake(&self, raw: &Raw, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut connection = Protected::take_over(raw.connect(self.address(), NAME));
        let records = [connection.record(kind, content)];
        connection.send(&records);
        let mut rest = Vec::new();
        connection.socket.read_to_end(&mut rest).unwrap();
        rest
    }

    /// A good client is served as if nothing had been, and by resumption.
    fn is_undisturbed(&self) {
        for listener in ["web", "other"] {
            let raw = self.site.raw(Version::Tls13);
            for resumed in [false, true] {
                let visited = raw.visit(self.edge.address(listener), NAME);
                assert_eq!((visited.resumed, visited.ending), (resumed, Ending::Clean));
            }
        }
    }
}

#[test]
fn a_malformed_client_hello_gets_an_alert() {
    let ground = Ground::new(|listener| listener);
    let good = Hello::to(NAME).message();
    assert_eq!(Hello::to(NAME).send(ground.address()), Answered::Full);
    // Cut short, with a header that says so: every length of it.
    for length in 0..good.len() - 4 {
        let cut = [&[1, 0, 0, u8::try_from(length).unwrap()], &good[4..4 + length]].concat();
        // Without any extensions it is a whole message, of a client that verifies no signature we make.
        let expected = if length == UP_TO_EXTENSIONS { HANDSHAKE_FAILURE } else { DECODE_ERROR };
        let answered = hello::send(ground.address(), &in_records(&cut));
        assert_eq!(answered, Answered::Alert(expected), "a ClientHello of {length} bytes");
    }
    // Inner lengths that point beyond the end.
    for position in [38, 39 + 32, 39 + 32 + 1] {
        let mut broken = good.clone();
        broken[position] = 0xff;
        let answered = hello::send(ground.address(), &in_records(&broken));
        assert_eq!(answered, Answered::Alert(DECODE_ERROR), "{position}");
    }
    ground.is_undisturbed();
}

#[test]
fn each_wrong_beginning_gets_its_alert() {
    let ground = Ground::new(|listener| listener);
    let record = |length: u16| [&[22, 3, 1][..], &length.to_be_bytes(), &vec![1; usize::from(length)]].concat();
    // 16 MiB are announced, and a good part of it comes.
    let announced = in_records(&[&[1, 0xff, 0xff, 0xff][..], &vec![0; 1 << 20]].concat());
    let (first, second) = (in_records(&Hello::to(NAME).message()[..20]), record(0x4001));
    let cases: [(&str, Vec<u8>, u8); 14] = [
        ("Finished", in_records(&[20, 0, 0, 12, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), UNEXPECTED_MESSAGE),
        ("application data", vec![23, 3, 3, 0, 4, 1, 2, 3, 4], UNEXPECTED_MESSAGE),
        ("ChangeCipherSpec", vec![20, 3, 3, 0, 1, 1], UNEXPECTED_MESSAGE),
        ("plain HTTP", b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n".to_vec(), UNEXPECTED_MESSAGE),
        ("no content type", [&[0][..], &random(300)].concat(), UNEXPECTED_MESSAGE),
        ("a ClientHello of SSL 2", vec![0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10], UNEXPECTED_MESSAGE),
        ("an empty record", vec![22, 3, 1, 0, 0], UNEXPECTED_MESSAGE),
        ("an empty record inside a message", [first.clone(), vec![22, 3, 1, 0, 0]].concat(), UNEXPECTED_MESSAGE),
        ("data inside a message", [first.clone(), vec![23, 3, 3, 0, 1, 1]].concat(), UNEXPECTED_MESSAGE),
        // RFC 8446 §5.1: 2^14 bytes, and no more where nothing is encrypted.
        ("a record one byte too long", record(0x4001), RECORD_OVERFLOW),
        ("a record with room for encryption", record(0x4800), RECORD_OVERFLOW),
        ("a record longer than any", record(0xffff), RECORD_OVERFLOW),
        ("a record too long inside a message", [first, second].concat(), RECORD_OVERFLOW),
        ("a message longer than any", announced, DECODE_ERROR),
    ];
    for (what, bytes, expected) in cases {
        assert_eq!(hello::send(ground.address(), &bytes), Answered::Alert(expected), "{what}");
    }
    ground.is_undisturbed();
}

#[test]
fn an_old_version_gets_protocol_version() {
    let ground = Ground::new(|listener| listener);
    let mut old = Hello::to(NAME).message();
    old[4..6].copy_from_slice(&[3, 1]);
    assert_eq!(hello::send(ground.address(), &in_records(&old)), Answered::Alert(PROTOCOL_VERSION));
}

/// Such a client has no signature algorithms to offer, which is not what is wrong with it.
#[test]
fn an_old_openssl_gets_protocol_version() {
    require!("openssl");
    let ground = Ground::new(|listener| listener);
    let visit = ground.site.visit(ground.address(), Version::Tls12);
    for version in ["-tls1_1", "-tls1"] {
        let tap = Tap::to(&[ground.address()]);
        let visit = Visit { address: tap.address(), ..visit.clone() };
        // Debian's OpenSSL speaks these versions at security level 0 only.
        let old = openssl::Connection::new(&visit).held_to(version).with(&["-cipher", "DEFAULT:@SECLEVEL=0"]).run();
        assert!(old.output().contains("alert protocol version"), "{version}: {}", old.output());
        assert_eq!(record::alerts(&tap.whole(0).server), [(FATAL, PROTOCOL_VERSION)], "{version}");
    }
    ground.is_undisturbed();
}

#[test]
fn an_alert_is_not_answered_by_one() {
    let ground = Ground::new(|listener| listener);
    let alert = [record::ALERT, 3, 3, 0, 2, FATAL, HANDSHAKE_FAILURE];
    let nothing: &[u8] = &[];
    let answered = |mut socket: TcpStream| {
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).unwrap();
        rest
    };
    let mut first = TcpStream::connect(ground.address()).unwrap();
    first.set_read_timeout(Some(deadline::PATIENCE)).unwrap();
    first.write_all(&alert).unwrap();
    assert_eq!(answered(first), nothing, "in place of a ClientHello");
    for version in [Version::Tls12, Version::Tls13] {
        let mut connection = ground.site.raw(version).up_to_last_flight(ground.address(), NAME);
        connection.socket.write_all(&alert).unwrap();
        assert_eq!(answered(connection.socket), nothing, "in place of the last flight of {version:?}");
    }
    let raw = extracting(&ground.site);
    assert_eq!(ground.after_handshake(&raw, record::ALERT, &alert[5..]), nothing, "in place of application data");
    ground.is_undisturbed();
}

#[test]
fn a_client_hello_in_single_bytes_is_fine() {
    let ground = Ground::new(|listener| listener);
    let mut socket = TcpStream::connect(ground.address()).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(deadline::PATIENCE)).unwrap();
    for byte in Hello::to(NAME).wire() {
        socket.write_all(&[byte]).unwrap();
    }
    assert_eq!(hello::answer(&mut socket), Answered::Full);
    // And in records of a single byte.
    let records: Vec<u8> = Hello::to(NAME).message().iter().flat_map(|byte| in_records(&[*byte])).collect();
    assert_eq!(hello::send(ground.address(), &records), Answered::Full);
}

#[test]
fn a_plain_http_client_gets_an_alert_however_much_it_sent() {
    let ground = Ground::new(|listener| listener);
    let request = b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000\r\n\r\n";
    // Unread bytes behind it must not turn the alert into a reset.
    let upload = [&request[..], &vec![b'x'; 200_000]].concat();
    for _ in 0..20 {
        assert_eq!(hello::send(ground.address(), &upload), Answered::Alert(UNEXPECTED_MESSAGE));
    }
    ground.is_undisturbed();
}

#[test]
fn an_alert_is_followed_by_the_end() {
    let ground = Ground::new(|listener| listener);
    let mut socket = TcpStream::connect(ground.address()).unwrap();
    socket.set_read_timeout(Some(deadline::PATIENCE)).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(hello::answer(&mut socket), Answered::Alert(UNEXPECTED_MESSAGE));
    // A FIN, though we did not close.
    assert_eq!(socket.read(&mut [0; 16]).unwrap(), 0);
}

#[test]
fn half_open_handshakes_end_at_the_timeout_and_disturb_nobody() {
    let ground = Ground::new(|listener| listener.set("handshake-timeout", quoted("1s")));
    let half = &Hello::to(NAME).wire()[..40];
    let start = Instant::now();
    let mut silent: Vec<TcpStream> = (0..300)
        .map(|index| {
            let mut socket = TcpStream::connect(ground.address()).unwrap();
            socket.set_read_timeout(Some(deadline::PATIENCE)).unwrap();
            // A third of them says nothing, a third half a ClientHello, and a third stops in the middle of the handshake.
            match index % 3 {
                0 => {}
                1 => socket.write_all(half).unwrap(),
                _ => socket.write_all(&Hello::to(NAME).wire()).unwrap(),
            }
            socket
        })
        .collect();
    ground.is_undisturbed();
    for socket in &mut silent {
        let mut rest = Vec::new();
        // The end, or a reset; not the timeout of this side.
        if let Err(error) = socket.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
    assert!(start.elapsed() >= Duration::from_secs(1));
    ground.is_undisturbed();
}

#[test]
fn a_trickle_does_not_extend_the_handshake() {
    let ground = Ground::new(|listener| listener.set("handshake-timeout", quoted("1s")));
    let mut socket = TcpStream::connect(ground.address()).unwrap();
    socket.set_nodelay(true).unwrap();
    // A byte whenever it can be read again and again that nothing came back.
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let start = Instant::now();
    let mut wire = Hello::to(NAME).wire().into_iter();
    let ended = until("the trickle is cut off", || {
        // It runs out only long after the timeout.
        let _ = socket.write_all(&[wire.next().expect("cut off before the last byte")]);
        match socket.read(&mut [0; 64]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
            _ => Some(start.elapsed()),
        }
    });
    assert!(ended >= Duration::from_millis(900) && ended < Duration::from_secs(5), "{ended:?}");
}

#[test]
fn an_idle_flood_disturbs_no_other_listener_and_passes() {
    let ground = Ground::new(|listener| listener.set("max-connections", 50).set("handshake-timeout", quoted("2s")));
    let flood: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(ground.address()).unwrap()).collect();
    let raw = ground.site.raw(Version::Tls12);
    assert!(!raw.visit(ground.edge.address("other"), NAME).resumed);
    assert!(raw.visit(ground.edge.address("other"), NAME).resumed);
    until("the flood has passed", || {
        let mut connection = ground.site.raw(Version::Tls12).try_connect(ground.address(), NAME).ok()?;
        connection.try_write(raincheck_tests::raw::REQUEST).ok()?;
        connection.read_to_end().0.starts_with(b"HTTP/1.1 200").then_some(())
    });
    drop(flood);
    ground.is_undisturbed();
}

#[test]
fn no_flipped_bit_opens_a_ticket_and_none_does_harm() {
    let ground = Ground::new(|listener| listener);
    let ticket = a_ticket(&ground);
    assert_eq!(Hello::to(NAME).offering(&ticket).send(ground.address()), Answered::Abbreviated, "untouched, it opens");
    for position in 0..ticket.len() {
        let mut flipped = ticket.clone();
        flipped[position] ^= 1 << (position % 8);
        let answered = Hello::to(NAME).offering(&flipped).send(ground.address());
        assert_eq!(answered, Answered::Full, "a bit of byte {position} of {}", ticket.len());
    }
    assert_eq!(Hello::to(NAME).offering(&ticket).send(ground.address()), Answered::Abbreviated);
    ground.is_undisturbed();
}

#[test]
fn tickets_of_every_length_are_refused_without_an_alert() {
    let ground = Ground::new(|listener| listener);
    let ticket = a_ticket(&ground);
    for length in 0..ticket.len() {
        let answered = Hello::to(NAME).offering(&ticket[..length]).send(ground.address());
        assert_eq!(answered, Answered::Full, "cut to {length}");
    }
    for extra in [1, 2, 100, 16_000, 17_000, 60_000] {
        let longer = [ticket.clone(), random(extra)].concat();
        assert_eq!(Hello::to(NAME).offering(&longer).send(ground.address()), Answered::Full, "{extra} more");
    }
    for length in [1, 16, 17, 48, 49, 65, 66, 1000, 20_000, 50_000] {
        let answered = Hello::to(NAME).offering(&random(length)).send(ground.address());
        assert_eq!(answered, Answered::Full, "{length} at random");
    }
    ground.is_undisturbed();
}

/// rustls takes handshake messages of up to 65,535 bytes, and so do we; the extensions alone could be as long.
#[test]
fn the_largest_ticket_that_is_read_is_refused_without_an_alert() {
    let ground = Ground::new(|listener| listener);
    assert_eq!(Hello::to(NAME).filled_up_to(4 + 0xffff, 0xab).send(ground.address()), Answered::Full);
    ground.is_undisturbed();
}

#[test]
fn a_ticket_too_large_to_be_read_gets_an_alert() {
    let ground = Ground::new(|listener| listener);
    let most = Hello::to(NAME).offering(&[]).message().len() - UP_TO_EXTENSIONS - 4 - 2;
    let largest = Hello::to(NAME).offering(&vec![0xab; 0xffff - most]);
    for hello in [Hello::to(NAME).filled_up_to(4 + 0x10000, 0xab), largest] {
        assert_eq!(hello.send(ground.address()), Answered::Alert(DECODE_ERROR), "{} bytes", hello.message().len());
    }
    ground.is_undisturbed();
}

#[test]
fn forged_tickets_are_refused_with_their_reason_and_replaced() {
    require!("openssl");
    for version in [Version::Tls12, Version::Tls13] {
        let ground = Ground::new(|listener| listener);
        let issuing = &ground.keys[1];
        let visit = ground.site.visit(ground.address(), version);
        let session = ground.site.scratch.join("session.pem");
        let mut unknown = 0.0;
        let mut forged = 0.0;
        // Version 0, key name 1, salt 17, ciphertext 49.
        for (position, reason) in
            [(1, "unknown-key"), (16, "unknown-key"), (17, "forged"), (48, "forged"), (49, "forged"), (120, "forged")]
        {
            openssl::Connection::new(&visit).keeping(&session).seen();
            flip(&session, issuing, position);
            let refused = openssl::Connection::new(&visit).offering(&session).keeping(&session).seen();
            assert!(!refused.resumed, "{version:?}, byte {position}");
            *if reason == "forged" { &mut forged } else { &mut unknown } += 1.0;
            ground.edge.expect_handshakes(&[("reason", "unknown-key")], unknown);
            ground.edge.expect_handshakes(&[("reason", "forged")], forged);
            assert!(
                openssl::Connection::new(&visit).offering(&session).seen().resumed,
                "{version:?}: what it got instead"
            );
        }
    }
}

/// Flips a bit of the ticket in a session file of OpenSSL, found by the name of the key that sealed it.
fn flip(session: &Path, key: &Key, position: usize) {
    let pem = fs::read_to_string(session).unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let mut der = STANDARD.decode(base64).unwrap();
    let name: Vec<u8> =
        (0..16).map(|index| u8::from_str_radix(&key.name()[2 * index..2 * index + 2], 16).unwrap()).collect();
    let found = der.windows(16).position(|window| window == name).expect("the ticket is under the issuing key");
    der[found - 1 + position] ^= 0x10;
    let lines: Vec<String> =
        STANDARD.encode(der).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let label = "SSL SESSION PARAMETERS";
    fs::write(session, format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))).unwrap();
}

/// A TLS 1.2 ticket, read off the wire.
fn a_ticket(ground: &Ground) -> Vec<u8> {
    let tap = Tap::to(&[ground.address()]);
    ground.site.raw(Version::Tls12).visit(tap.address(), NAME);
    record::ticket(&tap.whole(0).server).expect("a full handshake brings a ticket")
}

#[test]
fn garbage_inside_a_connection_ends_that_one_only() {
    let ground = Ground::new(|listener| listener);
    for version in [Version::Tls12, Version::Tls13] {
        let mut bystander = ground.site.raw(version).connect(ground.address(), NAME);
        let mut connection = ground.site.raw(version).connect(ground.address(), NAME);
        connection.socket.write_all(&[&[23, 3, 3, 0, 32][..], &random(32)].concat()).unwrap();
        let _ = connection.socket.shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        connection.socket.read_to_end(&mut rest).unwrap();
        // The alert (encrypted, so seen as a record) arrives, and then the end.
        assert!(!record::records(&rest).is_empty(), "{version:?}: no alert");
        bystander.write(raincheck_tests::raw::REQUEST);
        assert_eq!(bystander.read_to_end().1, Ending::Clean);
    }
}

#[test]
fn half_a_handshake_message_after_the_handshake_does_not_stop_the_answer() {
    let site = Site::new();
    let (app, speak) = Upstream::on_command();
    let edge = Edge::start(&site.scratch, site.web(app.address()).edge("workers", 1));
    let mut connection = Protected::take_over(extracting(&site).connect(edge.address("web"), NAME));
    // A KeyUpdate is five bytes: type 24, length 1, whether an answer is asked for.
    let records = [connection.record(record::APPLICATION_DATA, b"x"), connection.record(record::HANDSHAKE, &[24, 0])];
    connection.send(&records);
    // Both came in one piece: with the first, the second has been read.
    app.has_received(0, 1);
    speak.say(b"an answer");
    assert_ne!(connection.socket.read(&mut [0; 64]).unwrap(), 0, "nothing came");
    let rest = [connection.record(record::HANDSHAKE, &[0, 1, 0])];
    connection.send(&rest);
    // The only worker still serves others.
    assert!(site.raw(Version::Tls12).try_connect(edge.address("web"), NAME).is_ok());
}

/// A client for [`Protected`].
fn extracting(site: &Site) -> Raw {
    Raw::configured(&site.authority.file(), Version::Tls13, None, |config| config.enable_secret_extraction = true)
}

#[test]
fn post_handshake_messages_no_client_may_send_get_an_alert() {
    let ground = Ground::new(|listener| listener);
    let raw = extracting(&ground.site);
    // NewSessionTicket, a ClientHello, an unknown type.
    for message in [&[4, 0, 0, 1, 0][..], &Hello::to(NAME).message(), &[99, 0, 0, 0]] {
        let rest = ground.after_handshake(&raw, record::HANDSHAKE, message);
        // Level, description, inner type, tag; the tickets that were held come before.
        assert!(rest.windows(5).any(|header| header == [23, 3, 3, 0, 19]), "no alert to {message:?}: {rest:?}");
    }
    // For a message too long to be any, rustls has no alert once there are keys. The connection ends all the same, and
    // without close_notify.
    assert!(ground.after_handshake(&raw, record::HANDSHAKE, &[24, 0xff, 0xff, 0xff]).is_empty());
    ground.is_undisturbed();
}

#[test]
fn many_bad_clients_at_once_disturb_nobody() {
    let ground = Ground::new(|listener| listener);
    let address = ground.address();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                for _ in 0..50 {
                    // Content type 0: no record.
                    let answered = hello::send(address, &[&[0][..], &random(300)].concat());
                    assert_eq!(answered, Answered::Alert(UNEXPECTED_MESSAGE));
                }
            });
        }
        ground.is_undisturbed();
    });
    ground.is_undisturbed();
}
