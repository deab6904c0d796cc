//! A resumption never widens access: a ticket opens only under the policy it was sealed under.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use raincheck_tests::client::openssl::Connection;
use raincheck_tests::client::{Version, Visit};
use raincheck_tests::config::{Config, Listener, quoted};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::pki::{Authority, Identity};
use raincheck_tests::raw::{REQUEST, Raw};
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;

const BOTH: [Version; 2] = [Version::Tls12, Version::Tls13];

/// How a session is kept: as a ticket or PSK, or behind a session ID.
#[derive(Copy, Clone, PartialEq, Debug)]
enum Kept {
    Ticket,
    SessionId,
}

const WAYS: [(Version, Kept); 3] =
    [(Version::Tls12, Kept::Ticket), (Version::Tls13, Kept::Ticket), (Version::Tls12, Kept::SessionId)];

/// Keeps sessions that way.
fn keeping(listener: Listener, kept: Kept) -> Listener {
    match kept {
        Kept::Ticket => listener,
        Kept::SessionId => listener.set("tickets", 0),
    }
}

/// Offers the session at `visit`, where it is refused for `reason`; what the full handshake issues then resumes there.
fn refused_and_served_anew(
    edge: &Edge,
    listener: &str,
    session: &Path,
    connect: impl Fn() -> Connection,
    reason: &str,
) {
    let refused = connect().offering(session).keeping(session).seen();
    assert!(!refused.resumed, "{reason}: resumed all the same");
    edge.expect_handshakes(&[("listener", listener), ("kind", "full"), ("reason", reason)], 1.0);
    let resumed = connect().offering(session).seen();
    assert!(resumed.resumed, "{reason}: what the full handshake issued does not resume");
}

#[test]
fn a_session_of_another_name_is_refused() {
    require!("openssl");
    for (version, kept) in WAYS {
        let site = Site::new();
        let app = Upstream::http();
        let both_names = site.authority.server(&["a.test", "b.test"]);
        let edge =
            Edge::start(&site.scratch, site.config(keeping(Listener::new("web", &both_names), kept), app.address()));
        let session = site.scratch.join("session.pem");
        let visit = |name| site.visit(edge.address("web"), version).named(name);
        assert!(!Connection::new(&visit("a.test")).keeping(&session).seen().resumed);
        assert!(Connection::new(&visit("a.test")).offering(&session).seen().resumed);
        refused_and_served_anew(&edge, "web", &session, || Connection::new(&visit("b.test")), "other-policy");
    }
}

#[test]
fn upper_case_is_the_same_name() {
    require!("openssl");
    for (version, kept) in WAYS {
        let site = Site::new();
        let app = Upstream::http();
        let listener = keeping(Listener::new("web", &site.certificate), kept);
        let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
        let session = site.scratch.join("session.pem");
        let visit = |name| site.visit(edge.address("web"), version).named(name);
        assert!(!Connection::new(&visit("app.test")).keeping(&session).seen().resumed);
        assert!(Connection::new(&visit("APP.Test")).offering(&session).seen().resumed, "{version:?}, {kept:?}");
    }
}

#[test]
fn a_session_of_another_client_auth_policy_is_refused() {
    require!("openssl");
    for version in BOTH {
        let site = Site::new();
        let app = Upstream::http();
        let other = Authority::new(&site.scratch, "other");
        let (ours, theirs) = (site.authority.file(), other.file());
        let listener = |name: &str| Listener::new(name, &site.certificate);
        let config = Config::new(&site.scratch)
            .listener(listener("open"))
            .listener(listener("optional").client_auth(&ours, None, "optional"))
            .listener(listener("required").client_auth(&ours, None, "required"))
            .listener(listener("other-ca").client_auth(&theirs, None, "required"))
            .app(app.address());
        let edge = Edge::start(&site.scratch, config);
        let (client, other_client) = (site.authority.client("ours"), other.client("theirs"));
        let connect = |listener: &str| {
            let connection = Connection::new(&site.visit(edge.address(listener), version));
            match listener {
                "open" => connection,
                "other-ca" => connection.showing(&other_client),
                _ => connection.showing(&client),
            }
        };
        let session = site.scratch.join("session.pem");
        for (from, to) in
            [("open", "optional"), ("optional", "required"), ("required", "other-ca"), ("other-ca", "open")]
        {
            connect(from).keeping(&session).seen();
            refused_and_served_anew(&edge, to, &session, || connect(to), "other-policy");
        }
    }
}

#[test]
fn listeners_of_one_policy_share_sessions() {
    require!("openssl");
    for version in BOTH {
        let site = Site::new();
        let app = Upstream::http();
        let other_certificate = site.authority.server(&[NAME]);
        let config = Config::new(&site.scratch)
            .listener(Listener::new("one", &site.certificate))
            .listener(Listener::new("two", &other_certificate))
            .app(app.address());
        let edge = Edge::start(&site.scratch, config);
        let session = site.scratch.join("session.pem");
        Connection::new(&site.visit(edge.address("one"), version)).keeping(&session).seen();
        assert!(
            Connection::new(&site.visit(edge.address("two"), version)).offering(&session).seen().resumed,
            "{version:?}"
        );
    }
}

#[test]
fn a_session_with_a_client_certificate_resumes_while_that_is_good() {
    require!("openssl");
    for (version, kept) in WAYS {
        let site = Site::new();
        let edge = with_client_auth(&site, kept, "required");
        let client = site.authority.client("alice");
        let session = site.scratch.join("session.pem");
        let connect = || Connection::new(&site.visit(edge.address("web"), version)).showing(&client);
        assert!(!connect().keeping(&session).seen().resumed);
        assert!(connect().offering(&session).seen().resumed, "{version:?}, {kept:?}");
    }
}

#[test]
fn a_session_whose_client_certificate_has_expired_is_refused() {
    require!("openssl");
    for (version, kept) in WAYS {
        let site = Site::new();
        let edge = with_client_auth(&site, kept, "required");
        let end = SystemTime::now() + Duration::from_secs(4);
        let (short, long) = (site.authority.client_until("alice", end), site.authority.client("alice"));
        let session = site.scratch.join("session.pem");
        let visit = site.visit(edge.address("web"), version);
        assert!(!Connection::new(&visit).showing(&short).keeping(&session).seen().resumed);
        // A certificate is good through its last second.
        until("the certificate has expired", || (SystemTime::now() > end + Duration::from_secs(1)).then_some(()));
        refused_and_served_anew(
            &edge,
            "web",
            &session,
            || Connection::new(&visit).showing(&long),
            "client-certificate",
        );
    }
}

#[test]
fn a_session_whose_client_certificate_has_been_revoked_is_refused() {
    require!("openssl");
    for (version, kept) in WAYS {
        let site = Site::new();
        let edge = with_client_auth(&site, kept, "required");
        let (bad, good) = (site.authority.client("mallory"), site.authority.client("alice"));
        let session = site.scratch.join("session.pem");
        let visit = site.visit(edge.address("web"), version);
        assert!(!Connection::new(&visit).showing(&bad).keeping(&session).seen().resumed);
        revoke(&site, &edge, &visit, &bad);
        refused_and_served_anew(
            &edge,
            "web",
            &session,
            || Connection::new(&visit).showing(&good),
            "client-certificate",
        );
    }
}

#[test]
fn where_a_certificate_is_optional_a_revoked_one_is_no_way_in_either() {
    require!("openssl");
    for (version, kept) in WAYS {
        let site = Site::new();
        let edge = with_client_auth(&site, kept, "optional");
        let bad = site.authority.client("mallory");
        let session = site.scratch.join("session.pem");
        let visit = site.visit(edge.address("web"), version);
        assert!(!Connection::new(&visit).showing(&bad).keeping(&session).seen().resumed);
        revoke(&site, &edge, &visit, &bad);
        // Now it comes without one, and is nobody.
        refused_and_served_anew(&edge, "web", &session, || Connection::new(&visit), "client-certificate");
    }
}

#[test]
fn a_client_certificate_that_comes_in_pieces_is_remembered_all_the_same() {
    require!("openssl");
    for (version, kept) in WAYS {
        let site = Site::new();
        let edge = with_client_auth(&site, kept, "optional");
        let (address, bad) = (edge.address("web"), site.authority.client("mallory"));
        let mut wallet = None;
        let raw = Raw::configured(&site.authority.file(), version, Some(&bad), |config| {
            // So small that Certificate is over long before the flight is.
            config.max_fragment_size = Some(64);
            let showing = Wallet { inner: config.client_auth_cert_resolver.clone(), shut: AtomicBool::new(false) };
            config.client_auth_cert_resolver = wallet.insert(Arc::new(showing)).clone();
        });
        let mut connection = raw.up_to_last_flight(address, NAME);
        let mut flight = Vec::new();
        while connection.tls.wants_write() {
            connection.tls.write_tls(&mut flight).unwrap();
        }
        while !flight.is_empty() {
            let length = 5 + usize::from(u16::from_be_bytes([flight[3], flight[4]]));
            connection.socket.write_all(&flight[..length]).unwrap();
            flight.drain(..length);
            has_been_read(&connection.socket);
        }
        while connection.tls.is_handshaking() {
            connection.receive().unwrap();
        }
        connection.write(REQUEST);
        assert!(connection.read_to_end().0.starts_with(b"HTTP/1.1 200"));
        connection.close();

        revoke(&site, &edge, &site.visit(address, version), &bad);
        // Now it comes without one, and is nobody.
        wallet.unwrap().shut.store(true, Ordering::SeqCst);
        assert!(!raw.visit(address, NAME).resumed, "{version:?}, {kept:?}");
        edge.expect_handshakes(&[("kind", "full"), ("reason", "client-certificate")], 1.0);
        assert!(raw.visit(address, NAME).resumed, "{version:?}, {kept:?}");
    }
}

/// Shows a client certificate, until it is shut. (rustls offers a session only where the resolver is the one it was
/// made with, so that another client would not do.)
#[derive(Debug)]
struct Wallet {
    inner: Arc<dyn ResolvesClientCert>,
    shut: AtomicBool,
}

impl ResolvesClientCert for Wallet {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        if self.shut.load(Ordering::SeqCst) { None } else { self.inner.resolve(issuers, schemes) }
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Waits until the process at the other end has read everything: first until all has arrived, then until nothing is
/// left there.
fn has_been_read(socket: &TcpStream) {
    let (ours, theirs) = (socket.local_addr().unwrap(), socket.peer_addr().unwrap());
    until("everything has arrived", || (queues(ours, theirs).0 == 0).then_some(()));
    until("everything has been read", || (queues(theirs, ours).1 == 0).then_some(()));
}

/// Bytes not yet acknowledged and bytes not yet read on a connection between these, as Linux has it.
fn queues(local: SocketAddr, remote: SocketAddr) -> (u64, u64) {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let (local, remote) = (hexadecimal(local), hexadecimal(remote));
    let found = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let ends = (fields.next()?, fields.next()?);
        (ends == (&local, &remote)).then(|| fields.nth(1)).flatten()
    });
    let (unsent, unread) = found.expect("the connection is there").split_once(':').unwrap();
    (u64::from_str_radix(unsent, 16).unwrap(), u64::from_str_radix(unread, 16).unwrap())
}

/// An address as `/proc/net/tcp` writes it.
fn hexadecimal(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else { panic!("IPv4 only: {address}") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
}

/// An edge whose listener `web` asks for client certificates, with nobody revoked yet.
fn with_client_auth(site: &Site, kept: Kept, mode: &str) -> Edge {
    let crl = site.authority.revoke(&[]);
    let listener =
        keeping(Listener::new("web", &site.certificate), kept).client_auth(&site.authority.file(), Some(&crl), mode);
    // The service outlives the test: nothing here is about it.
    let app = Box::leak(Box::new(Upstream::http()));
    Edge::start(&site.scratch, site.config(listener, app.address()))
}

/// Revokes, and waits until the edge knows.
fn revoke(site: &Site, edge: &Edge, visit: &Visit, identity: &Identity) {
    let lets_in = || Connection::new(visit).showing(identity).run().stdout.contains("HTTP/1.1 200");
    assert!(lets_in());
    site.authority.revoke(&[identity]);
    edge.hang_up();
    until("the certificate is revoked", || (!lets_in()).then_some(()));
}

#[test]
fn a_session_of_another_suite_is_refused_in_tls12() {
    require!("openssl");
    for kept in [Kept::Ticket, Kept::SessionId] {
        let site = Site::new();
        let app = Upstream::http();
        let listener = keeping(Listener::new("web", &site.certificate), kept);
        let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
        let session = site.scratch.join("session.pem");
        let visit = site.visit(edge.address("web"), Version::Tls12);
        let with = |suite: &str| Connection::new(&visit).with(&["-cipher", suite]);
        assert!(!with("ECDHE-ECDSA-AES128-GCM-SHA256").keeping(&session).seen().resumed);
        // OpenSSL offers the session though it no longer has its suite.
        let connect = || with("ECDHE-ECDSA-AES256-GCM-SHA384");
        refused_and_served_anew(&edge, "web", &session, connect, "suite");
    }
}

#[test]
fn a_session_of_another_hash_is_refused_in_tls13() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let session = site.scratch.join("session.pem");
    let visit = site.visit(edge.address("web"), Version::Tls13);
    let with = |suites: &str| Connection::new(&visit).with(&["-ciphersuites", suites]);
    assert!(!with("TLS_AES_256_GCM_SHA384").keeping(&session).seen().resumed);
    assert!(with("TLS_AES_256_GCM_SHA384").offering(&session).seen().resumed);
    // The client still has the suite of its session, but the server prefers another of them, whose hash is not the
    // session's (RFC 8446 §4.6.1).
    let connect = || with("TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256");
    refused_and_served_anew(&edge, "web", &session, connect, "suite");
}

#[test]
fn a_session_without_the_extended_master_secret_is_refused_to_a_client_that_has_it() {
    require!("openssl");
    for kept in [Kept::Ticket, Kept::SessionId] {
        let site = Site::new();
        let app = Upstream::http();
        let listener = keeping(Listener::new("web", &site.certificate), kept);
        let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
        let session = site.scratch.join("session.pem");
        let visit = site.visit(edge.address("web"), Version::Tls12);
        let without = site.scratch.write("without-ems.cnf", WITHOUT_EMS);
        let old = || Connection::new(&visit).configured_by(&without);
        assert!(!old().keeping(&session).seen().resumed);
        assert!(old().offering(&session).seen().resumed, "{kept:?}: like to like");
        refused_and_served_anew(&edge, "web", &session, || Connection::new(&visit), "ems");
    }
}

/// RFC 7627 §5.3: that connection must not be, not even by a full handshake.
#[test]
fn a_session_with_the_extended_master_secret_is_no_way_to_go_without_it() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let session = site.scratch.join("session.pem");
    let visit = site.visit(edge.address("web"), Version::Tls12);
    assert!(!Connection::new(&visit).keeping(&session).seen().resumed);
    let without = site.scratch.write("without-ems.cnf", WITHOUT_EMS);
    let refused = Connection::new(&visit).configured_by(&without).offering(&session).run();
    assert!(refused.output().contains("alert illegal parameter"), "{}", refused.output());
}

/// `s_client` has no option for it.
const WITHOUT_EMS: &str = "\
openssl_conf = all
[all]
ssl_conf = of-ssl
[of-ssl]
system_default = default
[default]
Options = -ExtendedMasterSecret
";

#[test]
fn a_session_of_another_version_is_refused_when_the_listener_asks_for_more() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let config = Config::new(&site.scratch)
        .listener(Listener::new("old", &site.certificate))
        .listener(Listener::new("new", &site.certificate).set("min-version", quoted("1.3")))
        .app(app.address());
    let edge = Edge::start(&site.scratch, config);
    // No client of today offers a TLS 1.2 session in a ClientHello that leads to TLS 1.3 but by speaking both.
    let session = site.scratch.join("session.pem");
    Connection::new(&site.visit(edge.address("old"), Version::Tls12)).keeping(&session).seen();
    let refused = Connection::new(&site.visit(edge.address("new"), Version::Tls12)).run();
    assert!(refused.output().contains("alert protocol version"), "{}", refused.output());
    let anew = Connection::new(&site.visit(edge.address("new"), Version::Tls13)).keeping(&session).seen();
    assert!(!anew.resumed);
    assert!(Connection::new(&site.visit(edge.address("new"), Version::Tls13)).offering(&session).seen().resumed);
}

#[test]
fn a_ticket_past_its_window_is_expired() {
    require!("openssl");
    let (site, edge, _app) = with_times("1s", "1s", "24h");
    let visit = site.visit(edge.address("web"), Version::Tls12);
    let session = site.scratch.join("session.pem");
    let start = SystemTime::now();
    assert!(!Connection::new(&visit).keeping(&session).seen().resumed);
    // accept + rotate after sealing, which was some time after `start`; the margin is what the handshake took.
    until("the window is over", || (start.elapsed().unwrap() > Duration::from_secs(3)).then_some(()));
    let refused = Connection::new(&visit).offering(&session).seen();
    assert!(!refused.resumed);
    edge.expect_handshakes(&[("kind", "full"), ("reason", "expired")], 1.0);
}

#[test]
fn a_ticket_is_refused_once_the_chain_is_over_though_its_window_is_not() {
    require!("openssl");
    let (site, edge, _app) = with_times("1h", "18h", "4s");
    let visit = site.visit(edge.address("web"), Version::Tls12);
    let session = site.scratch.join("session.pem");
    let start = SystemTime::now();
    assert!(!Connection::new(&visit).keeping(&session).seen().resumed);
    assert!(Connection::new(&visit).offering(&session).seen().resumed);
    until("the chain is over", || (start.elapsed().unwrap() > Duration::from_secs(5)).then_some(()));
    refused_and_served_anew(&edge, "web", &session, || Connection::new(&visit), "chain-too-old");
}

#[test]
fn a_chain_of_renewals_ends_at_the_age_of_the_first_full_handshake() {
    let (site, edge, _app) = with_times("1h", "18h", "4s");
    // Its clock stands still, so that it keeps offering what it was told has ended.
    let raw = Raw::configured(&site.authority.file(), Version::Tls13, None, |config| {
        config.time_provider = Arc::new(Stopped(rustls::pki_types::UnixTime::now()));
    });
    let address = edge.address("web");
    let start = SystemTime::now();
    assert!(!raw.visit(address, NAME).resumed);
    // Each resumption brings a new ticket, and the last received is the next offered.
    let mut resumed = 0;
    until("a renewed ticket is refused", || {
        let visited = raw.visit(address, NAME);
        resumed += usize::from(visited.resumed);
        (!visited.resumed).then_some(())
    });
    assert!(resumed > 1 && start.elapsed().unwrap() > Duration::from_secs(3), "{resumed}, {:?}", start.elapsed());
    edge.expect_handshakes(&[("kind", "full"), ("reason", "chain-too-old")], 1.0);
    assert!(raw.visit(address, NAME).resumed);
}

/// A client's clock that stands still.
#[derive(Debug)]
struct Stopped(rustls::pki_types::UnixTime);

impl TimeProvider for Stopped {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        Some(self.0)
    }
}

#[test]
fn no_ticket_is_said_to_last_longer_than_its_chain() {
    // rustls keeps to the lifetime it was told: that it offers nothing any more shows what that was.
    let (site, edge, _app) = with_times("1h", "18h", "4s");
    let raw = site.raw(Version::Tls13);
    let start = SystemTime::now();
    assert!(!raw.visit(edge.address("web"), NAME).resumed);
    assert!(raw.visit(edge.address("web"), NAME).resumed);
    until("the chain is over", || (start.elapsed().unwrap() > Duration::from_secs(5)).then_some(()));
    assert!(!raw.visit(edge.address("web"), NAME).resumed);
    edge.expect_handshakes(&[("kind", "full"), ("reason", "not-offered")], 2.0);
}

/// An edge with these key times. Its keys are in a file, so that none of them rotates away meanwhile.
fn with_times(rotate: &str, accept: &str, chain: &str) -> (Site, Edge, Upstream) {
    let site = Site::new();
    let app = Upstream::http();
    let keys = KeyFile::new(&site.scratch, "keys", &[&Key::random(), &Key::random(), &Key::random()]);
    let config = site
        .web(app.address())
        .keys("rotate", quoted(rotate))
        .keys("accept", quoted(accept))
        .keys("chain", quoted(chain))
        .key_file(keys.path());
    let edge = Edge::start(&site.scratch, config);
    (site, edge, app)
}
