//! The server speaks only when the application does: tickets wait, so clients that only write lose nothing.
#![allow(clippy::unwrap_used)]

use raincheck_tests::client::{Ending, Version};
use raincheck_tests::config::Listener;
use raincheck_tests::edge::Edge;
use raincheck_tests::naive::Naive;
use raincheck_tests::raw::{Connection, Raw};
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::tap::Tap;
use raincheck_tests::tap::record::{APPLICATION_DATA, records};
use raincheck_tests::upstream::{End, Upstream};

const UPLOAD: usize = 8 << 20;
const RUNS: usize = 200;
const SMALL_BUFFER: usize = 4 << 10;

#[test]
fn nothing_but_the_handshake_is_on_the_wire_before_the_first_write() {
    let site = Site::new();
    let (app, speak) = Upstream::on_command();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let tap = Tap::to(&[edge.address("web")]);
    let raw = site.raw(Version::Tls13);
    let mut connection = raw.up_to_last_flight(tap.address(), NAME);
    // The server's flight is whole, and it cannot make tickets before it has the client's.
    let handshake = tap.passed(0).server.len();
    connection.send();
    connection.write(b"only writing");
    // That the data has arrived proves that the handshake is over on the other side.
    app.has_received(0, 12);
    assert_eq!(tap.passed(0).server.len(), handshake);
    speak.say(b"the first word");
    assert_eq!(connection.read(14), b"the first word");
    assert_eq!(raw.tickets(), 2);
    connection.half_close();
    speak.finish();
    assert_eq!(connection.read_to_end().1, Ending::Clean);
    assert_eq!(raw.tickets(), 2);
}

#[test]
fn tickets_come_with_the_first_write_in_one_segment() {
    let site = Site::new();
    let (app, speak) = Upstream::on_command();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let raw = site.raw(Version::Tls13);
    let mut connection = raw.connect(edge.address("web"), NAME);
    connection.write(b"hello");
    app.has_received(0, 5);
    speak.say(b"word");
    // One read of TCP brings all of it: it was one write.
    connection.receive().unwrap();
    assert_eq!(raw.tickets(), 2);
    assert_eq!(connection.tls.process_new_packets().unwrap().plaintext_bytes_to_read(), 4);
}

#[test]
fn tickets_come_at_the_close_when_the_application_never_writes() {
    let site = Site::new();
    let app = Upstream::sink();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let raw = site.raw(Version::Tls13);
    let mut connection = raw.connect(edge.address("web"), NAME);
    connection.write(b"hello");
    connection.half_close();
    assert_eq!(connection.read_to_end(), (vec![], Ending::Clean));
    assert_eq!(raw.tickets(), 2);
}

#[test]
fn as_many_tickets_as_configured() {
    let site = Site::new();
    let app = Upstream::http();
    for (full, resumed) in [(1, 1), (4, 0), (2, 3)] {
        let listener =
            Listener::new("web", &site.certificate).set("tickets", full).set("tickets-on-resumption", resumed);
        let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
        let raw = site.raw(Version::Tls13);
        assert!(!raw.visit(edge.address("web"), NAME).resumed);
        assert_eq!(raw.tickets(), full);
        assert!(raw.visit(edge.address("web"), NAME).resumed);
        assert_eq!(raw.tickets(), full - 1 + resumed, "one used, {resumed} new");
    }
}

#[test]
fn a_key_update_is_answered_only_with_the_next_write() {
    let site = Site::new();
    let (app, speak) = Upstream::on_command();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let tap = Tap::to(&[edge.address("web")]);
    let mut connection = site.raw(Version::Tls13).connect(tap.address(), NAME);
    connection.write(b"1");
    app.has_received(0, 1);
    speak.say(b"a");
    assert_eq!(connection.read(1), b"a");
    let before = tap.passed(0).server.len();
    connection.tls.refresh_traffic_keys().unwrap();
    connection.write(b"23");
    // What was written after the KeyUpdate has been read: so has the KeyUpdate.
    app.has_received(0, 3);
    assert_eq!(tap.passed(0).server.len(), before);
    speak.say(b"b");
    assert_eq!(connection.read(1), b"b");
    let after = &tap.passed(0).server[before..];
    let kinds: Vec<u8> = records(after).iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [APPLICATION_DATA; 2], "the answer to the KeyUpdate, and the data");
}

#[test]
fn eight_mebibytes_from_a_client_that_never_reads_all_arrive() {
    let site = Site::new();
    let app = Upstream::sink();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let raw = site.raw(Version::Tls13);
    upload_again_and_again(&app, || raw.connect(edge.address("web"), NAME));
}

#[test]
fn and_with_a_small_receive_buffer_and_client_certificates() {
    let site = Site::new();
    let app = Upstream::sink();
    let listener = Listener::new("web", &site.certificate).client_auth(&site.authority.file(), None, "required");
    let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
    let client = site.authority.client("writer");
    let raw = Raw::new(&site.authority.file(), Version::Tls13, Some(&client));
    upload_again_and_again(&app, || raw.connect_with_receive_buffer(edge.address("web"), NAME, SMALL_BUFFER));
}

#[test]
fn a_small_receive_buffer_and_client_certificates_do_not_block_the_handshake() {
    let site = Site::new();
    let app = Upstream::answer_on_half_close();
    let listener = Listener::new("web", &site.certificate).client_auth(&site.authority.file(), None, "required");
    // So many tickets, each with the client's certificate in it, that they would not fit into the client's buffer.
    let listener = listener.set("tickets", 20).set("tickets-on-resumption", 20);
    let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
    let client = site.authority.client("reader");
    for version in [Version::Tls12, Version::Tls13] {
        let raw = Raw::new(&site.authority.file(), version, Some(&client));
        for resumed in [false, true] {
            let mut connection = raw.connect_with_receive_buffer(edge.address("web"), NAME, SMALL_BUFFER);
            assert_eq!(connection.resumed(), resumed, "{version:?}");
            connection.write(&vec![b'x'; UPLOAD]);
            connection.half_close();
            assert_eq!(connection.read_to_end(), (UPLOAD.to_string().into_bytes(), Ending::Clean));
        }
    }
}

/// The tests above bite: a server that sends its tickets at once makes the same client lose data.
#[test]
fn the_loss_is_real() {
    let site = Site::new();
    let naive = Naive::start(&site.certificate, 2, false);
    let raw = site.raw(Version::Tls13);
    let lost = (0..RUNS).any(|_| {
        upload(raw.connect(naive.address(), NAME));
        naive.ended() < UPLOAD
    });
    assert!(lost);
}

/// Writes all of it and closes without ever reading.
fn upload(mut connection: Connection) {
    // A server that is gone already, because it was reset, takes no more.
    let _ = connection.try_write(&vec![b'x'; UPLOAD]);
    connection.close();
}

/// Uploads again and again, and wants every byte upstream, in every run.
fn upload_again_and_again(app: &Upstream, connect: impl Fn() -> Connection) {
    let mut whole = 0;
    let mut broken = Vec::new();
    for run in 0..RUNS {
        upload(connect());
        let received = app.ended(run);
        match (received.count, received.end) {
            (count, Some(End::Finished)) if count == UPLOAD as u64 => whole += 1,
            other => broken.push((run, other)),
        }
    }
    assert_eq!(whole, RUNS, "{broken:?}");
}
