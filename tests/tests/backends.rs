//! The backends that other tests stand on: each works, resumes and counts, and what it does with sessions is written
//! down here. Most of that is other people's and no promise of ours, but who tests with a server must know it.
#![allow(clippy::unwrap_used)]

use raincheck_tests::backend::gnutls::Gnutls;
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::nginx::Nginx;
use raincheck_tests::backend::openssl::OpenSsl;
use raincheck_tests::backend::{Backend, Handshakes, Resumption};
use raincheck_tests::client::{Ending, Version, openssl};
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::pki::Authority;
use raincheck_tests::raw::{Connection, REQUEST, Raw};
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::BODY;

const ALL: [Resumption; 3] = [Resumption::SessionIds, Resumption::Tickets, Resumption::Tls13];
const KEEP_ALIVE: &[u8] = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

#[test]
fn openssl_resumes_and_counts() {
    require!("openssl");
    let site = Site::new();
    for resumption in ALL {
        resumes_and_counts(&site, resumption, &OpenSsl::start(&site.scratch, &site.certificate, resumption));
    }
}

#[test]
fn gnutls_resumes_and_counts() {
    require!("openssl", "gnutls-serv");
    let site = Site::new();
    for resumption in ALL {
        resumes_and_counts(&site, resumption, &Gnutls::start(&site.scratch, &site.certificate, resumption));
    }
}

#[test]
fn nginx_resumes_counts_and_keeps_alive() {
    require!("openssl", "nginx", "kill");
    let site = Site::new();
    for resumption in ALL {
        let nginx = Nginx::start(&site.scratch, &site.certificate, resumption);
        resumes_and_counts(&site, resumption, &nginx);
        keeps_alive(&site, resumption.version(), &nginx);
    }
}

#[test]
fn haproxy_resumes_counts_and_keeps_alive() {
    require!("openssl", "haproxy");
    let site = Site::new();
    for resumption in ALL {
        let haproxy = Haproxy::start(&site.scratch, &site.certificate, resumption);
        resumes_and_counts(&site, resumption, &haproxy);
        keeps_alive(&site, resumption.version(), &haproxy);
    }
}

/// With `openssl s_client` a full handshake and a resumed one; then one that the client breaks off, which does not count;
/// then, with nothing offered and nothing said, a full one.
fn resumes_and_counts(site: &Site, resumption: Resumption, backend: &dyn Backend) {
    let visit = site.visit(backend.address(), resumption.version());
    let seen = openssl::twice(&visit);
    assert_eq!(seen.each_ref().map(|seen| seen.resumed), [false, true], "{resumption:?}: {seen:?}");
    for seen in &seen {
        assert!(seen.answer.to_ascii_lowercase().contains(" 200 ok\r\n"), "{resumption:?}: {seen:?}");
        assert_eq!(seen.ending, Ending::Clean, "{resumption:?}: {seen:?}");
    }
    let ticket = seen[0].answer.contains("TLS session ticket:");
    assert_eq!(ticket, resumption != Resumption::SessionIds, "{resumption:?}: {seen:?}");
    backend.expect_handshakes(1, 1);

    let stranger = Authority::new(&site.scratch, "stranger");
    let suspicious = Raw::new(&stranger.file(), resumption.version(), None);
    assert!(suspicious.try_connect(backend.address(), NAME).is_err(), "{resumption:?}");
    let mut silent = site.raw(resumption.version()).connect(backend.address(), NAME);
    silent.half_close();
    silent.read_to_end();
    backend.expect_handshakes(2, 1);
}

/// It answers one request after the other on one connection, until a request asks for the end.
fn keeps_alive(site: &Site, version: Version, backend: &dyn Backend) {
    let Handshakes { full, resumed } = backend.handshakes();
    for last in [REQUEST, b"GET / HTTP/1.0\r\n\r\n"] {
        let mut connection = site.raw(version).connect(backend.address(), NAME);
        connection.write(KEEP_ALIVE);
        read_answer(&mut connection);
        connection.write(KEEP_ALIVE);
        read_answer(&mut connection);
        connection.write(last);
        let (answer, ending) = connection.read_to_end();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.to_ascii_lowercase().contains(&format!("content-length: {}\r\n", BODY.len())), "{answer}");
        assert!(answer.ends_with(BODY), "{answer}");
        assert_eq!(ending, Ending::Clean, "{version:?}");
    }
    backend.expect_handshakes(full + 2, resumed);
}

#[test]
fn a_client_that_uses_each_tls13_ticket_once_never_runs_out() {
    require!("openssl", "gnutls-serv", "nginx", "kill", "haproxy");
    let site = Site::new();
    let (scratch, certificate) = (&site.scratch, &site.certificate);
    let keys = [&Key::random()];
    let backends: Vec<Box<dyn Backend>> = vec![
        Box::new(OpenSsl::start(scratch, certificate, Resumption::Tls13)),
        Box::new(Gnutls::start(scratch, certificate, Resumption::Tls13)),
        Box::new(Nginx::start(scratch, certificate, Resumption::Tls13)),
        Box::new(Nginx::start_with_keys(scratch, certificate, Resumption::Tls13, &keys)),
        Box::new(Haproxy::start(scratch, certificate, Resumption::Tls13)),
    ];
    for (index, backend) in backends.iter().enumerate() {
        assert_eq!(visits(&site, &**backend), [false, true, true, true, true, true], "backend {index}");
        backend.expect_handshakes(1, 5);
    }
}

/// Under the key that seals, a resumed connection gets no new ticket.
#[test]
fn a_client_that_uses_each_tls13_ticket_once_runs_out_at_haproxy_with_a_key_file() {
    require!("haproxy");
    let site = Site::new();
    let keys = KeyFile::new(&site.scratch, "keys", &[&Key::random(), &Key::random(), &Key::random()]);
    let haproxy = Haproxy::start_with_keys(&site.scratch, &site.certificate, Resumption::Tls13, &keys);
    assert_eq!(visits(&site, &haproxy), [false, true, true, false, true, true]);
    haproxy.expect_handshakes(2, 4);
}

/// Whether each of six visits was resumed.
fn visits(site: &Site, backend: &dyn Backend) -> [bool; 6] {
    let client = site.raw(Version::Tls13);
    [(); 6].map(|()| client.visit(backend.address(), NAME).resumed)
}

#[test]
fn nginx_renews_tickets_of_its_second_key_inline() {
    require!("nginx", "kill");
    let site = Site::new();
    let [old, new] = [Key::random(), Key::random()];
    let mut nginx = Nginx::start_with_keys(&site.scratch, &site.certificate, Resumption::Tickets, &[&old]);
    // Both get a ticket, and one takes no other.
    let (following, stubborn) = (site.raw(Version::Tls12), site.raw(Version::Tls12));
    let resumed = |nginx: &Nginx| [&following, &stubborn].map(|client| client.visit(nginx.address(), NAME).resumed);
    assert_eq!(resumed(&nginx), [false, false]);
    stubborn.keep_session();
    nginx.replace_keys(&[&new, &old]);
    assert_eq!(resumed(&nginx), [true, true], "the old key second");
    nginx.replace_keys(&[&new]);
    assert_eq!(resumed(&nginx), [true, false], "the old key gone");
    nginx.expect_handshakes(3, 3);
}

/// Reads up to the end of the body.
fn read_answer(connection: &mut Connection) {
    let mut answer = Vec::new();
    while !answer.ends_with(BODY.as_bytes()) {
        answer.extend(connection.read(1));
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
}
