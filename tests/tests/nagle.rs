//! A client under Nagle's algorithm that sends its Finished and its request in two writes.
//!
//! It holds the request back until the Finished is acknowledged. A server that says nothing then and leaves the
//! acknowledgement to the kernel keeps it waiting 40 ms; see `the_delay_is_real` and `the_delay_is_real_in_tls12_resumed`.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use raincheck_tests::client::Version;
use raincheck_tests::edge::Edge;
use raincheck_tests::naive::Naive;
use raincheck_tests::pki::Identity;
use raincheck_tests::raw::Raw;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;
use rustls::crypto::aws_lc_rs;
use rustls::{ServerConfig, ServerConnection, StreamOwned, version};

const RUNS: usize = 31;
const LIMIT: Duration = Duration::from_millis(10);

#[test]
fn answered_at_once_in_tls13() {
    let site = Site::new();
    let app = Upstream::echo();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    // A new client each time has no ticket to offer.
    let median = median(|| answer_time(&site.raw(Version::Tls13), edge.address("web"), false));
    assert!(median < LIMIT, "median {median:?}");
}

#[test]
fn answered_at_once_in_tls13_resumed() {
    answered_at_once_when_resumed(Version::Tls13);
}

#[test]
fn answered_at_once_in_tls12_resumed() {
    answered_at_once_when_resumed(Version::Tls12);
}

fn answered_at_once_when_resumed(version: Version) {
    let site = Site::new();
    let app = Upstream::echo();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let raw = site.raw(version);
    let mut first = raw.connect(edge.address("web"), NAME);
    first.write(b"x");
    first.read(1);
    let median = median(|| answer_time(&raw, edge.address("web"), true));
    assert!(median < LIMIT, "median {median:?}");
}

/// The test bites: a server that says nothing, and leaves the acknowledgement to the kernel, makes the client wait.
#[test]
fn the_delay_is_real() {
    let site = Site::new();
    let naive = Naive::start(&site.certificate, 0, true);
    let median = median(|| answer_time(&site.raw(Version::Tls13), naive.address(), false));
    assert!(median > Duration::from_millis(30), "median {median:?}");
}

#[test]
fn the_delay_is_real_in_tls12_resumed() {
    let site = Site::new();
    let address = resuming_tls12(&site.certificate);
    let raw = site.raw(Version::Tls12);
    let mut first = raw.connect(address, NAME);
    first.write(b"x");
    first.read(1);
    let median = median(|| answer_time(&raw, address, true));
    assert!(median > Duration::from_millis(30), "median {median:?}");
}

/// A TLS 1.2 server that keeps sessions, sends back what it gets, and leaves acknowledgements to the kernel. It serves
/// until the test process ends.
fn resuming_tls12(identity: &Identity) -> SocketAddr {
    let (chain, key) = identity.read();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket);
            thread::spawn(move || {
                let mut buffer = [0; 64];
                while let Ok(count @ 1..) = tls.read(&mut buffer) {
                    tls.write_all(&buffer[..count]).unwrap();
                }
            });
        }
    });
    address
}

/// From the Finished to the answer.
fn answer_time(raw: &Raw, address: SocketAddr, resumed: bool) -> Duration {
    let mut connection = raw.up_to_last_flight(address, NAME);
    // Nagle's algorithm is on: nobody turned it off.
    assert!(!connection.socket.nodelay().unwrap());
    let start = Instant::now();
    connection.send();
    connection.write(b"?");
    connection.read(1);
    let elapsed = start.elapsed();
    assert_eq!(connection.resumed(), resumed);
    connection.close();
    elapsed
}

fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    let mut all: Vec<Duration> = (0..RUNS).map(|_| measure()).collect();
    all.sort();
    all[RUNS / 2]
}
