//! Traffic to servers over TLS: bytes both ways, whom the edge believes and what it shows, sessions, and honest ends.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use raincheck_tests::backend::bad::{self, Fault};
use raincheck_tests::backend::nginx::Nginx;
use raincheck_tests::backend::service::{self, Conversation};
use raincheck_tests::backend::{Backend, Handshakes, Resumption};
use raincheck_tests::client::{Ending, Version};
use raincheck_tests::config::quoted;
use raincheck_tests::deadline::{PATIENCE, until, within};
use raincheck_tests::edge::Edge;
use raincheck_tests::key_file::Key;
use raincheck_tests::pki::Authority;
use raincheck_tests::raw::{Connection, REQUEST};
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::{BODY, Upstream};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use serde_json::Value;

const CLOSED: &str = "raincheck_connections_closed_total";
const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
const MIB: usize = 1024 * 1024;
/// How long somebody who writes waits until he takes it that nobody reads.
const STUCK: Duration = Duration::from_millis(500);
/// How much larger the edge may be, in KiB: a quarter of what it carries, as its allocator takes memory in large pieces.
const GROWTH: u64 = 16 * 1024;

/// Each side begins to read only when the other can write no more: what is on its way waits, and takes no memory.
#[test]
fn carries_64_mib_each_way_to_readers_that_are_slow() {
    for version in BOTH {
        let site = Site::new();
        let (stuck, starts) = channel();
        let (starts, written) = (Mutex::new(starts), Arc::new(AtomicUsize::new(0)));
        let counted = written.clone();
        let app = serve(&site, version, move |client| {
            starts.lock().unwrap().recv().unwrap();
            let mut sum = Checksum::default();
            while sum.count < 64 * MIB {
                sum.take(&client.read().unwrap());
            }
            assert_eq!(sum, Checksum::of_all());
            for part in 0..64 {
                client.write(&pattern(part)).unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
            }
            client.close_notify().unwrap();
        });
        let edge = Edge::start(&site.scratch, site.web_to(site.over_tls(&[app.address()])));
        let before = resident(&edge);
        let mut connection = site.raw(Version::Tls13).connect(edge.address("web"), NAME);
        connection.socket.set_write_timeout(Some(STUCK)).unwrap();
        let mut is_stuck = false;
        for part in 0..64 {
            write(&mut connection, &pattern(part), || {
                if !std::mem::replace(&mut is_stuck, true) {
                    assert!(part < 48, "{part} MiB are on their way");
                    assert!(resident(&edge) < before + GROWTH, "{} KiB, and {before} before", resident(&edge));
                    stuck.send(()).unwrap();
                }
            });
        }
        assert!(is_stuck);
        let mut seen = 0;
        until("the server begins", || (written.load(Ordering::Relaxed) > 0).then_some(()));
        while within(STUCK, || (written.load(Ordering::Relaxed) > seen).then_some(())).is_some() {
            seen = written.load(Ordering::Relaxed);
        }
        assert!(seen < 48, "{seen} MiB are on their way");
        assert!(resident(&edge) < before + GROWTH, "{} KiB, and {before} before", resident(&edge));
        let mut sum = Checksum::default();
        while sum.count < 64 * MIB {
            sum.take(&connection.read(MIB));
        }
        assert_eq!(sum, Checksum::of_all());
        assert_eq!(connection.read_to_end(), (vec![], Ending::Clean), "{version:?}");
        connection.half_close();
        edge.expect_sum(CLOSED, &[("how", "clean")], 2.0);
    }
}

#[test]
fn a_client_that_half_closes_gets_its_answer() {
    for version in BOTH {
        let site = Site::new();
        let app = serve(&site, version, |client| {
            let (count, ending) = client.read_to_end();
            assert_eq!(ending, Ending::Clean);
            let _ = client.write(count.to_string().as_bytes()).and_then(|()| client.close_notify());
        });
        let edge = Edge::start(&site.scratch, site.web_to(site.over_tls(&[app.address()])));
        let mut connection = site.raw(Version::Tls13).connect(edge.address("web"), NAME);
        connection.write(&[b'x'; 1_000_000]);
        connection.half_close();
        assert_eq!(connection.read_to_end(), (b"1000000".to_vec(), Ending::Clean), "{version:?}");
    }
}

#[test]
fn a_server_that_half_closes_still_gets_the_rest() {
    for version in BOTH {
        let site = Site::new();
        let (sender, heard) = channel();
        let app = serve(&site, version, move |client| {
            client.handshake().unwrap();
            let _ = client.write(b"that was all from me").and_then(|()| client.close_notify());
            sender.send(client.read_to_end()).unwrap();
        });
        let edge = Edge::start(&site.scratch, site.web_to(site.over_tls(&[app.address()])));
        let mut connection = site.raw(Version::Tls13).connect(edge.address("web"), NAME);
        assert_eq!(connection.read(20), b"that was all from me");
        connection.write(&[b'x'; 1_000_000]);
        connection.half_close();
        assert_eq!(connection.read_to_end(), (vec![], Ending::Clean), "{version:?}");
        assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), (1_000_000, Ending::Clean), "{version:?}");
    }
}

#[test]
fn a_server_may_speak_first() {
    for version in BOTH {
        let site = Site::new();
        let app = serve(&site, version, |client| {
            client.handshake().unwrap();
            client.write(b"220 welcome\r\n").unwrap();
            assert_eq!(client.read().unwrap(), b"QUIT\r\n");
            let _ = client.write(b"221 bye\r\n").and_then(|()| client.close_notify());
            client.read_to_end();
        });
        let edge = Edge::start(&site.scratch, site.web_to(site.over_tls(&[app.address()])));
        for to_edge in [Version::Tls12, Version::Tls13] {
            let mut connection = site.raw(to_edge).connect(edge.address("web"), NAME);
            assert_eq!(connection.read(13), b"220 welcome\r\n");
            connection.write(b"QUIT\r\n");
            assert_eq!(connection.read_to_end(), (b"221 bye\r\n".to_vec(), Ending::Clean), "{version:?}");
            connection.half_close();
        }
    }
}

#[test]
fn shows_its_certificate_and_offers_protocols() {
    for version in BOTH {
        let site = Site::new();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(site.authority.file()).unwrap()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
        let (chain, key) = site.certificate.read();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"other".to_vec(), b"second".to_vec()];
        let (sender, shown) = channel();
        let app = service::start(config, move |client| {
            if client.read_head().is_ok() {
                sender.send((client.shown(), client.protocol())).unwrap();
                let _ = client.write(b"welcome").and_then(|()| client.close_notify());
            }
        });
        let own = site.authority.client("edge");
        let upstream = site.over_tls(&[app.address()]).tls("alpn", "[\"first\", \"second\"]");
        let with = upstream.clone().tls("certificate", quoted(own.chain.display()));
        let with = with.tls("key", quoted(own.key.display()));
        let edge = Edge::start(&site.scratch, site.web_to(with));
        assert_eq!(site.raw(Version::Tls13).visit(edge.address("web"), NAME).answer, "welcome", "{version:?}");
        let expected = (Some(own.read().0[0].to_vec()), Some(b"second".to_vec()));
        assert_eq!(shown.recv_timeout(PATIENCE).unwrap(), expected, "{version:?}");

        let edge = Edge::start(&site.scratch, site.web_to(upstream));
        // In TLS 1.3 a server says that it misses one after the handshake.
        let answer = visit(&site, &edge).map_or(String::new(), |(answer, _)| answer);
        assert_eq!(answer, "", "{version:?}");
    }
}

#[test]
fn a_certificate_that_will_not_do_is_the_reason_and_another_server_takes_over() {
    let site = Site::new();
    let stranger = Authority::new(&site.scratch, "stranger");
    let cases = [
        (site.authority.server(&["other.test"]), "not valid for name"),
        (stranger.server(&[NAME]), "UnknownIssuer"),
        (site.authority.server_until(&[NAME], SystemTime::now() - Duration::from_secs(3600)), "expired"),
    ];
    let good = bad::start(Fault::None, &site.certificate);
    for (identity, reason) in cases {
        let wrong = bad::start(Fault::None, &identity);
        let edge = Edge::start(&site.scratch, site.web_to(site.over_tls(&[wrong.address()])));
        assert!(visit(&site, &edge).is_none_or(|(answer, ending)| answer.is_empty() && ending != Ending::Clean));
        let line = logged(&edge, 0);
        let said = line["upstream_error"].as_str().unwrap_or_default();
        assert!(said.contains(reason), "{line}");

        let both = site.over_tls(&[wrong.address(), good.address()]).set("balance", quoted("round-robin"));
        let edge = Edge::start(&site.scratch, site.web_to(both));
        for index in 0..4 {
            let (answer, ending) = visit(&site, &edge).unwrap();
            assert!(answer.ends_with(BODY) && ending == Ending::Clean, "{reason}: {answer:?} {ending:?}");
            let line = logged(&edge, index);
            assert_eq!(line["server"], good.address().to_string(), "{line}");
            assert!(line["upstream_error"].is_null(), "{line}");
        }
        let failures = [("server", &*wrong.address().to_string())];
        assert!(edge.sum("raincheck_upstream_connection_failures_total", &failures) > 0.0);

        let upstream = raincheck_tests::config::Upstream::new("app", &[wrong.address()]).tls("verify", quoted("none"));
        let edge = Edge::start(&site.scratch, site.web_to(upstream.tls("server-name", quoted(NAME))));
        assert!(visit(&site, &edge).unwrap().0.ends_with(BODY), "{reason}: believed whatever it shows");
    }
}

#[test]
fn traffic_resumes_one_after_the_other_and_in_parallel() {
    require!("nginx", "kill");
    for resumption in [Resumption::SessionIds, Resumption::Tickets, Resumption::Tls13] {
        let site = Site::new();
        let nginx = Nginx::start(&site.scratch, &site.certificate, resumption);
        let edge = Edge::start(&site.scratch, site.web_to(site.over_tls(&[nginx.address()])));
        for _ in 0..2 {
            assert!(visit(&site, &edge).unwrap().0.ends_with(BODY), "{resumption:?}");
        }
        nginx.expect_handshakes(1, 1);
        thread::scope(|scope| {
            let visits = [(); 8].map(|()| scope.spawn(|| visit(&site, &edge)));
            for visit in visits {
                let (answer, ending) = visit.join().unwrap().unwrap();
                assert!(answer.ends_with(BODY) && ending == Ending::Clean, "{resumption:?}: {answer:?} {ending:?}");
            }
        });
        until("all are counted", || {
            let Handshakes { full, resumed } = nginx.handshakes();
            (full + resumed == 10).then_some(())
        });
        if resumption != Resumption::Tls13 {
            // In TLS 1.3 each ticket serves one of them, and nginx gives out two at a time.
            nginx.expect_handshakes(1, 9);
        }
    }
}

#[test]
fn three_in_parallel_across_a_rotation_all_resume() {
    require!("nginx", "kill");
    for resumption in [Resumption::Tickets, Resumption::Tls13] {
        let site = Site::new();
        let [old, new] = [Key::random(), Key::random()];
        let mut nginx = Nginx::start_with_keys(&site.scratch, &site.certificate, resumption, &[&old]);
        let edge = Edge::start(&site.scratch, site.web_to(site.over_tls(&[nginx.address()])));
        // All of them are there at once for the edge, and connect before the first has been answered.
        let raw = site.raw(Version::Tls13);
        let together = |count| {
            let mut all = Vec::from_iter((0..count).map(|_| raw.up_to_last_flight(edge.address("web"), NAME)));
            edge.freeze();
            for connection in &mut all {
                connection.send();
                connection.write(REQUEST);
            }
            edge.thaw();
            for connection in &mut all {
                let (answer, ending) = connection.read_to_end();
                assert!(answer.ends_with(BODY.as_bytes()) && ending == Ending::Clean, "{resumption:?}: {ending:?}");
            }
        };
        // Full handshakes, with more TLS 1.3 tickets than there will be connections.
        together(4);
        let before =
            until("all four are counted", || Some(nginx.handshakes()).filter(|seen| seen.full + seen.resumed >= 4));
        nginx.replace_keys(&[&new, &old]);
        together(3);
        nginx.expect_handshakes(before.full, before.resumed + 3);
    }
}

#[test]
fn a_server_that_ends_without_close_notify_looks_cut_short_to_the_client() {
    let site = Site::new();
    let app = bad::start(Fault::Truncates, &site.certificate);
    let edge = Edge::start(&site.scratch, site.web_to(site.over_tls(&[app.address()])));
    for version in [Version::Tls12, Version::Tls13] {
        let mut connection = site.raw(version).connect(edge.address("web"), NAME);
        connection.write(REQUEST);
        let (answer, ending) = connection.read_to_end();
        assert!(answer.ends_with(BODY.as_bytes()), "what it said arrives");
        assert_eq!(ending, Ending::Truncated, "{version:?}");
    }
    edge.expect_sum(CLOSED, &[("side", "upstream"), ("how", "truncated")], 2.0);
    edge.expect_sum(CLOSED, &[("side", "upstream")], 2.0);
}

#[test]
fn a_client_that_ends_without_close_notify_looks_cut_short_to_the_server() {
    for version in BOTH {
        let site = Site::new();
        let (sender, heard) = channel();
        let app = serve(&site, version, move |client| sender.send(client.read_to_end()).unwrap());
        let edge = Edge::start(&site.scratch, site.web_to(site.over_tls(&[app.address()])));
        for to_edge in [Version::Tls12, Version::Tls13] {
            let mut connection = site.raw(to_edge).connect(edge.address("web"), NAME);
            connection.write(&[b'x'; 200_000]);
            connection.truncate();
            assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), (200_000, Ending::Truncated), "{version:?}");
            connection.read_to_end();
        }
        edge.expect_sum(CLOSED, &[("side", "client"), ("how", "truncated")], 2.0);
        edge.expect_sum(CLOSED, &[("side", "client")], 2.0);
    }
}

/// A service of one version with the site's certificate.
fn serve(
    site: &Site,
    version: &'static SupportedProtocolVersion,
    service: impl Fn(&mut Conversation) + Send + Sync + 'static,
) -> Upstream {
    service::start(service::config_for(&site.certificate, &[version]), service)
}

/// A request through the edge by a client without a session; `None` if the edge does not let it through.
fn visit(site: &Site, edge: &Edge) -> Option<(String, Ending)> {
    let mut connection = site.raw(Version::Tls13).try_connect(edge.address("web"), NAME).ok()?;
    connection.try_write(REQUEST).ok()?;
    let (answer, ending) = connection.read_to_end();
    connection.close();
    Some((String::from_utf8(answer).unwrap(), ending))
}

/// The line of this number, from 0, in the access log.
fn logged(edge: &Edge, index: usize) -> Value {
    let line = until("a line in the access log", || {
        let log = edge.access_log();
        log.split_inclusive('\n').nth(index).filter(|line| line.ends_with('\n')).map(str::to_owned)
    });
    serde_json::from_str(&line).unwrap()
}

/// Writes all of it, and calls `is_stuck` whenever the socket has taken nothing for as long as its timeout.
fn write(connection: &mut Connection, bytes: &[u8], mut is_stuck: impl FnMut()) {
    for chunk in bytes.chunks(16 * 1024) {
        connection.tls.writer().write_all(chunk).unwrap();
        while connection.tls.wants_write() {
            match connection.tls.write_tls(&mut connection.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => is_stuck(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// A MiB that is like no other of the 64.
fn pattern(part: usize) -> Vec<u8> {
    let word = |index: usize| u32::try_from(part * MIB / 4 + index).unwrap().wrapping_mul(2_654_435_761).to_be_bytes();
    (0..MIB / 4).flat_map(word).collect()
}

/// What came, up to its order.
#[derive(Default, PartialEq, Eq, Debug)]
struct Checksum {
    count: usize,
    hash: u64,
}

impl Checksum {
    fn of_all() -> Self {
        let mut sum = Self::default();
        (0..64).for_each(|part| sum.take(&pattern(part)));
        sum
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        self.count += bytes.len();
    }
}

/// How much memory the edge has, in KiB.
fn resident(edge: &Edge) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", edge.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
