use std::sync::Arc;

use raincheck_diagnosis::evidence::{Kind, Stage};
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::probe::{Attempt, Outcome, Speech, Target, Trust, Versions};

/// What a server does next.
#[derive(Clone, Copy)]
enum Step {
    Say(&'static [u8]),
    Hear(&'static [u8]),
    /// Says this for as long as anybody listens.
    Repeat(&'static [u8]),
    /// Says nothing until the client is gone.
    Wait,
    /// Speaks TLS, hears the protocol's greeting, answers it.
    Tls,
}

use Step::{Hear, Repeat, Say, Tls, Wait};

#[tokio::test]
async fn tls_begins_where_the_protocol_lets_it() {
    for (protocol, steps) in [
        (
            Protocol::Smtp,
            &[
                Say(b"220-mx.example ESMTP\r\n220 no unsolicited mail\r\n"),
                Hear(b"EHLO [127.0.0.1]\r\n"),
                Say(b"250-mx.example\r\n250-SIZE 1000\r\n250-Star"),
                Say(b"tTLS\r\n250 HELP\r\n"),
                Hear(b"STARTTLS\r\n"),
                Say(b"220 2.0.0 go ahead\r\n"),
                Tls,
            ][..],
        ),
        (
            Protocol::Lmtp,
            &[
                Say(b"220 lmtp\r\n"),
                Hear(b"LHLO [127.0.0.1]\r\n"),
                Say(b"250-PIPELINING\r\n250 STARTTLS\r\n"),
                Hear(b"STARTTLS\r\n"),
                Say(b"220 ready\r\n"),
                Tls,
            ],
        ),
        (
            Protocol::Imap,
            &[
                Say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
                Hear(b"a STARTTLS\r\n"),
                Say(b"* CAPABILITY IMAP4rev1\r\nA ok begin\r\n"),
                Tls,
            ],
        ),
        (Protocol::Pop3, &[Say(b"+OK pop\r\n"), Hear(b"STLS\r\n"), Say(b"+OK\r\n"), Tls]),
        (
            Protocol::Ftp,
            &[
                Say(b"120 soon\r\n220-hello\r\n 220 is our code\r\n220 ready\r\n"),
                Hear(b"AUTH TLS\r\n"),
                Say(b"234 go\r\n"),
                Tls,
            ],
        ),
        (
            Protocol::Ldap,
            &[
                Hear(b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"),
                Say(b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"), // slapd
                Tls,
            ],
        ),
        (
            Protocol::Ldap,
            &[
                Hear(b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"),
                Say(b"\x30\x84\0\0\0\x10\x02\x01\x01\x78\x84\0\0\0\x07\x0a\x01\x00\x04\x00\x04\x00"), // Active Directory
                Tls,
            ],
        ),
        (Protocol::Postgres, &[Hear(b"\0\0\0\x08\x04\xd2\x16\x2f"), Say(b"S"), Tls]),
        (Protocol::MySql, &[Say(MYSQL_GREETING), Hear(MYSQL_SSL_REQUEST), Tls]),
        (
            Protocol::Xmpp,
            &[
                Hear(
                    b"<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>",
                ),
                Say(b"<?xml version='1.0'?><stream:stream from='localhost' id='1'><stream:features>"),
                Say(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"),
                Hear(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
                Say(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
                Tls,
            ],
        ),
    ] {
        let Outcome { connection, failure, answer, .. } = attempt(protocol, steps).await;
        assert_eq!(failure, None, "{protocol}");
        assert_eq!(connection.kind(), Kind::Full, "{protocol}");
        // Whoever reads the connection from outside finds the TLS behind the dialogue.
        assert_eq!(connection.foreign, Default::default(), "{protocol}");
        assert_eq!(answer, protocol.greeting("localhost"), "{protocol}: it is said inside TLS");
    }
}

#[tokio::test]
async fn who_refuses_is_quoted() {
    for (protocol, steps, says) in [
        (
            Protocol::Smtp,
            &[Say(b"554 5.7.1 you are on a list\r\n"), Wait][..],
            "no TLS could be started: to the connection the server said \"554 5.7.1 you are on a list\"",
        ),
        (
            Protocol::Smtp,
            &[Say(b"220 hi\r\n"), Hear(lines::EHLO), Say(b"250-SIZE\r\n250 XSTARTTLSX\r\n"), Wait],
            "no TLS could be started: the server does not offer STARTTLS in its answer to EHLO",
        ),
        (
            Protocol::Smtp,
            &[
                Say(b"220 hi\r\n"),
                Hear(lines::EHLO),
                Say(b"250 STARTTLS\r\n"),
                Hear(b"STARTTLS\r\n"),
                Say(b"454 4.7.0 TLS not available\r\n"),
                Wait,
            ],
            "no TLS could be started: to STARTTLS the server said \"454 4.7.0 TLS not available\"",
        ),
        (
            Protocol::Imap,
            &[Say(b"* PREAUTH as root\r\n"), Wait],
            "no TLS could be started: to the connection the server said \"* PREAUTH as root\"",
        ),
        (
            Protocol::Imap,
            &[Say(b"* OK\r\n"), Hear(b"a STARTTLS\r\n"), Say(b"a BAD what?\r\n"), Wait],
            "no TLS could be started: to STARTTLS the server said \"a BAD what?\"",
        ),
        (
            Protocol::Pop3,
            &[Say(b"+OK\r\n"), Hear(b"STLS\r\n"), Say(b"-ERR no\r\n"), Wait],
            "no TLS could be started: to STLS the server said \"-ERR no\"",
        ),
        (
            Protocol::Ftp,
            &[Say(b"220 hi\r\n"), Hear(b"AUTH TLS\r\n"), Say(b"502 no\r\n"), Wait],
            "no TLS could be started: to AUTH TLS the server said \"502 no\"",
        ),
        (
            Protocol::Ldap,
            &[Say(b"\x30\x0f\x02\x01\x01\x78\x0a\x0a\x01\x02\x04\x00\x04\x03no!"), Wait],
            "no TLS could be started: to StartTLS the server said: result 2, \"no!\"",
        ),
        (
            Protocol::Ldap,
            &[Say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Wait],
            "no TLS could be started: to StartTLS the server said \"HTTP/1.1 400 Bad Request\"",
        ),
        (
            Protocol::Ldap,
            &[Say(b"\x30\x05\x02\x01\x01\x78\xff"), Wait],
            "no TLS could be started: to StartTLS the server said \"...x.\"",
        ),
        (
            Protocol::Postgres,
            &[Say(b"N"), Wait],
            "no TLS could be started: the server has TLS turned off: it said \"N\" to SSLRequest",
        ),
        (
            Protocol::Postgres,
            &[Say(b"E\0\0\0\x10SFATAL\0M!\0\0"), Wait],
            "no TLS could be started: to SSLRequest the server said \"E....SFATAL.M!..\"",
        ),
        (
            Protocol::MySql,
            &[Say(b"\x12\0\0\0\xff\x69\x04Host is blocked"), Wait],
            "no TLS could be started: to the connection the server said \"Host is blocked\"",
        ),
        (
            Protocol::MySql,
            &[Say(b"\x17\0\0\0\x0a5.7\0\x01\0\0\0nonce123\0\x00\x00\x21\x02\x00"), Wait],
            "no TLS could be started: the server's greeting does not offer TLS",
        ),
        (
            Protocol::Xmpp,
            &[Say(b"<stream:stream><stream:features><bind/></stream:features>"), Wait],
            "no TLS could be started: the server does not offer starttls among its features",
        ),
        (
            Protocol::Xmpp,
            &[Say(b"<stream:stream><stream:error><host-unknown/></stream:error>"), Wait],
            "no TLS could be started: to the stream the server said \"<host-unknown/>\"",
        ),
    ] {
        assert_eq!(failure(protocol, steps).await.to_string(), says, "{protocol}");
    }
}

#[tokio::test]
async fn nothing_may_follow_the_go_ahead_in_clear() {
    let steps = &[Say(b"+OK\r\n"), Hear(b"STLS\r\n"), Say(b"+OK\r\n+OK 1 message\r\n"), Wait];
    let found = failure(Protocol::Pop3, steps).await;
    assert!(matches!(&found, Failure::Dialogue(how) if how.contains("said \"+OK 1 message\" in clear")), "{found}");
}

#[tokio::test]
async fn a_server_that_comes_to_no_point_is_left() {
    for (steps, expected) in [
        (&[Wait][..], Failure::TimedOut(Stage::Dialogue)),
        (&[Say(b"220 he"), Wait], Failure::TimedOut(Stage::Dialogue)),
        (&[Say(b"220 he")], Failure::Ended(Stage::Dialogue)),
    ] {
        assert_eq!(failure(Protocol::Smtp, steps).await, expected);
    }
    for steps in [&[Repeat(b"220-more\r\n")][..], &[Repeat(b"x")]] {
        let found = failure(Protocol::Smtp, steps).await;
        assert!(matches!(&found, Failure::Dialogue(how) if how.starts_with("the server talks on and on")), "{found}");
    }
    let endless = failure(Protocol::MySql, &[Say(b"\xff\xff\xff\0"), Repeat(b"\x0a")]).await;
    assert!(matches!(endless, Failure::Dialogue(_)), "{endless}");
}

#[test]
fn names_are_those_of_openssl() {
    for protocol in Protocol::ALL {
        assert_eq!(protocol.as_str().parse(), Ok(*protocol));
    }
    assert_eq!(
        "telnet".parse::<Protocol>().unwrap_err().to_string(),
        "\"telnet\" is no protocol with STARTTLS: there are smtp, lmtp, imap, pop3, ftp, ldap, postgres, mysql, xmpp"
    );
}

async fn failure(protocol: Protocol, steps: &'static [Step]) -> Failure {
    attempt(protocol, steps).await.failure.expect("there is no TLS")
}

/// What comes of probing a server that goes through `steps`.
async fn attempt(protocol: Protocol, steps: &'static [Step]) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        serve(protocol, tcp, steps).await;
    });
    let target = Target::resolve(&format!("127.0.0.1:{port}"), Some("localhost")).await.unwrap().remove(0);
    let mut attempt = Attempt::new(&target, Versions::Any);
    attempt.starttls = Some(protocol);
    if matches!(steps.last(), Some(Wait)) {
        attempt.patience = Duration::from_millis(300);
    }
    attempt.speech = Speech::Ask { after: Duration::ZERO, request: protocol.greeting("localhost") };
    let outcome = attempt.run(&target, &Trust::insecure()).await;
    server.await.unwrap();
    outcome
}

async fn serve(protocol: Protocol, mut tcp: TcpStream, steps: &[Step]) {
    for step in steps {
        match step {
            Say(words) => tcp.write_all(words).await.unwrap(),
            Hear(words) => {
                let mut heard = vec![0; words.len()];
                tcp.read_exact(&mut heard).await.unwrap_or_else(|error| panic!("{protocol}: {heard:?}: {error}"));
                assert_eq!(heard, *words, "{protocol}: {:?}", String::from_utf8_lossy(&heard));
            }
            Repeat(words) => while tcp.write_all(words).await.is_ok() {},
            Wait => while tcp.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {},
            Tls => return echo(tcp, protocol.greeting("localhost").len()).await,
        }
    }
}

/// Says back inside TLS what it hears.
async fn echo(tcp: TcpStream, length: usize) {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let mut tls = TlsAcceptor::from(Arc::new(config)).accept(tcp).await.unwrap();
    let mut said = vec![0; length];
    tls.read_exact(&mut said).await.unwrap();
    tls.write_all(&said).await.unwrap();
    tls.shutdown().await.unwrap();
}

// MariaDB 10.11: protocol 10 | version | thread | nonce | capabilities 0xfffe | ...
const MYSQL_GREETING: &[u8] = b"\x23\0\0\0\x0a10.11.6-MariaDB\0\x01\0\0\0nonce123\0\xfe\xff\x2d\x02\x00";
const MYSQL_SSL_REQUEST: &[u8] = b"\x20\0\0\x01\0\x0a\0\0\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
