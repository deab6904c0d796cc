//! Two nodes with one key file.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use raincheck_tests::client::{Seen, Version, Visit, curl, gnutls, java, node, openssl, python};
use raincheck_tests::config::Listener;
use raincheck_tests::deadline;
use raincheck_tests::edge::Edge;
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::pki::Identity;
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::tap::Tap;
use raincheck_tests::upstream::Upstream;

const BOTH: [Version; 2] = [Version::Tls12, Version::Tls13];

#[test]
fn each_opens_the_tickets_of_the_other_for_openssl() {
    require!("openssl");
    each_opens_the_others_tickets(openssl::twice, &Upstream::http(), &BOTH);
}

#[test]
fn each_opens_the_tickets_of_the_other_for_curl() {
    require!("curl");
    // In TLS 1.2 curl speaks no tickets, and session IDs belong to one node.
    each_opens_the_others_tickets(curl::twice, &Upstream::http(), &[Version::Tls13]);
}

#[test]
fn each_opens_the_tickets_of_the_other_for_gnutls() {
    require!("gnutls-cli");
    each_opens_the_others_tickets(gnutls::twice, &Upstream::echo(), &BOTH);
}

#[test]
fn each_opens_the_tickets_of_the_other_for_python() {
    require!("python3");
    each_opens_the_others_tickets(python::twice, &Upstream::http(), &BOTH);
}

#[test]
fn each_opens_the_tickets_of_the_other_for_java() {
    require!("java", "javac");
    each_opens_the_others_tickets(java::twice, &Upstream::http(), &BOTH);
}

#[test]
fn each_opens_the_tickets_of_the_other_for_node() {
    require!("node");
    each_opens_the_others_tickets(node::twice, &Upstream::http(), &BOTH);
}

fn each_opens_the_others_tickets(twice: fn(&Visit) -> [Seen; 2], app: &Upstream, versions: &[Version]) {
    let site = Site::new();
    let keys = KeyFile::new(&site.scratch, "keys", &[&Key::random(), &Key::random(), &Key::random()]);
    // Each with a certificate, key and serial of its own, for the same name.
    let start = |certificate: &Identity| {
        let listener = Listener::new("web", certificate);
        Edge::start(&site.scratch, site.config(listener, app.address()).key_file(keys.path()))
    };
    let (a, b) = (start(&site.certificate), start(&site.authority.server(&[NAME])));
    for &version in versions {
        for (from, to) in [(&a, &b), (&b, &a)] {
            let tap = Tap::to(&[from.address("web"), to.address("web")]);
            let [first, second] = twice(&site.visit(tap.address(), version));
            assert_eq!((first.resumed, second.resumed), (false, true), "{version:?}: {first:?} {second:?}");
        }
        for node in [&a, &b] {
            node.expect_handshakes(&[("version", version.label()), ("kind", "full")], 1.0);
            node.expect_handshakes(&[("version", version.label()), ("reason", "")], 1.0);
        }
    }
}

#[test]
fn a_rotation_at_one_node_and_then_the_other_turns_no_ticket_away() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let ring: Vec<Key> = (0..5).map(|_| Key::random()).collect();
    let before = [&ring[0], &ring[1], &ring[2]];
    let after = [&ring[0], &ring[1], &ring[2], &ring[3]];
    let start = |file: &KeyFile| Edge::start(&site.scratch, site.web(app.address()).key_file(file.path()));
    let (file_a, file_b) = (KeyFile::new(&site.scratch, "a", &before), KeyFile::new(&site.scratch, "b", &before));
    let (a, b) = (start(&file_a), start(&file_b));

    let mut sessions: Vec<(Version, String, PathBuf)> = Vec::new();
    let mut take = |node: &Edge, what: &str| {
        for version in BOTH {
            let path = site.scratch.join(&format!("{what}-{version:?}"));
            openssl::Connection::new(&site.visit(node.address("web"), version)).keeping(&path).seen();
            sessions.push((version, what.to_owned(), path));
        }
        sessions.clone()
    };
    let all_resume = |sessions: &[(Version, String, PathBuf)], when: &str| {
        for (version, what, path) in sessions {
            for (name, node) in [("a", &a), ("b", &b)] {
                let visit = site.visit(node.address("web"), *version);
                let seen = openssl::Connection::new(&visit).offering(path).seen();
                assert!(seen.resumed, "{version:?}: the ticket {what} at node {name} {when}");
            }
        }
    };

    take(&a, "of a, old");
    all_resume(&take(&b, "of b, old"), "before any rotation");
    file_a.replace(&after);
    has_keys(&a, 2);
    all_resume(&take(&a, "of a, new"), "when a alone has rotated");
    all_resume(&take(&b, "of b, behind"), "when a alone has rotated");
    file_b.replace(&after);
    has_keys(&b, 2);
    all_resume(&take(&b, "of b, new"), "when both have rotated");
    for node in [&a, &b] {
        let metrics = node.metrics();
        let full = metrics.sum("raincheck_handshakes_total", &[("kind", "full")]);
        assert_eq!(full, metrics.sum("raincheck_handshakes_total", &[("reason", "not-offered")]), "{metrics}");
    }
}

#[test]
fn a_replaced_file_takes_effect_within_a_second_and_drops_no_connection() {
    let site = Site::new();
    let app = Upstream::echo();
    let ring: Vec<Key> = (0..4).map(|_| Key::random()).collect();
    let file = KeyFile::new(&site.scratch, "keys", &[&ring[0], &ring[1], &ring[2]]);
    let edge = Edge::start(&site.scratch, site.web(app.address()).key_file(file.path()));
    let mut open = site.raw(Version::Tls13).connect(edge.address("web"), NAME);
    open.write(b"before");
    assert_eq!(open.read(6), b"before");
    file.replace(&[&ring[0], &ring[1], &ring[2], &ring[3]]);
    let start = Instant::now();
    has_keys(&edge, 2);
    assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
    open.write(b"after");
    assert_eq!(open.read(5), b"after");
    open.half_close();
    open.read_to_end();
}

#[test]
fn a_key_dropped_from_the_file_is_unknown_and_named() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let ring: Vec<Key> = (0..5).map(|_| Key::random()).collect();
    let file = KeyFile::new(&site.scratch, "keys", &[&ring[0], &ring[1], &ring[2]]);
    let edge = Edge::start(&site.scratch, site.web(app.address()).key_file(file.path()));
    let visits = BOTH.map(|version| (site.visit(edge.address("web"), version), site.scratch.join(version.number())));
    for (visit, session) in &visits {
        openssl::Connection::new(visit).keeping(session).seen();
    }
    // All but the key that sealed them.
    file.replace(&[&ring[0], &ring[2], &ring[3], &ring[4]]);
    has_keys(&edge, 2);
    let dropped = ring[1].name();
    for ((visit, session), refusals) in visits.iter().zip([1.0, 2.0]) {
        let refused = openssl::Connection::new(visit).offering(session).keeping(session).seen();
        assert!(!refused.resumed, "{:?}", visit.version);
        let labels = [("version", visit.version.label()), ("kind", "full"), ("reason", "unknown-key")];
        edge.expect_handshakes(&labels, 1.0);
        let labels = [("key_name", dropped.as_str()), ("reason", "unknown-key")];
        edge.expect_sum("raincheck_tickets_refused_total", &labels, refusals);
        assert!(
            openssl::Connection::new(visit).offering(session).seen().resumed,
            "the new ticket, {:?}",
            visit.version
        );
    }
    // Nobody else's.
    edge.expect_sum("raincheck_tickets_refused_total", &[], 2.0);
}

/// Waits until a node has this many retiring keys.
fn has_keys(node: &Edge, retiring: usize) {
    let wanted = retiring as f64;
    deadline::until(&format!("{retiring} retiring keys"), || {
        (node.sum("raincheck_ticket_keys", &[("state", "retiring")]) == wanted).then_some(())
    });
}
