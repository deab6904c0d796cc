//! `raincheck doctor server` against servers that do not do as they should: a sentence about what happened, the rest of the
//! probes still done, and no verdict from missing evidence.
#![allow(clippy::unwrap_used)]

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use raincheck_tests::address;
use raincheck_tests::backend::bad::{self, Fault};
use raincheck_tests::config::Listener;
use raincheck_tests::doctor::{DoctorServer, Report};
use raincheck_tests::edge::{Edge, raincheck};
use raincheck_tests::program::{self, Finished};
use raincheck_tests::site::Site;
use raincheck_tests::upstream::{Served, Upstream};

#[test]
fn what_cannot_be_examined_is_said_with_a_remedy() {
    let site = Site::new();
    // As nginx answers a ClientHello at a port for plain HTTP.
    let plain = Upstream::serving(|mut served: Served| {
        served.read();
        served.write(b"HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\nConnection: close\r\n\r\n<html>");
        served.finish();
    });
    // protocol_version, in the record of a server that speaks TLS 1.1 at most.
    let old = Upstream::serving(|mut served: Served| {
        served.read();
        served.write(&[21, 3, 2, 0, 2, 2, 70]);
        served.finish();
    });
    let silent = bad::start(Fault::Silent, &site.certificate);
    let hanging = bad::start(Fault::HangsAfterServerHello, &site.certificate);
    let endless = bad::start(Fault::EndlessCertificate, &site.certificate);
    let leaving = bad::start(Fault::EndsAfterClientHello, &site.certificate);
    let cases: [(SocketAddr, &str, &str); 7] = [
        (address::unused(), "cannot connect", "is it the right port"),
        (plain.address(), "does not speak TLS", "a port for plain HTTP"),
        (old.address(), "protocol_version", "TLS 1.2 and TLS 1.3 are spoken here"),
        (silent.address(), "took too long before it had answered the ClientHello", ""),
        (hanging.address(), "took too long in the middle of the handshake", ""),
        (endless.address(), "broke the protocol", ""),
        (leaving.address(), "ended the connection before it had answered the ClientHello", ""),
    ];
    for (address, what, remedy) in cases {
        let report = DoctorServer::new(&site, address).report();
        let verdict = report.verdict();
        assert!(verdict.contains(what) && verdict.contains(remedy), "{report:?}");
        assert_eq!((report.status, report.problems()), (Some(1), vec![]), "{report:?}");
        assert!(
            report.resumes().iter().all(|resumes| ["not-determined", "not-spoken"].contains(resumes)),
            "{report:?}"
        );
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_no_mystery() {
    let site = Site::new();
    let other = Site::new();
    let server = bad::start(Fault::None, &site.certificate);
    let report = DoctorServer::new(&other, server.address()).report();
    let verdict = report.verdict();
    assert!(
        verdict.contains("not trusted") && verdict.contains("--ca FILE") && verdict.contains("--insecure"),
        "{report:?}"
    );
    let text = run(raincheck().args(["doctor", "server", "--insecure", "--json", &server.address().to_string()]));
    assert!(text.stdout.contains(r#""resumes":"yes""#), "{}", text.output());
}

#[test]
fn a_server_that_wants_a_certificate_is_told_from_others() {
    let site = Site::new();
    let app = Upstream::http();
    let ca = site.authority.file();
    for version in ["1.2", "1.3"] {
        let listener = Listener::new("web", &site.certificate).client_auth(&ca, None, "required");
        let listener = if version == "1.3" { listener.set("min-version", r#""1.3""#) } else { listener };
        let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
        let report = DoctorServer::new(&site, edge.address("web")).report();
        assert!(report.verdict().contains("--cert FILE --key FILE"), "{version}: {report:?}");
        assert_eq!(report.status, Some(1));
        let client = site.authority.client("client");
        let report = DoctorServer::new(&site, edge.address("web")).showing(&client).report();
        assert_eq!(
            (report.problems(), report.notes(), report.status),
            (vec![], vec![], Some(0)),
            "{version}: {report:?}"
        );
    }
}

#[test]
fn resets_at_random_are_reported_and_cost_no_verdict() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let (to, count) = (edge.address("web"), AtomicUsize::new(0));
    let server = Upstream::serving(move |served| match count.fetch_add(1, Ordering::Relaxed) % 5 {
        0 | 3 => served.reset(),
        _ => relay(&served, to),
    });
    let report = DoctorServer::new(&site, server.address()).report();
    assert_eq!((report.problems(), report.status), (vec!["handshake-failures"], Some(1)), "{report:?}");
    assert_eq!(report.resumes(), ["yes"; 3], "{report:?}");
}

#[test]
fn nodes_with_keys_of_their_own_are_told_from_a_server_that_refuses() {
    let site = Site::new();
    let app = Upstream::http();
    let edges = [(); 2].map(|()| Edge::start(&site.scratch, site.web(app.address())));
    let to = edges.each_ref().map(|edge| edge.address("web"));
    // Whoever comes twice in a row comes to the same node once in a while.
    let count = AtomicUsize::new(0);
    let server = Upstream::serving(move |served| {
        relay(&served, to[[0, 1, 1, 0, 1][count.fetch_add(1, Ordering::Relaxed) % 5]]);
    });
    let report = DoctorServer::new(&site, server.address()).report();
    assert!(report.problems().contains(&"keys-not-shared"), "{report:?}");
    assert!(!report.problems().contains(&"ticket-never-accepted"), "{report:?}");
    assert!(!report.problems().contains(&"unclean-close-invalidates"), "{report:?}");
}

#[test]
fn a_server_that_changes_its_mind_gets_no_verdict() {
    let site = Site::new();
    let (app, count) = (Upstream::http(), AtomicUsize::new(0));
    // After a first look, one that resumes is asked for a ticket, and then each goes once.
    let edges = [(); 2].map(|()| Edge::start(&site.scratch, site.web(app.address())));
    let to = edges.each_ref().map(|edge| edge.address("web"));
    let server = Upstream::serving(move |served| {
        let turn = count.fetch_add(1, Ordering::Relaxed);
        relay(&served, to[usize::from(turn == 3)]);
    });
    let report = DoctorServer::new(&site, server.address()).report();
    let psk = report.way("psk");
    assert_eq!(psk["resumes"], "not-determined", "{report:?}");
    assert!(psk["why"].as_str().unwrap().contains("does not always do the same"), "{report:?}");
    // The rest of the probes are done all the same.
    assert_eq!(report.resumes()[1..], ["yes"; 2], "{report:?}");
}

#[test]
fn a_name_without_an_address_is_an_error() {
    let finished = run(raincheck().args(["doctor", "server", "raincheck.invalid:443", "--insecure"]));
    assert_eq!(finished.status, Some(1), "{}", finished.output());
    assert!(finished.stderr.starts_with("error: cannot resolve raincheck.invalid: "), "{}", finished.output());
}

#[test]
fn each_address_behind_a_name_is_examined_on_its_own() {
    let server = bad::start(Fault::None, &Site::new().certificate);
    let port = server.address().port();
    let finished = run(raincheck().args(["doctor", "server", "--insecure", "--json", &format!("localhost:{port}")]));
    let report = Report { status: finished.status, json: serde_json::from_str(&finished.stdout).unwrap() };
    let addresses = report.json["addresses"].as_array().unwrap();
    let examined = addresses.iter().filter(|address| address["examined"] == true);
    assert_eq!(examined.count(), 1, "{report:?}");
}

/// Carries bytes both ways until both sides are done.
fn relay(served: &Served, to: SocketAddr) {
    let Ok(server) = TcpStream::connect(to) else { return };
    let client = served.socket();
    thread::scope(|scope| {
        scope.spawn(|| carry(client, &server));
        carry(&server, client);
    });
}

fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

fn run(command: &mut Command) -> Finished {
    program::run(command, b"")
}
