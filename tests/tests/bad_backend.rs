//! Servers that misbehave: their checks fail with the reason, the others go on, and memory stays bounded.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use raincheck_tests::backend::bad::{self, Fault};
use raincheck_tests::backend::service;
use raincheck_tests::client::{Ending, Version};
use raincheck_tests::config::{Config, Listener, Upstream as Servers, quoted};
use raincheck_tests::deadline::{PATIENCE, until};
use raincheck_tests::edge::Edge;
use raincheck_tests::pki::Authority;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::{BODY, Upstream};
use rustls::server::ProducesTickets;
use rustls::version::{TLS12, TLS13};

/// How much larger the edge may be after hundreds of checks, in KiB.
///
/// Four of them for the allocator, which takes so many at a time; where memory is locked they count at once.
const GROWTH: u64 = (3 + 4) * 1024;

#[test]
fn each_fault_has_its_reason() {
    let site = Site::new();
    let cases = [
        (Fault::Garbage, "TLS: received corrupt message of type InvalidContentType"),
        (Fault::EndsAfterClientHello, "the server ended the connection in the TLS handshake"),
        (Fault::EndsInServerHello, "the server ended the connection in the TLS handshake"),
        (Fault::EndsAfterHandshake, "ended without close_notify"),
        (Fault::EndlessHead, "message head is too large"),
        (Fault::Truncates, "ended without close_notify"),
    ];
    // A slow machine does not get in the way of these.
    fail(&site, &cases, "30s", 300);
}

#[test]
fn each_fault_that_takes_time_has_its_reason() {
    let site = Site::new();
    let cases = [
        (Fault::Silent, "timeout in the TLS handshake after 300 ms"),
        (Fault::Slow(Duration::from_millis(50)), "timeout while waiting for the answer after 300 ms"),
    ];
    fail(&site, &cases, "300ms", 40);
}

/// These servers are down for these reasons, and nothing else changes in so many checks of each.
fn fail(site: &Site, cases: &[(Fault, &str)], timeout: &str, count: usize) {
    let good = bad::start(Fault::None, &site.certificate);
    let servers: Vec<Upstream> = cases.iter().map(|(fault, _)| bad::start(*fault, &site.certificate)).collect();
    let addresses: Vec<SocketAddr> = servers.iter().map(Upstream::address).collect();
    let upstream = checked(site, &addresses).check("timeout", quoted(timeout));
    let also = checked(site, &[good.address()]).named("good");
    let listener = Listener::new("web", &site.certificate).set("upstream", quoted("good"));
    let config = Config::new(&site.scratch).listener(listener).upstream(also).upstream(upstream);
    let edge = Edge::start(&site.scratch, config);
    for (server, (_, reason)) in servers.iter().zip(cases) {
        let said = down(&edge, server.address());
        assert!(said.contains(reason), "{said:?}, not {reason:?}");
    }
    let raw = site.raw(Version::Tls13);
    let mut half_way = 0;
    for part in 1..=10 {
        until("checks", || servers.iter().all(|bad| bad.received().len() >= count * part / 10).then_some(()));
        let seen = raw.visit(edge.address("web"), NAME);
        assert!(seen.answer.ends_with(BODY) && seen.ending == Ending::Clean, "{seen:?}");
        if part == 5 {
            // What is needed for that is there by now.
            half_way = resident(&edge);
        }
    }
    let grown = resident(&edge).saturating_sub(half_way);
    assert!(grown < GROWTH, "{grown} KiB more");
    let log = edge.log();
    assert_eq!((log.matches(" is down: ").count(), log.matches(" is up").count()), (servers.len(), 0), "{log}");
}

#[test]
fn a_certificate_that_will_not_do_has_its_reason() {
    let site = Site::new();
    let stranger = Authority::new(&site.scratch, "stranger");
    let cases = [
        (site.authority.server(&["other.test"]), "not valid for name"),
        (stranger.server(&[NAME]), "UnknownIssuer"),
        (site.authority.server_until(&[NAME], SystemTime::now() - Duration::from_secs(3600)), "expired"),
    ];
    let servers = cases.map(|(identity, reason)| (bad::start(Fault::None, &identity), reason));
    let addresses: Vec<SocketAddr> = servers.iter().map(|(server, _)| server.address()).collect();
    let edge = Edge::start(&site.scratch, site.web_to(checked(&site, &addresses)));
    for (server, reason) in &servers {
        let said = down(&edge, server.address());
        assert!(said.contains(reason), "{said:?}, not {reason:?}");
    }
}

#[test]
fn a_server_that_nobody_listens_for_is_down() {
    let site = Site::new();
    // Bound and let go.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let edge = Edge::start(&site.scratch, site.web_to(checked(&site, &[dead])));
    let said = down(&edge, dead);
    assert!(said.contains("Connection refused"), "{said:?}");
}

#[test]
fn a_server_whose_fault_is_gone_is_up_again() {
    let site = Site::new();
    let fault = Arc::new(Mutex::new(Fault::None));
    let now = fault.clone();
    let server = bad::start_as(move || *now.lock().unwrap(), &site.certificate);
    let edge = Edge::start(&site.scratch, site.web_to(checked(&site, &[server.address()])));
    let raw = site.raw(Version::Tls13);
    let visit = || raw.visit(edge.address("web"), NAME);
    for fault_now in [Fault::Garbage, Fault::Truncates, Fault::EndsInServerHello] {
        assert!(visit().answer.ends_with(BODY));
        let from = edge.log().len();
        *fault.lock().unwrap() = fault_now;
        edge.expect_log(from, &format!("server app/{} is down: ", server.address()));
        *fault.lock().unwrap() = Fault::None;
        edge.expect_log(from, &format!("server app/{} is up", server.address()));
    }
    assert!(visit().answer.ends_with(BODY));
}

/// It has said all that was asked of it: how it leaves is no fault that a client would see.
#[test]
fn a_server_that_answers_and_never_ends_is_up() {
    let site = Site::new();
    let server = service::start(service::config(&site.certificate), |client| {
        let _ = client.read_head().and_then(|()| {
            client.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len()).as_bytes())
        });
        // Nothing it hears makes it end, but the end of TCP.
        while client.read().is_ok() {}
        client.deaf();
    });
    let upstream = checked(&site, &[server.address()]).check("timeout", quoted("1s"));
    let edge = Edge::start(&site.scratch, site.web_to(upstream));
    until("checks", || (server.received().len() >= 3).then_some(()));
    assert!(!edge.log().contains("is down"), "{}", edge.log());
}

/// The same on a connection that was held for a check, whose answer says that there will be no other on it.
#[test]
fn a_server_that_answers_for_the_last_time_and_never_ends_is_up() {
    let site = Site::new();
    let server = service::start(service::config(&site.certificate), |client| {
        for connection in ["keep-alive", "close"] {
            let answer = format!("HTTP/1.1 204 No Content\r\nConnection: {connection}\r\n\r\n");
            if client.read_head().and_then(|()| client.write(answer.as_bytes())).is_err() {
                return;
            }
        }
        while client.read().is_ok() {}
        client.deaf();
    });
    let upstream = checked(&site, &[server.address()]).check("keep-alive", true).check("fall", 1);
    let edge = Edge::start(&site.scratch, site.web_to(upstream.check("timeout", quoted("1s"))));
    until("checks", || (server.received().len() >= 3).then_some(()));
    assert!(!edge.log().contains("is down"), "{}", edge.log());
}

/// Its session is worth as much as any other's: the connection has its proper end. The next check does not wait for that.
#[test]
fn a_server_that_does_not_answer_in_time_hears_close_notify() {
    let site = Site::new();
    let (sender, endings) = channel();
    let server = service::start(service::config(&site.certificate), move |client| {
        if client.read_head().is_ok() {
            let (_, ending) = client.read_to_end();
            let _ = sender.send(ending);
            client.deaf();
        }
    });
    let upstream = checked(&site, &[server.address()]).check("timeout", quoted("300ms"));
    let edge = Edge::start(&site.scratch, site.web_to(upstream));
    let said = down(&edge, server.address());
    assert!(said.contains("timeout while waiting for the answer after 300 ms"), "{said:?}");
    assert_eq!(endings.recv_timeout(PATIENCE), Ok(Ending::Clean));
    let open = || server.received().iter().filter(|received| received.end.is_none()).count();
    until("a check that begins while another's connection ends", || (open() > 1).then_some(()));
}

/// A ticket of 64 KiB is not worth its place: it would be in every ClientHello. In TLS 1.2 what is left of the handshake
/// does not fit into the same read.
#[test]
fn a_ticket_of_64_kib_is_not_kept() {
    let site = Site::new();
    let servers = [&TLS12, &TLS13].map(|version| {
        let mut config = service::config_for(&site.certificate, &[version]);
        config.ticketer = Arc::new(Huge);
        service::start(config, |client| {
            let _ = client.read_head().and_then(|()| {
                client.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len()).as_bytes())?;
                client.close_notify()
            });
        })
    });
    let addresses = servers.each_ref().map(Upstream::address);
    let edge = Edge::start(&site.scratch, site.web_to(checked(&site, &addresses)));
    let checks =
        |count| until("checks", || servers.iter().all(|server| server.received().len() >= count).then_some(()));
    checks(60);
    let before = resident(&edge);
    checks(260);
    let grown = resident(&edge).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} KiB more");
    assert!(!edge.log().contains("is down"), "{}", edge.log());
    for (server, version) in servers.iter().zip(["TLS 1.2", "TLS 1.3"]) {
        // All that was sent was a ClientHello and what ends a handshake, a request, and a close.
        let most = server.received().iter().map(|received| received.count).max().unwrap();
        assert!(most < 8 * 1024, "{version}: a check of {most} bytes");
    }
}

/// Seals nothing, at length.
#[derive(Debug)]
struct Huge;

impl ProducesTickets for Huge {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        3600
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        Some(vec![b'!'; 65_480])
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

fn checked(site: &Site, servers: &[SocketAddr]) -> Servers {
    let upstream = site.over_tls(servers).check("kind", quoted("http"));
    upstream.check("every", quoted("20ms")).check("timeout", quoted("30s"))
}

/// The notice that this server is down.
fn down(edge: &Edge, server: SocketAddr) -> String {
    let begin = format!("server app/{server} is down: ");
    until(&begin, || edge.log().lines().find(|line| line.contains(&begin)).map(str::to_owned))
}

/// How much memory the edge has, in KiB.
fn resident(edge: &Edge) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", edge.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
