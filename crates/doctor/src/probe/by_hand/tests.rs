use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use raincheck_diagnosis::diagnose::reuse::ticket_reused;
use raincheck_diagnosis::evidence::{Answer, Description, Kind, RequestedTickets, Version};
use raincheck_diagnosis::{Name, Timestamp};
use rcgen::CertifiedKey;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::message::{ClientHello, expected_tickets};
use super::*;

#[tokio::test]
async fn a_session_is_resumed_with_each_suite() {
    for suite in provider::DEFAULT_CIPHER_SUITES.iter().filter(|suite| suite.tls13().is_some()) {
        let target = serve(sealing(*suite)).await;
        let full = ask(&target, None).await;
        assert_eq!((full.failure, full.resumed), (None, Some(false)), "{suite:?}");
        assert_eq!((&full.answer[..], full.closed), (&b"hello"[..], true));
        assert_eq!(full.connection.kind(), Kind::Full);
        assert_eq!(full.tickets.len(), 2);
        // Whoever reads the connection from outside sees the same tickets.
        let read: Vec<&[u8]> = full.connection.tickets.iter().map(|new| &new.ticket[..]).collect();
        assert_eq!(read, full.tickets.iter().map(Ticket::as_bytes).collect::<Vec<_>>());
        for ticket in &full.tickets {
            assert_eq!(ticket.lifetime(), Duration::from_secs(12 * 60 * 60));
            let resumed = ask(&target, Some(ticket)).await;
            assert_eq!((resumed.failure, resumed.resumed), (None, Some(true)), "{suite:?}");
            assert_eq!(resumed.connection.kind(), Kind::ResumedPsk);
            assert_eq!(resumed.answer, b"hello");
        }
    }
}

#[tokio::test]
async fn one_ticket_goes_to_many_connections() {
    let target = serve(sealing(SUITE)).await;
    let ticket = ask(&target, None).await.tickets.remove(0);
    for _ in 0..3 {
        assert_eq!(ask(&target, Some(&ticket)).await.resumed, Some(true));
    }
    let at_once = [(); 3].map(|()| {
        let (target, ticket) = (target.clone(), ticket.clone());
        tokio::spawn(async move { ask(&target, Some(&ticket)).await.resumed })
    });
    for resumed in at_once {
        assert_eq!(resumed.await.unwrap(), Some(true));
    }
}

#[tokio::test]
async fn a_server_may_take_a_ticket_but_once() {
    let target = serve(storing(SUITE, Arc::new(NoClientAuth))).await;
    let ticket = ask(&target, None).await.tickets.remove(0);
    assert_eq!(ask(&target, Some(&ticket)).await.resumed, Some(true));
    let again = ask(&target, Some(&ticket)).await;
    assert_eq!((again.failure, again.resumed, again.connection.kind()), (None, Some(false), Kind::Full));
}

#[tokio::test]
async fn whether_tickets_are_taken_again_is_found_out() {
    for (config, again, in_turn, at_once) in [
        (sealing(SUITE), Answer::Yes, 3, 3),
        // A ticket is the key of an entry, which is gone with its first use.
        (storing(SUITE, Arc::new(NoClientAuth)), Answer::No, 1, 1),
    ] {
        let target = serve(config).await;
        let turns = AtomicUsize::new(0);
        let turn = async || {
            turns.fetch_add(1, Ordering::Relaxed);
        };
        let reuse = plan(&target).reuse(&target, turn).await.unwrap();
        assert_eq!(reuse.is_accepted_again(), again);
        assert_eq!((reuse.resumed_in_turn(), reuse.resumed_at_once()), (in_turn, at_once));
        assert_eq!((reuse.at_once.len(), turns.into_inner()), (3, 5));
        let finding = ticket_reused(target.address, &reuse);
        let says = finding.map(|finding| (finding.name, finding.evidence));
        let seen = "one ticket resumed 3 of 3 connections in turn, and 3 of 3 at once".to_owned();
        assert_eq!(says, (again == Answer::Yes).then(|| (Name::TicketReused, vec![seen])));
    }

    let mut config = sealing(SUITE);
    config.send_tls13_tickets = 0;
    let target = serve(config).await;
    assert_eq!(plan(&target).reuse(&target, async || {}).await.unwrap_err(), NotDetermined::NoTicket);
}

#[tokio::test]
async fn whether_a_request_for_tickets_is_heeded_is_found_out() {
    let target = serve(sealing(SUITE)).await;
    let found = plan(&target).request_tickets(&target, async || {}).await.unwrap();
    // rustls does not know it.
    assert_eq!(found, RequestedTickets { asked: 3, expected: None, sent: 2, unasked: 2 });
    assert!(!found.is_heeded());
}

#[test]
fn a_request_for_tickets_is_written_and_its_answer_read() {
    let shares = [(0x001d, vec![5; 32])];
    let name = ServerName::try_from("localhost").unwrap();
    let hello = |ask| {
        ClientHello { random: &[7; 32], server_name: &name, shares: &shares, ask, cookie: None, ticket: None }.encode()
    };
    let request = [0, 58, 0, 2, 4, 2];
    let has_request = |hello: Vec<u8>| hello.windows(request.len()).any(|window| window == request);
    assert!(has_request(hello(Some(Ask { new_session: 4, resumption: 2 }))));
    assert!(!has_request(hello(None)));

    for (extensions, expected) in [
        (&b"\0\x05\0\x3a\0\x01\x03"[..], Some(Some(3))),
        (b"\0\x04\0\x2a\0\0", Some(None)),
        (b"\0\0", Some(None)),
        (b"\0\x05\0", None),
    ] {
        assert_eq!(expected_tickets(extensions), expected, "{extensions:?}");
    }
}

#[tokio::test]
async fn no_ticket_and_no_answer_to_a_request_for_tickets_is_none() {
    let mut config = sealing(SUITE);
    config.send_tls13_tickets = 0;
    let outcome = ask(&serve(config).await, None).await;
    assert_eq!((outcome.failure, outcome.tickets.len(), outcome.expected_tickets), (None, 0, None));
}

#[tokio::test]
async fn who_has_no_certificate_says_so() {
    let CertifiedKey { cert, .. } = rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::new(provider::default_provider()));
    for (optional, failure) in [(true, None), (false, Some(Failure::Alert(Description(116))))] {
        let verifier = verifier.clone();
        let verifier = if optional { verifier.allow_unauthenticated() } else { verifier };
        let outcome = ask(&serve(storing(SUITE, verifier.build().unwrap())).await, None).await;
        assert_eq!(outcome.failure, failure);
    }
}

#[tokio::test]
async fn what_is_no_tls_13_is_told() {
    let suite = provider::DEFAULT_CIPHER_SUITES.iter().find(|suite| suite.tls13().is_none()).unwrap();
    let old = serve(sealing(*suite)).await;
    assert_eq!(ask(&old, None).await.failure, Some(Failure::Alert(Description(70))));

    for (says, failure) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], Failure::NotTls("HTTP/1.1 400 Bad Request".to_owned())),
        (b"", Failure::Ended(Stage::Hello)),
        (b"\x16\x03\x03\x00", Failure::Ended(Stage::Hello)),
        (b"\x16\x03\x03\x00\x04\x02\0\0\0", Failure::Protocol("its ServerHello makes no sense".to_owned())),
        (b"\x17\x03\x03\x00\x04\x02\0\0\0", Failure::Protocol("it sent data before its ServerHello".to_owned())),
        (
            b"\x16\x03\x03\x00\x04\x0e\0\0\0",
            Failure::Protocol("it sent a handshake message of type 14, which was not due".to_owned()),
        ),
        (b"\x16\x03\x03\x00\x04\x02\xff\xff\xff", Failure::Protocol("it sent a handshake without end".to_owned())),
        (
            // HelloRetryRequest, without a cookie
            b"\x16\x03\x03\x00\x32\x02\0\0\x2e\x03\x03\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c\0\x13\x01\0\0\x06\0\x2b\0\x02\x03\x04",
            Failure::Protocol("it asks for another ClientHello, and has all that one could tell".to_owned()),
        ),
        (
            b"\x16\x03\x03\x00\x2a\x02\0\0\x26\x03\x03a random of thirty-two bytes, no\0\xc0\x2f\0",
            Failure::Version(Version::TLS12),
        ),
        (b"\x15\x03\x03\x00\x02\x02\x28", Failure::Alert(Description(40))),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = target(&listener).await;
        let server = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let hello = tcp.read(&mut [0; 4096]).await.unwrap();
            assert!(hello > 0);
            tcp.write_all(says).await.unwrap();
        });
        let outcome = ask(&target, None).await;
        server.await.unwrap();
        assert_eq!((outcome.failure, outcome.resumed), (Some(failure), None));
    }
}

#[test]
fn the_age_that_is_shown_wraps() {
    let at = |seconds: u64| Moment { time: Timestamp::from_nanoseconds(seconds * 1_000_000_000), packet: 0 };
    let suite = Suite::find(0x1301).unwrap();
    let (lifetime, psk) = (Duration::from_secs(10), suite.early(None));
    let ticket = Ticket { ticket: [1].into(), psk, suite, lifetime, age_add: u32::MAX, at: at(100) };
    assert_eq!(ticket.shown_age(at(100)), u32::MAX);
    assert_eq!(ticket.shown_age(at(107)), 6999);
}

async fn ask(target: &Target, ticket: Option<&Ticket>) -> Outcome {
    let ask = Some(Ask { new_session: 3, resumption: 1 });
    ByHand { ticket: ticket.cloned(), ask, ..plan(target) }.run(target).await
}

fn plan(target: &Target) -> ByHand {
    ByHand { request: b"hello".to_vec(), ..ByHand::new(target) }
}

/// A server that says back what it hears, as often as it is asked.
async fn serve(config: ServerConfig) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target(&listener).await;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut tls = acceptor.accept(tcp).await?;
                let mut heard = [0; 16];
                loop {
                    match tls.read(&mut heard).await? {
                        0 => return tls.shutdown().await,
                        length => tls.write_all(&heard[..length]).await?,
                    }
                }
            });
        }
    });
    target
}

async fn target(listener: &TcpListener) -> Target {
    let port = listener.local_addr().unwrap().port();
    Target::resolve(&format!("127.0.0.1:{port}"), Some("localhost")).await.unwrap().remove(0)
}

/// A server that seals its sessions into tickets, which it takes as often as they come.
fn sealing(suite: SupportedCipherSuite) -> ServerConfig {
    let mut config = storing(suite, Arc::new(NoClientAuth));
    config.ticketer = provider::Ticketer::new().unwrap();
    config
}

/// A server that stores its sessions, and forgets each with its first use.
fn storing(suite: SupportedCipherSuite, clients: Arc<dyn ClientCertVerifier>) -> ServerConfig {
    let crypto = CryptoProvider { cipher_suites: vec![suite], ..provider::default_provider() };
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let version = if suite.tls13().is_some() { &TLS13 } else { &TLS12 };
    ServerConfig::builder_with_provider(Arc::new(crypto))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap()
}

const SUITE: SupportedCipherSuite = provider::cipher_suite::TLS13_AES_128_GCM_SHA256;
