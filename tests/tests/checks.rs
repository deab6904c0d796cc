//! Health checks cost next to nothing: after the first, their handshakes resume, whatever the backend is made of.
//!
//! That the Javas here bite is shown in `backends.rs`: a close without close_notify costs them the session.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::mpsc::channel;

use raincheck_tests::backend::gnutls::Gnutls;
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::java::{Api, Jvm};
use raincheck_tests::backend::nginx::Nginx;
use raincheck_tests::backend::openssl::OpenSsl;
use raincheck_tests::backend::{Backend, Handshakes, Resumption, service};
use raincheck_tests::client::Version;
use raincheck_tests::config::{Upstream, quoted};
use raincheck_tests::deadline::{PATIENCE, until};
use raincheck_tests::edge::Edge;
use raincheck_tests::java::{BOUNCY_CASTLE, Release};
use raincheck_tests::key_file::Key;
use raincheck_tests::require;
use raincheck_tests::site::Site;

const ALL: [Resumption; 3] = [Resumption::SessionIds, Resumption::Tickets, Resumption::Tls13];
const CHECKS: u64 = 100;
const HTTP: &str = "http";
const TLS: &str = "tls";

#[test]
fn resume_with_openssl() {
    require!("openssl");
    let site = Site::new();
    let backends = ALL.map(|resumption| OpenSsl::start(&site.scratch, &site.certificate, resumption));
    resume(&site, HTTP, &backends);
}

#[test]
fn resume_with_gnutls() {
    require!("gnutls-serv");
    let site = Site::new();
    let backends = ALL.map(|resumption| Gnutls::start(&site.scratch, &site.certificate, resumption));
    resume(&site, HTTP, &backends);
}

#[test]
fn resume_with_nginx() {
    require!("nginx", "kill");
    let site = Site::new();
    let (scratch, certificate) = (&site.scratch, &site.certificate);
    let mut backends = Vec::from(ALL.map(|resumption| Nginx::start(scratch, certificate, resumption)));
    let keys = [&Key::random(), &Key::random()];
    for resumption in [Resumption::Tickets, Resumption::Tls13] {
        backends.push(Nginx::start_with_keys(scratch, certificate, resumption, &keys));
    }
    resume(&site, HTTP, &backends);
}

/// Not with `tls-ticket-keys` in TLS 1.3, where it issues no ticket in a resumed handshake: who uses each once runs out
/// (`backends.rs`).
#[test]
fn resume_with_haproxy() {
    require!("haproxy");
    let site = Site::new();
    let backends = ALL.map(|resumption| Haproxy::start(&site.scratch, &site.certificate, resumption));
    resume(&site, HTTP, &backends);
}

#[test]
fn resume_with_java_11() {
    require!("javac", Release::Java11.program(), BOUNCY_CASTLE);
    resume_with_java(Jvm::new(Release::Java11));
}

#[test]
fn resume_with_java_17_that_is_strict() {
    require!("javac", "java");
    resume_with_java(Jvm::new(Release::Java17).strict());
}

#[test]
fn resume_with_java_17_that_is_strict_and_keeps_the_sessions() {
    require!("javac", "java");
    resume_with_java(Jvm::new(Release::Java17).strict().without_tickets());
}

fn resume_with_java(jvm: Jvm) {
    let site = Site::new();
    let servers = [
        (Api::Socket, Version::Tls12),
        (Api::Engine, Version::Tls12),
        (Api::Socket, Version::Tls13),
        (Api::Engine, Version::Tls13),
    ];
    resume(&site, HTTP, &jvm.serve(&site.scratch, &site.certificate, &servers));
}

/// A check that asks nothing has to wait for the tickets of TLS 1.3, which come all the same.
#[test]
fn resume_without_a_request() {
    require!("nginx", "kill");
    let site = Site::new();
    let backends = ALL.map(|resumption| Nginx::start(&site.scratch, &site.certificate, resumption));
    resume(&site, TLS, &backends);
}

#[test]
fn resume_after_a_reload() {
    require!("nginx", "kill");
    let site = Site::new();
    let backends = ALL.map(|resumption| Nginx::start(&site.scratch, &site.certificate, resumption));
    let edge = Edge::start(&site.scratch, site.web_to(checked(&site, HTTP, &addresses(&backends))));
    until("checks", || backends.iter().all(|backend| total(backend) > 2).then_some(()));
    edge.hang_up();
    edge.expect_log(0, "reloaded");
    let before = backends.each_ref().map(total);
    until("checks after the reload", || {
        backends.iter().zip(before).all(|(backend, before)| total(backend) > before + 2).then_some(())
    });
    assert_eq!(backends.each_ref().map(Backend::full), [1; 3]);
}

/// Traffic may speak HTTP/2; a check asks over HTTP/1.1 all the same, and says so.
#[test]
fn ask_over_http1_whatever_traffic_speaks() {
    let site = Site::new();
    let mut config = service::config(&site.certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let (sender, spoken) = channel();
    let app = service::start(config, move |client| {
        if client.read_head().is_ok() {
            let _ = sender.send(client.protocol());
            let _ = client.write(b"HTTP/1.1 204 No Content\r\n\r\n").and_then(|()| client.close_notify());
        }
    });
    let upstream = checked(&site, HTTP, &[app.address()]).tls("alpn", "[\"h2\"]");
    let _edge = Edge::start(&site.scratch, site.web_to(upstream));
    assert_eq!(spoken.recv_timeout(PATIENCE).unwrap(), Some(b"http/1.1".to_vec()));
}

/// The test bites: where no session is kept, every check is a full handshake.
#[test]
fn do_not_resume_without_sessions() {
    require!("nginx", "kill");
    let site = Site::new();
    let backends = ALL.map(|resumption| Nginx::start(&site.scratch, &site.certificate, resumption));
    let upstream = checked(&site, HTTP, &addresses(&backends)).tls("sessions", 0);
    let _edge = Edge::start(&site.scratch, site.web_to(upstream));
    for backend in &backends {
        let Handshakes { full, resumed } = counted(backend);
        assert!(full >= CHECKS && resumed == 0, "{full} full, {resumed} resumed");
    }
}

/// All of these are checked by one edge, each a hundred times: one full handshake at the beginning, and no other.
fn resume<B: Backend>(site: &Site, kind: &str, backends: &[B]) {
    let edge = Edge::start(&site.scratch, site.web_to(checked(site, kind, &addresses(backends))));
    let seen: Vec<Handshakes> = backends.iter().map(|backend| counted(backend)).collect();
    assert!(seen.iter().all(|seen| seen.full == 1), "{seen:?}");
    assert!(!edge.log().contains("is down"), "{}", edge.log());
}

fn checked(site: &Site, kind: &str, servers: &[SocketAddr]) -> Upstream {
    let upstream = site.over_tls(servers);
    // A slow machine fails no check.
    upstream.check("kind", quoted(kind)).check("every", quoted("20ms")).check("timeout", quoted("30s"))
}

fn addresses<B: Backend>(backends: &[B]) -> Vec<SocketAddr> {
    backends.iter().map(Backend::address).collect()
}

/// The handshakes, once there are as many as checks are wanted.
fn counted(backend: &impl Backend) -> Handshakes {
    until("a hundred checks", || (total(backend) >= CHECKS).then(|| backend.handshakes()))
}

fn total(backend: &impl Backend) -> u64 {
    let Handshakes { full, resumed } = backend.handshakes();
    full + resumed
}
