//! Inline renewal: never by default, and rightly where it is asked for.
#![allow(clippy::unwrap_used)]

use std::thread;

use raincheck_tests::client::{Ending, Version, openssl};
use raincheck_tests::config::{Listener, quoted};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::raw::REQUEST;
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::tap::Tap;
use raincheck_tests::tap::record::{abbreviated, alerts, renewed_inline};
use raincheck_tests::upstream::Upstream;

/// An edge with a key file, and the next file.
struct Rotating {
    edge: Edge,
    file: KeyFile,
    ring: Vec<Key>,
}

impl Rotating {
    fn start(site: &Site, app: &Upstream, renewal: &str) -> Self {
        let ring: Vec<Key> = (0..4).map(|_| Key::random()).collect();
        let file = KeyFile::new(&site.scratch, "keys", &[&ring[0], &ring[1], &ring[2]]);
        let listener = Listener::new("web", &site.certificate).set("tls12-renewal", quoted(renewal));
        let edge = Edge::start(&site.scratch, site.config(listener, app.address()).key_file(file.path()));
        Self { edge, file, ring }
    }

    /// Retires the issuing key.
    fn rotate(&self) {
        let ring = &self.ring;
        self.file.replace(&[&ring[0], &ring[1], &ring[2], &ring[3]]);
        until("the rotation is there", || {
            (self.edge.sum("raincheck_ticket_keys", &[("state", "retiring")]) == 2.0).then_some(())
        });
    }
}

#[test]
fn never_means_no_ticket_in_an_abbreviated_handshake() {
    require!("openssl");
    assert_eq!(renewed("never"), (false, false));
}

#[test]
fn inline_renews_under_a_retiring_key_and_not_under_the_issuing_one() {
    require!("openssl");
    assert_eq!(renewed("inline"), (false, true));
}

/// Whether an abbreviated handshake brings a new ticket: under the issuing key, and under a retiring one.
fn renewed(renewal: &str) -> (bool, bool) {
    let site = Site::new();
    let app = Upstream::http();
    let rotating = Rotating::start(&site, &app, renewal);
    let session = site.scratch.join("session.pem");
    let tap = Tap::to(&[rotating.edge.address("web")]);
    let visit = site.visit(tap.address(), Version::Tls12);
    let resumed_with_ticket = |index| {
        let seen = openssl::Connection::new(&visit).offering(&session).seen();
        assert!(seen.resumed && seen.ending == Ending::Clean, "{seen:?}");
        let passed = tap.whole(index);
        assert!(abbreviated(&passed.server));
        assert_eq!((alerts(&passed.client), alerts(&passed.server)), (vec![], vec![]));
        renewed_inline(&passed.server)
    };
    assert!(!openssl::Connection::new(&visit).keeping(&session).seen().resumed);
    let issuing = resumed_with_ticket(1);
    rotating.rotate();
    let retiring = resumed_with_ticket(2);
    rotating.edge.expect_handshakes(&[("kind", "ticket"), ("reason", "")], 2.0);
    (issuing, retiring)
}

#[test]
fn an_inline_renewed_ticket_is_under_the_issuing_key() {
    let site = Site::new();
    let app = Upstream::http();
    let rotating = Rotating::start(&site, &app, "inline");
    let raw = site.raw(Version::Tls12);
    let address = rotating.edge.address("web");
    let visit = || raw.visit(address, NAME).resumed;
    assert!(!visit());
    rotating.rotate();
    // The first renews; the second uses what it got.
    assert!(visit() && visit());
    let opened = |key: &Key, state: &str| {
        rotating.edge.expect_sum("raincheck_tickets_opened_total", &[("key_name", &key.name()), ("state", state)], 1.0);
    };
    opened(&rotating.ring[1], "retiring");
    opened(&rotating.ring[2], "issuing");
}

#[test]
fn eight_in_parallel_across_a_rotation_never() {
    eight_in_parallel_across_a_rotation("never");
}

#[test]
fn eight_in_parallel_across_a_rotation_inline() {
    eight_in_parallel_across_a_rotation("inline");
}

/// TLS 1.2: four handshakes are half done when the key rotates and four start after it; all eight offer one ticket.
fn eight_in_parallel_across_a_rotation(renewal: &str) {
    let site = Site::new();
    let app = Upstream::http();
    let rotating = Rotating::start(&site, &app, renewal);
    let address = rotating.edge.address("web");
    let raw = site.raw(Version::Tls12);
    assert!(!raw.visit(address, NAME).resumed);
    raw.keep_session();
    let four = || (0..4).map(|_| raw.up_to_last_flight(address, NAME)).collect::<Vec<_>>();
    let mut connections = four();
    rotating.rotate();
    connections.extend(four());
    for connection in &mut connections {
        connection.send();
        connection.write(REQUEST);
    }
    for (index, mut connection) in connections.into_iter().enumerate() {
        // An alert in place of the answer panics here.
        let (answer, ending) = connection.read_to_end();
        assert!(connection.resumed() && answer.starts_with(b"HTTP/1.1 200"), "connection {index}");
        assert_eq!(ending, Ending::Clean, "connection {index}");
        connection.close();
    }
    rotating.edge.expect_handshakes(&[("kind", "ticket"), ("reason", "")], 8.0);
    rotating.edge.expect_handshakes(&[("kind", "full")], 1.0);
}

#[test]
fn eight_of_openssl_in_parallel_after_a_rotation() {
    require!("openssl");
    for renewal in ["never", "inline"] {
        for version in [Version::Tls12, Version::Tls13] {
            let site = Site::new();
            let app = Upstream::http();
            let rotating = Rotating::start(&site, &app, renewal);
            let visit = site.visit(rotating.edge.address("web"), version);
            let session = site.scratch.join("session.pem");
            openssl::Connection::new(&visit).keeping(&session).seen();
            rotating.rotate();
            let all: Vec<_> = thread::scope(|scope| {
                let one = || openssl::Connection::new(&visit).offering(&session).seen();
                let running: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                running.into_iter().map(|connection| connection.join().unwrap()).collect()
            });
            for seen in &all {
                assert!(seen.resumed && seen.ending == Ending::Clean, "{renewal}, {version:?}: {seen:?}");
                assert!(!seen.answer.contains("alert"), "{renewal}, {version:?}: {seen:?}");
            }
            rotating.edge.expect_handshakes(&[("version", version.label()), ("reason", "")], 8.0);
        }
    }
}
