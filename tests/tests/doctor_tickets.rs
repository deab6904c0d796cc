//! What the doctor learns of a server's TLS 1.3 tickets by a client of its own: whether one ticket resumes more than one
//! session, one after the other and at once; and whether its key can be guessed.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use raincheck_diagnosis::evidence::Kind;
use raincheck_diagnosis::weak::{self, Guess, Proof};
use raincheck_doctor::probe::by_hand::Outcome;
use raincheck_doctor::probe::{Ask, ByHand, Target, Ticket};
use raincheck_tests::address;
use raincheck_tests::backend::gnutls::Gnutls;
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::java::{Api, Jvm};
use raincheck_tests::backend::nginx::Nginx;
use raincheck_tests::backend::openssl::OpenSsl;
use raincheck_tests::backend::{Backend, Resumption};
use raincheck_tests::client::Version;
use raincheck_tests::java::Release;
use raincheck_tests::key_file::Key;
use raincheck_tests::pki::Identity;
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};

#[tokio::test]
async fn one_ticket_resumes_as_many_sessions_as_it_is_offered_for() {
    require!("openssl", "gnutls-serv", "nginx", "haproxy", "javac", "java");
    let site = Site::new();
    let (scratch, certificate) = (&site.scratch, &site.certificate);
    let mut java = Jvm::new(Release::Java17).serve(scratch, certificate, &[(Api::Socket, Version::Tls13)]);
    let backends: [(&str, Box<dyn Backend>); 5] = [
        ("OpenSSL", Box::new(OpenSsl::start(scratch, certificate, Resumption::Tls13))),
        ("GnuTLS", Box::new(Gnutls::start(scratch, certificate, Resumption::Tls13))),
        ("nginx", Box::new(Nginx::start(scratch, certificate, Resumption::Tls13))),
        ("HAProxy", Box::new(Haproxy::start(scratch, certificate, Resumption::Tls13))),
        ("Java 17", Box::new(java.remove(0))),
    ];
    for (name, backend) in &backends {
        let target = target(&**backend).await;
        let full = visit(&target, None).await;
        assert_eq!((&full.failure, full.resumed, full.connection.kind()), (&None, Some(false), Kind::Full), "{name}");
        assert!(full.answer.starts_with(b"HTTP/1."), "{name}");
        // RFC 9149 is nothing to any of them.
        assert_eq!(full.expected_tickets, None, "{name}");
        let ticket = &full.tickets[0];
        for _ in 0..3 {
            expect_resumed(name, &visit(&target, Some(ticket)).await);
        }
        let (one, other, third) =
            tokio::join!(visit(&target, Some(ticket)), visit(&target, Some(ticket)), visit(&target, Some(ticket)));
        [one, other, third].iter().for_each(|outcome| expect_resumed(name, outcome));
        // And so says the server.
        backend.expect_handshakes(1, 6);
    }
}

#[tokio::test]
async fn a_cookie_is_given_back() {
    require!("openssl");
    let site = Site::new();
    let openssl = Stateless::start(&site.certificate);
    let target = Target::resolve(&openssl.address.to_string(), Some(NAME)).await.unwrap().remove(0);
    let plan = ByHand { listen: Duration::from_millis(200), ..ByHand::new(&target) };
    let full = plan.clone().run(&target).await;
    assert_eq!((&full.failure, full.resumed), (&None, Some(false)));
    assert!(full.connection.retry);
    let resumed = ByHand { ticket: Some(full.tickets[0].clone()), ..plan }.run(&target).await;
    expect_resumed("OpenSSL", &resumed); // and asks no more
}

#[tokio::test]
async fn a_key_of_zeros_is_guessed_and_a_random_one_is_not() {
    require!("openssl", "nginx", "kill");
    let site = Site::new();
    for (key, found) in [(Key::of(&[0; 80]), true), (Key::of(&[0; 48]), true), (Key::random(), false)] {
        let nginx = Nginx::start_with_keys(&site.scratch, &site.certificate, Resumption::Tls13, &[&key]);
        let full = visit(&target(&nginx).await, None).await;
        let guessed = weak::guess(full.tickets[0].as_bytes()).map(|guessed| (guessed.key, guessed.proof));
        assert_eq!(guessed, found.then_some((Guess::Constant(0), Proof::Mac)), "{} bytes", key.bytes().len());
    }
}

/// An `openssl s_server` that asks every client for another ClientHello, to have a cookie back. It answers nothing, and lives for
/// as long as its standard input does.
struct Stateless {
    address: SocketAddr,
    process: Child,
}

impl Stateless {
    fn start(identity: &Identity) -> Self {
        let address = address::unused();
        let mut command = Command::new("openssl");
        command.args(["s_server", "-stateless", "-tls1_3", "-accept", &address.to_string()]);
        command.arg("-cert").arg(&identity.chain).arg("-key").arg(&identity.key);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut said = BufReader::new(process.stdout.as_mut().unwrap()).lines();
        assert!(said.any(|line| line.unwrap() == "ACCEPT"));
        Self { address, process }
    }
}

impl Drop for Stateless {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn expect_resumed(name: &str, outcome: &Outcome) {
    let seen = (&outcome.failure, outcome.resumed, outcome.connection.kind());
    assert_eq!(seen, (&None, Some(true), Kind::ResumedPsk), "{name}");
}

async fn visit(target: &Target, ticket: Option<&Ticket>) -> Outcome {
    let mut plan = ByHand::new(target);
    plan.ticket = ticket.cloned();
    plan.ask = Some(Ask { new_session: 4, resumption: 2 });
    plan.request = format!("GET / HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n").into_bytes();
    // s_server serves one after the other, and there are three at once.
    plan.patience = Duration::from_secs(30);
    plan.run(target).await
}

async fn target(backend: &dyn Backend) -> Target {
    Target::resolve(&backend.address().to_string(), Some(NAME)).await.unwrap().remove(0)
}
