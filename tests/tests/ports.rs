//! Checks leave no TIME_WAIT at the edge, and so never run out of ports.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use raincheck_tests::backend::gnutls::Gnutls;
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::java::{Api, Jvm};
use raincheck_tests::backend::nginx::Nginx;
use raincheck_tests::backend::openssl::OpenSsl;
use raincheck_tests::backend::service;
use raincheck_tests::backend::{Backend, Resumption};
use raincheck_tests::client::Version;
use raincheck_tests::config::{Upstream, quoted};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::java::Release;
use raincheck_tests::namespace::{self, Namespace};
use raincheck_tests::site::Site;
use raincheck_tests::upstream::BODY;
use raincheck_tests::{require, require_root};

const ALL: [Resumption; 3] = [Resumption::SessionIds, Resumption::Tickets, Resumption::Tls13];

#[test]
fn no_time_wait_is_left_at_the_edge() {
    require_root!();
    require!("openssl", "gnutls-serv", "nginx", "kill", "haproxy", "javac", "java", "ip", "nsenter", "unshare");
    let name = "no_time_wait_is_left_at_the_edge";
    if !namespace::is_inside() {
        return Namespace::new().test(name);
    }
    let site = Site::new();
    let (scratch, certificate) = (&site.scratch, &site.certificate);
    let mut backends: Vec<Box<dyn Backend>> = Vec::new();
    for resumption in ALL {
        backends.push(Box::new(OpenSsl::start(scratch, certificate, resumption)));
        backends.push(Box::new(Gnutls::start(scratch, certificate, resumption)));
        backends.push(Box::new(Nginx::start(scratch, certificate, resumption)));
        backends.push(Box::new(Haproxy::start(scratch, certificate, resumption)));
    }
    let servers = [Api::Socket, Api::Engine].map(|api| [(api, Version::Tls12), (api, Version::Tls13)]).concat();
    for java in Jvm::new(Release::Java17).serve(scratch, certificate, &servers) {
        backends.push(Box::new(java));
    }
    let addresses: Vec<_> = backends.iter().map(|backend| backend.address()).collect();
    let edge = Edge::start(scratch, site.web_to(checked(&site, &addresses, "100ms")));
    for backend in &backends {
        until("ten checks", || (backend.full() + backend.resumed() >= 10).then_some(()));
    }
    let left: Vec<usize> = addresses.iter().copied().map(time_waits).collect();
    assert_eq!(left, vec![0; addresses.len()]);
    assert!(!edge.log().contains("is down"), "{}", edge.log());
}

#[test]
fn fifteen_hundred_checks_need_fewer_ports() {
    never_run_out("fifteen_hundred_checks_need_fewer_ports", 1500);
}

/// `make soak` runs it.
#[test]
#[ignore = "takes more than a minute"]
fn ten_thousand_checks_in_a_minute_need_500_ports() {
    never_run_out("ten_thousand_checks_in_a_minute_need_500_ports", 10_000);
}

/// To one address, 500 ports and `tcp_tw_reuse=0`. A TIME_WAIT lasts a minute: checks that left any would soon fail.
fn never_run_out(name: &str, checks: usize) {
    require_root!();
    require!("ip", "nsenter", "unshare");
    if !namespace::is_inside() {
        let namespace = Namespace::new();
        namespace.set("ipv4/ip_local_port_range", "40000 40499");
        namespace.set("ipv4/tcp_tw_reuse", "0");
        return namespace.test(name);
    }
    let site = Site::new();
    // Whoever would end TCP first without need has a TIME_WAIT: the server waits for close_notify, and of two times once for
    // the end of TCP too.
    let count = AtomicUsize::new(0);
    let server = service::start(service::config(&site.certificate), move |client| {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len());
        let _ = client.read_head().and_then(|()| {
            client.write(answer.as_bytes())?;
            client.read_to_end();
            client.close_notify()
        });
        if count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            client.deaf();
        }
    });
    // Checks of a server come one after the other; those of three upstreams do not wait for one another.
    let upstream = checked(&site, &[server.address()], "5ms");
    let config =
        site.web_to(upstream.clone()).upstream(upstream.clone().named("again")).upstream(upstream.named("more"));
    let edge = Edge::start(&site.scratch, config);
    let mut seen = 0;
    while seen < checks {
        seen = until("checks go on", || Some(server.received().len()).filter(|now| *now > seen));
        assert_eq!(time_waits(server.address()), 0, "after {seen} checks");
    }
    assert!(!edge.log().contains("is down"), "{}", edge.log());
}

fn checked(site: &Site, servers: &[SocketAddr], every: &str) -> Upstream {
    let upstream = site.over_tls(servers).check("kind", quoted("http"));
    upstream.check("every", quoted(every)).check("timeout", quoted("30s"))
}

/// How many connections to `server` are in TIME_WAIT at the side of who connected (`/proc/net/tcp`: number, local address,
/// remote address, state). The kernel gives out that table piece by piece, and its last lines again where it has grown
/// meanwhile: so no local address counts twice.
fn time_waits(server: SocketAddr) -> usize {
    let SocketAddr::V4(server) = server else { panic!("{server} is not of IPv4") };
    // The address is written as a number of the machine's own byte order.
    let remote = format!("{:08X}:{:04X}", u32::from_ne_bytes(server.ip().octets()), server.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let waiting = table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next()?;
        (fields.next()? == remote && fields.next()? == TIME_WAIT).then_some(local)
    });
    waiting.collect::<BTreeSet<_>>().len()
}

const TIME_WAIT: &str = "06";
