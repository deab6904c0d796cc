//! The backends that other tests stand on: each works, resumes and counts, and what it does with sessions is written
//! down here. Most of that is other people's and no promise of ours, but who tests with a server must know it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use raincheck_tests::backend::bad::{self, Fault};
use raincheck_tests::backend::gnutls::Gnutls;
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::java::{Api, Java, Jvm};
use raincheck_tests::backend::nginx::Nginx;
use raincheck_tests::backend::openssl::OpenSsl;
use raincheck_tests::backend::{Backend, Handshakes, Resumption};
use raincheck_tests::client::{Ending, Version, openssl};
use raincheck_tests::hello::Hello;
use raincheck_tests::java::{BOUNCY_CASTLE, Release};
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::pki::Authority;
use raincheck_tests::raw::{Connection, REQUEST, Raw};
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::{BODY, End};

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

#[test]
fn java_11_resumes_counts_and_keeps_alive() {
    require!("openssl", "javac", Release::Java11.program(), BOUNCY_CASTLE);
    java_resumes_counts_and_keeps_alive(Jvm::new(Release::Java11), Resumption::SessionIds);
}

#[test]
fn java_17_resumes_counts_and_keeps_alive() {
    require!("openssl", "javac", "java");
    java_resumes_counts_and_keeps_alive(Jvm::new(Release::Java17), Resumption::Tickets);
    java_resumes_counts_and_keeps_alive(Jvm::new(Release::Java17).without_tickets(), Resumption::SessionIds);
}

fn java_resumes_counts_and_keeps_alive(jvm: Jvm, in_tls12: Resumption) {
    let site = Site::new();
    for (server, java) in serve_every_way(&site, jvm) {
        let resumption = if server.1 == Version::Tls12 { in_tls12 } else { Resumption::Tls13 };
        resumes_and_counts(&site, resumption, &java);
        keeps_alive(&site, server.1, &java);
        answers_other_methods(&site, server.1, &java);
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

/// Our own server in Java answers more than GET.
fn answers_other_methods(site: &Site, version: Version, java: &Java) {
    let mut connection = site.raw(version).connect(java.address(), NAME);
    connection.write(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\n12345");
    connection.write(b"67890");
    read_answer(&mut connection);
    connection.write(b"HEAD / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
    let (answer, ending) = connection.read_to_end();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"\r\n\r\n"), "{answer:?}");
    assert_eq!(ending, Ending::Clean, "{version:?}");
}

#[test]
fn a_client_that_uses_each_tls13_ticket_once_never_runs_out() {
    require!("openssl", "gnutls-serv", "nginx", "kill", "haproxy", "javac", "java");
    require!(Release::Java11.program(), BOUNCY_CASTLE);
    let site = Site::new();
    let (scratch, certificate) = (&site.scratch, &site.certificate);
    let keys = [&Key::random()];
    let mut backends: Vec<Box<dyn Backend>> = vec![
        Box::new(OpenSsl::start(scratch, certificate, Resumption::Tls13)),
        Box::new(Gnutls::start(scratch, certificate, Resumption::Tls13)),
        Box::new(Nginx::start(scratch, certificate, Resumption::Tls13)),
        Box::new(Nginx::start_with_keys(scratch, certificate, Resumption::Tls13, &keys)),
        Box::new(Haproxy::start(scratch, certificate, Resumption::Tls13)),
    ];
    for jvm in [Jvm::new(Release::Java11), Jvm::new(Release::Java17), Jvm::new(Release::Java17).without_tickets()] {
        let servers = [(Api::Socket, Version::Tls13), (Api::Engine, Version::Tls13)];
        for java in jvm.serve(scratch, certificate, &servers) {
            backends.push(Box::new(java));
        }
    }
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

#[test]
fn java_11_drops_sessions_at_fin_and_reset() {
    require!("javac", Release::Java11.program(), BOUNCY_CASTLE);
    unclean_closes(Jvm::new(Release::Java11), |server| match server {
        (Api::Socket, _) => Dropped { by_fin: false, by_reset: true },
        (Api::Engine, _) => Dropped { by_fin: true, by_reset: true },
    });
}

#[test]
fn java_11_that_is_strict_drops_sessions_at_every_unclean_close() {
    require!("javac", Release::Java11.program(), BOUNCY_CASTLE);
    unclean_closes(Jvm::new(Release::Java11).strict(), |_| Dropped { by_fin: true, by_reset: true });
}

#[test]
fn java_17_keeps_sessions_whatever_the_close() {
    require!("javac", "java");
    for jvm in [Jvm::new(Release::Java17), Jvm::new(Release::Java17).without_tickets()] {
        unclean_closes(jvm, |_| Dropped { by_fin: false, by_reset: false });
    }
}

#[test]
fn java_17_that_is_strict_drops_the_sessions_of_sockets_at_fin() {
    require!("javac", "java");
    unclean_closes(Jvm::new(Release::Java17).strict().without_tickets(), |server| match server {
        (Api::Socket, _) => Dropped { by_fin: true, by_reset: false },
        (Api::Engine, _) => Dropped { by_fin: false, by_reset: false },
    });
}

#[test]
fn java_17_that_is_strict_cannot_drop_what_is_in_tickets() {
    require!("javac", "java");
    unclean_closes(Jvm::new(Release::Java17).strict(), |_| Dropped { by_fin: false, by_reset: false });
}

/// Which unclean close of a connection makes a server drop its session.
struct Dropped {
    by_fin: bool,
    by_reset: bool,
}

type Server = (Api, Version);

fn serve_every_way(site: &Site, jvm: Jvm) -> Vec<(Server, Java)> {
    let servers = [
        (Api::Socket, Version::Tls12),
        (Api::Engine, Version::Tls12),
        (Api::Socket, Version::Tls13),
        (Api::Engine, Version::Tls13),
    ];
    servers.into_iter().zip(jvm.serve(&site.scratch, &site.certificate, &servers)).collect()
}

/// Ends connections in every way, and looks whether the next one is full. After a clean close it never is, and nothing
/// changes if the server was the first to end its side.
fn unclean_closes(jvm: Jvm, dropped: fn(Server) -> Dropped) {
    let site = Site::new();
    for (server, java) in serve_every_way(&site, jvm) {
        let Dropped { by_fin, by_reset } = dropped(server);
        let ways = [
            ("close_notify, FIN, and waiting", half_close as fn(Connection), false),
            ("close_notify and FIN", |mut connection| connection.close(), false),
            ("FIN", truncate, by_fin),
            ("reset", Connection::reset, by_reset),
        ];
        let requests = [("client", KEEP_ALIVE), ("server", REQUEST)];
        for ((way, leave, dropped), (first, request)) in ways.iter().flat_map(|way| requests.map(|first| (*way, first)))
        {
            let client = site.raw(server.1);
            let before = java.handshakes();
            let mut connection = client.connect(java.address(), NAME);
            connection.write(request);
            read_answer(&mut connection);
            if request == REQUEST {
                assert_eq!(connection.read_to_end(), (vec![], Ending::Clean), "{jvm:?} {server:?}");
            }
            leave(connection);
            java.idle();
            let next = client.visit(java.address(), NAME);
            assert_eq!(next.resumed, !dropped, "{jvm:?} {server:?}: {way}, the {first} first");
            java.expect_handshakes(before.full + 1 + u64::from(dropped), before.resumed + u64::from(!dropped));
        }
    }
}

fn half_close(mut connection: Connection) {
    connection.half_close();
    assert_eq!(connection.read_to_end(), (vec![], Ending::Clean));
}

fn truncate(mut connection: Connection) {
    connection.truncate();
    connection.read_to_end();
}

/// Reads up to the end of the body.
fn read_answer(connection: &mut Connection) {
    let mut answer = Vec::new();
    while !answer.ends_with(BODY.as_bytes()) {
        answer.extend(connection.read(1));
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn one_java_is_many_backends() {
    require!("javac", "java");
    let site = Site::new();
    let servers = [(Api::Engine, Version::Tls12), (Api::Socket, Version::Tls12)].repeat(50);
    let javas = Jvm::new(Release::Java17).serve(&site.scratch, &site.certificate, &servers);
    let addresses: BTreeSet<_> = javas.iter().map(Backend::address).collect();
    assert_eq!(addresses.len(), 100);
    // One client for all: a session of one is worth nothing to the next.
    let client = site.raw(Version::Tls12);
    for java in &javas {
        let resumed = [(); 2].map(|()| client.visit(java.address(), NAME).resumed);
        assert_eq!(resumed, [false, true]);
        java.expect_handshakes(1, 1);
    }
}

#[test]
fn faults_before_the_handshake_is_over() {
    let site = Site::new();
    let hello = Hello::to(NAME).wire();
    let says = |fault| {
        let bad = bad::start(fault, &site.certificate);
        let mut client = TcpStream::connect(bad.address()).unwrap();
        client.write_all(&hello).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut said = Vec::new();
        client.read_to_end(&mut said).unwrap();
        assert_eq!(bad.ended(0).start, hello, "{fault:?}");
        said
    };
    assert_eq!(says(Fault::Silent), b"");
    assert!(says(Fault::Garbage).starts_with(b"SSH-2.0-"));
    assert_eq!(says(Fault::EndsAfterClientHello), b"");
    let half = says(Fault::EndsInServerHello);
    let [22, 3, 3, high, low, 2, ref rest @ ..] = half[..] else { panic!("no ServerHello: {half:?}") };
    assert!(rest.len() + 1 < usize::from(u16::from_be_bytes([high, low])), "{half:?}");
}

#[test]
fn faults_after_the_handshake() {
    let site = Site::new();
    for version in [Version::Tls12, Version::Tls13] {
        let asked = |fault| {
            let bad = bad::start(fault, &site.certificate);
            let mut connection = site.raw(version).connect(bad.address(), NAME);
            connection.write(REQUEST);
            (bad, connection)
        };
        let whole = |fault| {
            let (bad, mut connection) = asked(fault);
            let (answer, ending) = connection.read_to_end();
            connection.half_close();
            assert_eq!(bad.ended(0).end, Some(End::Finished), "{version:?}: {fault:?}");
            (String::from_utf8(answer).unwrap(), ending)
        };
        let (answer, ending) = whole(Fault::None);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(BODY), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("content-length"), "{answer}");
        assert_eq!(ending, Ending::Clean, "{version:?}");
        assert_eq!(whole(Fault::Truncates), (answer.clone(), Ending::Truncated), "{version:?}");
        assert_eq!(whole(Fault::EndsAfterHandshake), (String::new(), Ending::Truncated), "{version:?}");

        // To be slow is what this one is about.
        let (pause, start) = (Duration::from_millis(2), Instant::now());
        assert_eq!(whole(Fault::Slow(pause)), (answer.clone(), Ending::Clean), "{version:?}");
        assert!(start.elapsed() >= pause * u32::try_from(answer.len()).unwrap(), "{:?}", start.elapsed());

        let (bad, mut connection) = asked(Fault::EndlessHead);
        let head = connection.read(1_000_000);
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert!(!head.windows(4).any(|window| window == b"\r\n\r\n"));
        drop(connection);
        bad.ended(0);
    }
}
