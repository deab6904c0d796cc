//! Each client resumes, in each way it can.
#![allow(clippy::unwrap_used)]

use raincheck_tests::client::{Ending, Seen, Version, Visit, curl, gnutls, java, node, openssl, python};
use raincheck_tests::config::Listener;
use raincheck_tests::edge::Edge;
use raincheck_tests::require;
use raincheck_tests::site::Site;
use raincheck_tests::upstream::{BODY, Upstream};

#[test]
fn openssl_resumes() {
    require!("openssl");
    resumes(openssl::twice, &Upstream::http(), BODY, "ticket");
}

#[test]
fn curl_resumes_and_by_session_id_in_tls12() {
    require!("curl");
    resumes(curl::twice, &Upstream::http(), BODY, "session-id");
}

#[test]
fn gnutls_resumes() {
    require!("gnutls-cli");
    resumes(gnutls::twice, &Upstream::echo(), "first\n", "ticket");
}

#[test]
fn python_resumes() {
    require!("python3");
    resumes(python::twice, &Upstream::http(), BODY, "ticket");
}

#[test]
fn java_resumes() {
    require!("java", "javac");
    resumes(java::twice, &Upstream::http(), BODY, "ticket");
}

#[test]
fn node_resumes() {
    require!("node");
    resumes(node::twice, &Upstream::http(), BODY, "ticket");
}

/// A client resumes in TLS 1.2 by `tls12`, in TLS 1.3 by PSK, and in TLS 1.2 by session ID where there are no tickets; the
/// edge counts it the same way, and every connection ends clean.
fn resumes(twice: fn(&Visit) -> [Seen; 2], app: &Upstream, answer: &str, tls12: &str) {
    let site = Site::new();
    let config = site.web(app.address()).listener(Listener::new("ticketless", &site.certificate).set("tickets", 0));
    let edge = Edge::start(&site.scratch, config);
    for (listener, version, kind) in
        [("web", Version::Tls12, tls12), ("web", Version::Tls13, "psk"), ("ticketless", Version::Tls12, "session-id")]
    {
        let [first, second] = twice(&site.visit(edge.address(listener), version));
        let at = format!("{listener}, {version:?}");
        assert_eq!((first.resumed, second.resumed), (false, true), "{at}: {first:?} {second:?}");
        assert_eq!((first.ending, second.ending), (Ending::Clean, Ending::Clean), "{at}: {first:?} {second:?}");
        assert!(first.answer.contains(answer), "{at}: {first:?}");
        let labels = [("listener", listener), ("version", version.label())];
        let [listener, version] = labels;
        edge.expect_handshakes(&[listener, version, ("kind", "full"), ("reason", "not-offered")], 1.0);
        edge.expect_handshakes(&[listener, version, ("kind", kind), ("reason", "")], 1.0);
        edge.expect_handshakes(&[listener, version], 2.0);
    }
    edge.expect_sum("raincheck_connections_closed_total", &[("side", "client"), ("how", "clean")], 6.0);
    edge.expect_sum("raincheck_connections_closed_total", &[("side", "client")], 6.0);
}

#[test]
fn the_first_connection_of_a_restarted_edge_resumes_with_the_same_key_file() {
    use raincheck_tests::key_file::{Key, KeyFile};
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let keys = KeyFile::new(&site.scratch, "keys", &[&Key::random(), &Key::random(), &Key::random()]);
    let config = site.web(app.address()).key_file(keys.path());
    for version in [Version::Tls12, Version::Tls13] {
        let session = site.scratch.join("session.pem");
        let mut edge = Edge::start(&site.scratch, config.clone());
        let visit = site.visit(edge.address("web"), version);
        assert!(!openssl::Connection::new(&visit).keeping(&session).seen().resumed);
        edge.terminate();
        assert!(edge.ended().success());
        let edge = Edge::start(&site.scratch, config.clone());
        assert!(openssl::Connection::new(&visit).offering(&session).seen().resumed, "{version:?}");
        edge.expect_handshakes(&[("version", version.label())], 1.0);
    }
}

#[test]
fn a_short_key_and_a_lone_key_work_too() {
    use raincheck_tests::key_file::{Key, KeyFile};
    let site = Site::new();
    let app = Upstream::http();
    let keys = KeyFile::new(&site.scratch, "keys", &[&Key::random_of_48_bytes()]);
    let edge = Edge::start(&site.scratch, site.web(app.address()).key_file(keys.path()));
    for version in [Version::Tls12, Version::Tls13] {
        let raw = site.raw(version);
        assert!(!raw.visit(edge.address("web"), "app.test").resumed);
        assert!(raw.visit(edge.address("web"), "app.test").resumed, "{version:?}");
    }
}
