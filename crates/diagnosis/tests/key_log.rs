//! What rustls says, opened with what it logs: by a reader that has the whole log, and by one to which secrets come late.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use raincheck_diagnosis::evidence::{CloseNotify, Connection, Description, Kind, Offer, Version};
use raincheck_diagnosis::tcp::{Conversation, Opening};
use raincheck_diagnosis::tls::{KeyLog, Reader};
use raincheck_diagnosis::{Moment, Side};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, RootCertStore, ServerConfig, ServerConnection,
    SupportedCipherSuite,
};

/// Both ends, and what a test may change about them.
struct Setup {
    client: ClientConfig,
    server: ServerConfig,
    log: Arc<Log>,
}

/// What rustls logs, in both forms.
#[derive(Debug)]
struct Log {
    live: KeyLog,
    text: Mutex<String>,
}

impl rustls::KeyLog for Log {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.live.add(label, client_random, secret);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        *self.text.lock().unwrap() += &format!("{label} {} {}\n", hex(client_random), hex(secret));
    }
}

impl Setup {
    fn new(suite: SupportedCipherSuite) -> Self {
        let provider = CryptoProvider { cipher_suites: vec![suite], ..aws_lc_rs::default_provider() };
        Self::with(provider.clone(), provider, true)
    }

    fn with(client: CryptoProvider, server: CryptoProvider, trusts: bool) -> Self {
        let issued = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
        let certificate = CertificateDer::from(issued.cert);
        let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        if trusts {
            roots.add(certificate.clone()).unwrap();
        }
        let log = Arc::new(Log { live: KeyLog::growing(), text: Mutex::default() });
        let version = [client.cipher_suites[0].version()];
        let mut client = ClientConfig::builder_with_provider(client.into())
            .with_protocol_versions(&version)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.key_log = log.clone();
        client.resumption = Resumption::in_memory_sessions(8);
        let mut server = ServerConfig::builder_with_provider(server.into())
            .with_protocol_versions(&version)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        server.ticketer = aws_lc_rs::Ticketer::new().unwrap();
        Self { client, server, log }
    }

    /// Makes a connection, and reads it both ways.
    fn connect(&self) -> Connection {
        let wire = self.converse(Reader::with_key_log(opening(), self.log.live.clone()));
        let recorded = KeyLog::recorded();
        recorded.read(self.log.text.lock().unwrap().as_bytes());
        assert_eq!(recorded.bad_lines().count, 0);
        let mut reader = Reader::with_key_log(opening(), recorded);
        for (at, (side, bytes)) in wire.sent.iter().enumerate() {
            reader.data(*side, moment(at), bytes);
        }
        let (live, recorded) = (wire.live.into_connection(), reader.into_connection());
        assert_eq!(live, recorded);
        live
    }

    fn converse(&self, live: Reader) -> Wire {
        let name = ServerName::try_from("shop.example").unwrap();
        let client = ClientConnection::new(Arc::new(self.client.clone()), name).unwrap();
        let server = ServerConnection::new(Arc::new(self.server.clone())).unwrap();
        let mut wire = Wire { client, server, live, sent: Vec::new() };
        wire.converse();
        wire
    }
}

struct Wire {
    client: ClientConnection,
    server: ServerConnection,
    live: Reader,
    sent: Vec<(Side, Vec<u8>)>,
}

impl Wire {
    fn converse(&mut self) {
        if let Some(mut early) = self.client.early_data() {
            std::io::Write::write_all(&mut early, &[b'0'; 52]).unwrap();
        }
        if !self.pass() {
            return;
        }
        say(&mut self.client, b"ping");
        self.pass();
        say(&mut self.server, b"pong");
        self.pass();
        if self.client.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) {
            self.server.refresh_traffic_keys().unwrap();
        }
        say(&mut self.server, &[b'o'; 40_000]);
        self.pass();
        self.client.send_close_notify();
        self.pass();
        self.server.send_close_notify();
        self.pass();
    }

    /// Passes on what both have to say, until neither has. Whether both are content. The reader has it first, so that the
    /// secrets come after what they open.
    fn pass(&mut self) -> bool {
        let mut content = true;
        while self.client.wants_write() || self.server.wants_write() {
            for side in [Side::Client, Side::Server] {
                let mut bytes = Vec::new();
                match side {
                    Side::Client => drop(self.client.write_tls(&mut bytes).unwrap()),
                    Side::Server => drop(self.server.write_tls(&mut bytes).unwrap()),
                }
                self.live.data(side, moment(self.sent.len()), &bytes);
                content &= match side {
                    Side::Client => hear(&mut self.server, &bytes),
                    Side::Server => hear(&mut self.client, &bytes),
                };
                self.sent.push((side, bytes));
            }
        }
        content
    }
}

fn say<Data>(end: &mut ConnectionCommon<Data>, text: &[u8]) {
    std::io::Write::write_all(&mut end.writer(), text).unwrap();
}

fn hear<Data>(end: &mut ConnectionCommon<Data>, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        end.read_tls(&mut bytes).unwrap();
        let Ok(state) = end.process_new_packets() else { return false };
        let mut plain = vec![0; state.plaintext_bytes_to_read()];
        std::io::Read::read_exact(&mut end.reader(), &mut plain).unwrap();
    }
    true
}

fn opening() -> Opening {
    let address = |port| (std::net::Ipv4Addr::LOCALHOST, port).into();
    Opening { client: address(50_000), server: address(443), at: moment(0), from_the_start: true }
}

fn moment(packet: usize) -> Moment {
    Moment { packet: packet as u64, ..Moment::default() }
}

#[test]
fn tls13_is_read_through() {
    let suites = [
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    for suite in suites {
        let setup = Setup::new(suite);
        let full = setup.connect();
        assert_eq!((full.version(), full.kind()), (Some(Version::TLS13), Kind::Full));
        assert!(full.certificate.is_some_and(|length| length > 200) && !full.client_authentication);
        assert!(full.finished.client.is_some() && full.finished.server.is_some());
        assert_eq!((full.early_data, full.expected_tickets, full.tickets.len()), (Some(false), None, 2));
        assert!(full.tickets.iter().all(|ticket| ticket.age_add.is_some() && ticket.early_data.is_none()));
        closed_cleanly(&full);
        // What is offered next is one of those.
        let resumed = setup.connect();
        assert_eq!((resumed.kind(), resumed.certificate), (Kind::ResumedPsk, None));
        let Offer::Psk(offered) = resumed.offer() else { panic!("{:?}", resumed.offer()) };
        assert!(full.tickets.iter().any(|ticket| *ticket.ticket == *offered));
        closed_cleanly(&resumed);
    }
}

#[test]
fn tls12_alerts_are_read() {
    let suites = [
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    for suite in suites {
        let setup = Setup::new(suite);
        let kinds = [setup.connect(), setup.connect()].map(|seen| {
            closed_cleanly(&seen);
            (seen.version(), seen.kind())
        });
        assert_eq!(kinds, [Kind::Full, Kind::ResumedTicket].map(|kind| (Some(Version::TLS12), kind)));
    }
}

#[test]
fn early_data_does_not_disturb() {
    for accepted in [true, false] {
        let mut setup = Setup::new(cipher_suite::TLS13_AES_128_GCM_SHA256);
        setup.client.enable_early_data = true;
        setup.server.max_early_data_size = 1000;
        // Early data needs a server that remembers.
        setup.server.ticketer = Arc::new(NoTickets);
        let full = setup.connect();
        assert_eq!(full.tickets[0].early_data, Some(1000));
        if !accepted {
            setup.server.max_early_data_size = 0;
        }
        let resumed = setup.connect();
        assert_eq!((resumed.kind(), resumed.early_data), (Kind::ResumedPsk, Some(accepted)));
        // One record of early data has the size of Finished.
        assert!(resumed.client_hello.as_ref().is_some_and(|hello| hello.early_data));
        assert!(resumed.application.client.first.is_some_and(|first| first.packet == 0));
        closed_cleanly(&resumed);
    }
}

#[test]
fn a_retry_is_read_through() {
    let provider = |kx_groups| CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() };
    let client = provider(vec![kx_group::X25519, kx_group::SECP256R1]);
    let setup = Setup::with(client, provider(vec![kx_group::SECP256R1]), true);
    let seen = setup.connect();
    assert!(seen.retry);
    assert_eq!((seen.kind(), seen.tickets.len()), (Kind::Full, 2));
    closed_cleanly(&seen);
}

#[test]
fn an_encrypted_alert_is_read() {
    let provider = aws_lc_rs::default_provider();
    let setup = Setup::with(provider.clone(), provider, false);
    let seen = setup.connect();
    assert_eq!(seen.read_alerts().collect::<Vec<_>>(), [(Side::Client, Description(48))]);
    assert_eq!((seen.agreed(), seen.finished.client), (Kind::Full, None));
}

#[test]
fn what_does_not_open_is_told_by_its_size() {
    let setup = Setup::new(cipher_suite::TLS13_AES_128_GCM_SHA256);
    let wire = setup.converse(Reader::new(opening()));
    let text = setup.log.text.lock().unwrap().clone();
    let read = |text: &str| {
        let log = KeyLog::recorded();
        log.read(text.as_bytes());
        let mut reader = Reader::with_key_log(opening(), log);
        for (at, (side, bytes)) in wire.sent.iter().enumerate() {
            reader.data(*side, moment(at), bytes);
            assert!(reader.memory() < 100 << 10);
        }
        reader.into_connection()
    };
    // Every secret wrong in one digit.
    let wrong = text.lines().map(|line| {
        let (line, digit) = line.split_at(line.len() - 1);
        format!("{line}{}\n", if digit == "0" { "1" } else { "0" })
    });
    let seen = read(&wrong.collect::<String>());
    assert!(seen.unopened.client > 0 && seen.unopened.server > 0);
    assert_eq!((seen.kind(), seen.tickets.len()), (Kind::Full, 0));
    // Without the secrets of the handshake, those of the application open what they can.
    let application = text.lines().filter(|line| line.contains("TRAFFIC_SECRET_0"));
    let seen = read(&application.flat_map(|line| [line, "\n"]).collect::<String>());
    assert_eq!((seen.kind(), seen.tickets.len()), (Kind::Full, 2));
    // With none, as without a log; though it waits, within bounds, where they might have come.
    assert_eq!(read(""), *wire.live.connection());
    let [none, recorded] = [Reader::new(opening()), Reader::with_key_log(opening(), KeyLog::recorded())];
    assert_eq!(recorded.memory(), none.memory());
    let mut reader = Reader::with_key_log(opening(), KeyLog::growing());
    for (at, (side, bytes)) in wire.sent.iter().enumerate() {
        reader.data(*side, moment(at), bytes);
        assert!(reader.memory() < 200 << 10);
    }
    for _ in 0..100 {
        reader.data(Side::Server, moment(wire.sent.len()), &[&[23, 3, 3, 0x40, 0][..], &[7; 0x4000]].concat());
        assert!(reader.memory() < 200 << 10);
    }
    let seen = reader.into_connection();
    assert_eq!((seen.kind(), seen.unopened), (Kind::Full, Default::default()));
    assert_eq!(seen.application.server.records, wire.live.connection().application.server.records + 101);
}

#[test]
fn empty_records_wait_within_bounds_too() {
    let wire = Setup::new(cipher_suite::TLS13_AES_128_GCM_SHA256).converse(Reader::new(opening()));
    let mut reader = Reader::with_key_log(opening(), KeyLog::growing());
    let (side, hello) = &wire.sent[0];
    reader.data(*side, moment(0), hello);
    for at in 1..100_000 {
        reader.data(Side::Client, moment(at), &[23, 3, 3, 0, 0]);
        assert!(reader.memory() < 200 << 10, "{} bytes after {at} records", reader.memory());
    }
}

#[test]
fn a_side_that_was_captured_ahead_of_the_other_waits_for_it() {
    for suite in [cipher_suite::TLS13_AES_128_GCM_SHA256, cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256] {
        let setup = Setup::new(suite);
        let wire = setup.converse(Reader::new(opening()));
        let recorded = KeyLog::recorded();
        recorded.read(setup.log.text.lock().unwrap().as_bytes());
        let read = |ahead, size| {
            let mut reader = Reader::with_key_log(opening(), recorded.clone());
            let of = |wanted| wire.sent.iter().enumerate().filter(move |(_, (side, _))| *side == wanted);
            for (at, (side, bytes)) in
                of(Side::Client).take(ahead).chain(of(Side::Server)).chain(of(Side::Client).skip(ahead))
            {
                bytes.chunks(size).for_each(|piece| reader.data(*side, moment(at), piece));
            }
            reader.into_connection()
        };
        // All of the client, or its part of the handshake.
        for ahead in [usize::MAX, 2] {
            let seen = read(ahead, usize::MAX);
            assert_eq!(seen.kind(), Kind::Full);
            closed_cleanly(&seen);
            // The server's flight, read when the client's Finished is known, holds no tickets.
            assert!(seen.sealed.iter().all(|sealed| sealed.at >= seen.tickets[0].at));
            assert_eq!(read(ahead, 1), seen);
        }
    }
}

#[test]
fn records_behind_a_gap_are_opened() {
    for suite in [cipher_suite::TLS13_AES_128_GCM_SHA256, cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256] {
        let setup = Setup::new(suite);
        let wire = setup.converse(Reader::new(opening()));
        let mut reader = Reader::with_key_log(opening(), setup.log.live.clone());
        let lost = wire
            .sent
            .iter()
            .rposition(|(side, bytes)| *side == Side::Server && bytes.starts_with(&[23]) && bytes.len() > 30);
        for (at, (side, bytes)) in wire.sent.iter().enumerate() {
            if Some(at) == lost {
                let kept = if suite.version().version == rustls::ProtocolVersion::TLSv1_3 { 27 } else { 0 };
                reader.data(*side, moment(at), &bytes[..kept]);
                reader.gap(*side, moment(at), (bytes.len() - kept) as u64);
            } else {
                reader.data(*side, moment(at), bytes);
            }
        }
        let seen = reader.into_connection();
        assert!(seen.missing.server && matches!(seen.end.server.close_notify, CloseNotify::Sent(_)), "{:?}", seen.end);
    }
}

#[derive(Debug)]
struct NoTickets;

impl rustls::server::ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

fn closed_cleanly(seen: &Connection) {
    for side in [Side::Client, Side::Server] {
        assert!(matches!(seen.end[side].close_notify, CloseNotify::Sent(_)), "{side:?}: {:?}", seen.end[side]);
    }
    assert_eq!((seen.alerts.len(), seen.unopened, seen.missing), Default::default());
    assert!(seen.application.server.bytes > 40_000);
}
