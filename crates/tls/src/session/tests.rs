//! A rustls client and a session of ours, with nothing between them but memory.

mod encrypted_extensions;

use std::io::{Read, Write};
use std::sync::Mutex;
use std::time::Duration;

use raincheck_keyring::{KeyName, KeySize, Ring, Schedule, TicketKey, UnixTime};
use rustls::client::{ClientSessionMemoryCache, Resumption, Tls12Resumption};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ResolvesServerCert, ResolvesServerCertUsingSni, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};

use self::encrypted_extensions::ServerSecret;
use super::*;
use crate::buffer::Buffer;
use crate::endpoint::{Endpoint, Renewal, Rings, Settings};
use crate::hello::{self, ClientHello};
use crate::policy::{ClientAuthMode, Policy};
use crate::reason::{Kind, Reason};
use crate::session_cache::SessionCache;

/// A ring that the test turns.
struct TestRing(Mutex<Ring>);

impl TestRing {
    fn new() -> Arc<Self> {
        let now = UnixTime::from_millis(0);
        Arc::new(Self(Mutex::new(Ring::new(fresh_key(), Some(fresh_key()), now).unwrap())))
    }

    fn rotate(&self) {
        self.0.lock().unwrap().advance(UnixTime::from_millis(0), fresh_key(), 20).unwrap();
    }

    fn issuing(&self) -> KeyName {
        self.0.lock().unwrap().issuing().name()
    }
}

impl Rings for TestRing {
    fn ring(&self) -> Arc<Ring> {
        Arc::new(self.0.lock().unwrap().clone())
    }
}

fn fresh_key() -> TicketKey {
    TicketKey::generate(KeySize::Bits256, |bytes| aws_lc_rs::rand::fill(bytes).unwrap()).unwrap()
}

/// A server with a certificate for two names, and a client that trusts it.
struct World {
    ring: Arc<TestRing>,
    certified: Arc<CertifiedKey>,
    roots: RootCertStore,
    tickets: usize,
    tickets_on_resumption: usize,
    renewal: Renewal,
    session_cache: usize,
    schedule: Schedule,
    policy: Policy,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl World {
    fn new() -> Self {
        let names = vec!["a.example".to_owned(), "b.example".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let der = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let signing = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key.into()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(der.clone()).unwrap();
        let hour = Duration::from_secs(3600);
        Self {
            ring: TestRing::new(),
            certified: Arc::new(CertifiedKey::new(vec![der], signing)),
            roots,
            tickets: 2,
            tickets_on_resumption: 1,
            renewal: Renewal::Never,
            session_cache: 100,
            schedule: Schedule::new(hour, 18 * hour, 24 * hour).unwrap(),
            policy: Policy::new(ClientAuthMode::Off, vec![]),
            verifier: None,
        }
    }

    fn endpoint(&self) -> Arc<Endpoint> {
        let settings = Settings {
            rings: Arc::clone(&self.ring) as _,
            schedule: self.schedule,
            tickets: self.tickets,
            tickets_on_resumption: self.tickets_on_resumption,
            renewal: self.renewal,
            sessions: Arc::new(SessionCache::new(self.session_cache)),
            policy: self.policy.clone(),
            verifier: self.verifier.clone(),
        };
        let mut certificates = ResolvesServerCertUsingSni::new();
        for name in ["a.example", "b.example"] {
            certificates.add(name, (*self.certified).clone()).unwrap();
        }
        let certificates: Arc<dyn ResolvesServerCert> = Arc::new(certificates);
        Arc::new(Endpoint::new(settings, certificates, vec![], true).unwrap())
    }

    fn client(&self, version: &'static SupportedProtocolVersion, tls12: Tls12Resumption) -> ClientConfig {
        let mut config = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(32))).tls12_resumption(tls12);
        config
    }
}

/// What a connection came to.
#[derive(Debug)]
struct Seen {
    outcome: Outcome,
    /// Types of the plaintext handshake messages of the server's that were on the wire.
    server_messages: Vec<u8>,
    /// Bytes from the server between the end of the handshake and its first write.
    early: usize,
    /// Tickets the client got (TLS 1.3).
    tickets: u32,
}

/// Connects, lets the client write, then the server, then both close.
fn connect(endpoint: &Arc<Endpoint>, client: &Arc<ClientConfig>) -> Seen {
    connect_to(endpoint, client, "a.example")
}

fn connect_to(endpoint: &Arc<Endpoint>, client: &Arc<ClientConfig>, name: &'static str) -> Seen {
    let mut wire = Wire::new(endpoint, client, name);
    let outcome = wire.handshake();
    wire.client.writer().write_all(b"request").unwrap();
    let early = wire.exchange();
    assert_eq!(wire.plain.filled(), b"request");
    wire.write(b"answer");
    let mut answer = [0; 6];
    wire.client.reader().read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
    let tickets = wire.client.tls13_tickets_received();
    Seen { outcome, server_messages: wire.server_messages, early, tickets }
}

struct Wire {
    client: ClientConnection,
    endpoint: Arc<Endpoint>,
    session: Option<Session>,
    /// What the client sent and the server did not consume.
    received: Vec<u8>,
    plain: Buffer,
    outgoing: Buffer,
    server_messages: Vec<u8>,
    encrypted: bool,
}

impl Wire {
    fn new(endpoint: &Arc<Endpoint>, client: &Arc<ClientConfig>, name: &'static str) -> Self {
        Self {
            client: ClientConnection::new(Arc::clone(client), ServerName::try_from(name).unwrap()).unwrap(),
            endpoint: Arc::clone(endpoint),
            session: None,
            received: Vec::new(),
            plain: Buffer::default(),
            outgoing: Buffer::default(),
            server_messages: Vec::new(),
            encrypted: false,
        }
    }

    fn handshake(&mut self) -> Outcome {
        for _ in 0..10 {
            self.exchange();
            if let Some(outcome) = self.session.as_mut().unwrap().take_outcome() {
                return outcome;
            }
        }
        panic!("the handshake does not end");
    }

    /// Carries bytes both ways once; answers how many came from the server.
    fn exchange(&mut self) -> usize {
        self.client.write_tls(&mut self.received).unwrap();
        let session = self.session.get_or_insert_with(|| {
            let hello::Read::Hello(hello) = hello::read(&self.received) else {
                panic!("no ClientHello");
            };
            self.endpoint.connection(Some(&hello)).unwrap()
        });
        self.plain.clear();
        self.outgoing.clear();
        for part in self.received.chunks(PART) {
            let mut incoming = [session.engine().unread(), part].concat();
            session.feed(&mut incoming, &mut self.plain, &mut self.outgoing).unwrap();
            // Another connection of this thread has its turn, and finds nothing of ours.
            assert!(client_chain::take_verified().is_none());
        }
        self.received.clear();
        self.deliver()
    }

    fn write(&mut self, answer: &[u8]) {
        self.outgoing.clear();
        self.session.as_mut().unwrap().engine_mut().write(answer, &mut self.outgoing).unwrap();
        self.deliver();
    }

    fn deliver(&mut self) -> usize {
        let sent = self.outgoing.filled().to_vec();
        self.record_messages(&sent);
        let mut rest = sent.as_slice();
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).unwrap();
            self.client.process_new_packets().unwrap();
        }
        sent.len()
    }

    /// Walks the server's records until they are encrypted.
    fn record_messages(&mut self, mut records: &[u8]) {
        while let [kind, _, _, hi, lo, rest @ ..] = records {
            let (mut fragment, rest) = rest.split_at(usize::from(u16::from_be_bytes([*hi, *lo])));
            self.encrypted |= *kind == 20;
            while let [message, a, b, c, body @ ..] = fragment {
                if *kind != 22 || self.encrypted {
                    break;
                }
                self.server_messages.push(*message);
                fragment = &body[u32::from_be_bytes([0, *a, *b, *c]) as usize..];
            }
            records = rest;
        }
    }
}

const NEW_SESSION_TICKET: u8 = 4;

/// How many bytes the server gets at once: flights, and messages, come apart.
const PART: usize = 100;

#[test]
fn each_way_of_resuming_resumes() {
    let cases = [
        (&TLS13, Tls12Resumption::SessionIdOrTickets, 2, Kind::Psk),
        (&TLS12, Tls12Resumption::SessionIdOrTickets, 2, Kind::Ticket),
        (&TLS12, Tls12Resumption::SessionIdOnly, 2, Kind::SessionId),
        (&TLS12, Tls12Resumption::SessionIdOrTickets, 0, Kind::SessionId),
    ];
    for (version, tls12, tickets, kind) in cases {
        let world = World { tickets, ..World::new() };
        let (endpoint, client) = (world.endpoint(), Arc::new(world.client(version, tls12)));
        let first = connect(&endpoint, &client).outcome;
        assert_eq!((first.kind, first.reason), (Kind::Full, Some(Reason::NotOffered)));
        for _ in 0..3 {
            let next = connect(&endpoint, &client).outcome;
            assert_eq!((next.kind, next.reason), (kind, None));
            assert_eq!(next.key_name, (kind != Kind::SessionId).then(|| world.ring.issuing()));
        }
    }
}

#[test]
fn tls13_tickets_wait_for_the_first_write() {
    let world = World::new();
    let (endpoint, client) = (world.endpoint(), Arc::new(world.client(&TLS13, Tls12Resumption::Disabled)));
    let full = connect(&endpoint, &client);
    assert_eq!((full.early, full.tickets), (0, 2));
    let resumed = connect(&endpoint, &client);
    assert_eq!((resumed.early, resumed.tickets), (0, 1));
}

#[test]
fn tickets_on_resumption_can_be_none() {
    let world = World { tickets_on_resumption: 0, ..World::new() };
    let (endpoint, client) = (world.endpoint(), Arc::new(world.client(&TLS13, Tls12Resumption::Disabled)));
    connect(&endpoint, &client);
    assert_eq!(connect(&endpoint, &client).tickets, 0);
}

#[test]
fn a_client_may_ask_for_a_number_of_tickets() {
    let world = World::new();
    let mut client = world.client(&TLS13, Tls12Resumption::Disabled);
    client.send_ticket_request = Some(rustls::client::TicketRequest { new_session_count: 5, resumption_count: 3 });
    let (endpoint, client) = (world.endpoint(), Arc::new(client));
    assert_eq!(connect(&endpoint, &client).tickets, 5);
    assert_eq!(connect(&endpoint, &client).tickets, 3);
}

/// RFC 9149 §3: who asks is told what to expect, and gets that; who does not ask is told nothing.
#[test]
fn a_client_that_asks_for_tickets_is_told_how_many_will_come() {
    const TICKET_REQUEST: u16 = 58;
    let asked = |new_session_count, resumption_count| {
        Some(rustls::client::TicketRequest { new_session_count, resumption_count })
    };
    for (request, full, resumed) in [
        (asked(5, 3), Some(vec![5]), Some(vec![3])),
        (asked(1, 0), Some(vec![1]), Some(vec![0])),
        (asked(200, 200), Some(vec![8]), Some(vec![8])),
        (None, None, None),
    ] {
        let world = World::new();
        let secret = Arc::new(ServerSecret::default());
        let mut client = world.client(&TLS13, Tls12Resumption::Disabled);
        (client.send_ticket_request, client.key_log) = (request, Arc::clone(&secret) as _);
        let (endpoint, client) = (world.endpoint(), Arc::new(client));
        for (kind, expected) in [(Kind::Full, full), (Kind::Psk, resumed)] {
            let mut wire = Wire::new(&endpoint, &client, "a.example");
            wire.exchange();
            let told = secret.extension(wire.outgoing.filled(), TICKET_REQUEST);
            assert_eq!(told, expected, "{kind:?}");
            assert_eq!(wire.handshake().kind, kind);
            wire.write(b"answer");
            if let Some(count) = told {
                assert_eq!(wire.client.tls13_tickets_received(), u32::from(count[0]));
            }
        }
    }
}

#[test]
fn tls12_is_renewed_inline_only_when_asked_and_only_under_an_older_key() {
    for (renewal, rotated, renewed) in
        [(Renewal::Never, true, false), (Renewal::Inline, true, true), (Renewal::Inline, false, false)]
    {
        let world = World { renewal, ..World::new() };
        let (endpoint, client) =
            (world.endpoint(), Arc::new(world.client(&TLS12, Tls12Resumption::SessionIdOrTickets)));
        let full = connect(&endpoint, &client);
        assert!(full.server_messages.contains(&NEW_SESSION_TICKET));
        if rotated {
            world.ring.rotate();
        }
        let resumed = connect(&endpoint, &client);
        assert_eq!(resumed.outcome.kind, Kind::Ticket);
        assert_eq!(resumed.server_messages.contains(&NEW_SESSION_TICKET), renewed, "{renewal:?} {rotated}");
    }
}

/// A full handshake after a refusal issues a new ticket, and with that the next one resumes.
fn refused_then_resumes(endpoint: &Arc<Endpoint>, client: &Arc<ClientConfig>, reason: Reason) {
    let refused = connect(endpoint, client);
    assert_eq!((refused.outcome.kind, refused.outcome.reason), (Kind::Full, Some(reason)));
    assert_ne!(connect(endpoint, client).outcome.kind, Kind::Full);
}

#[test]
fn a_ticket_under_a_lost_key_is_refused_by_name() {
    for version in [&TLS12, &TLS13] {
        let world = World::new();
        let client = Arc::new(world.client(version, Tls12Resumption::SessionIdOrTickets));
        connect(&world.endpoint(), &client);
        let lost = world.ring.issuing();
        let other = World { ring: TestRing::new(), ..world };
        let refused = connect(&other.endpoint(), &client).outcome;
        assert_eq!((refused.reason, refused.key_name), (Some(Reason::UnknownKey), Some(lost)));
    }
}

#[test]
fn another_policy_refuses_and_issues_anew() {
    for version in [&TLS12, &TLS13] {
        let world = World::new();
        let client = Arc::new(world.client(version, Tls12Resumption::SessionIdOrTickets));
        connect(&world.endpoint(), &client);
        let other = World { policy: Policy::new(ClientAuthMode::Optional, vec![[1; 32]]), ..world };
        refused_then_resumes(&other.endpoint(), &client, Reason::OtherPolicy);
    }
}

#[test]
fn a_chain_ends() {
    let world = World::new();
    let client = Arc::new(world.client(&TLS13, Tls12Resumption::Disabled));
    connect(&world.endpoint(), &client);
    let short = World { schedule: Schedule { chain: Duration::from_nanos(1), ..world.schedule }, ..world };
    let refused = connect(&short.endpoint(), &client).outcome;
    assert_eq!(refused.reason, Some(Reason::ChainTooOld));
}

#[test]
fn client_certificates_are_verified_again() {
    let made = rcgen::generate_simple_self_signed(vec!["client".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut trusted = RootCertStore::empty();
    trusted.add(made.cert.der().clone()).unwrap();
    let mut others = RootCertStore::empty();
    let other = rcgen::generate_simple_self_signed(vec!["other".to_owned()]).unwrap();
    others.add(other.cert.der().clone()).unwrap();
    let verifier = |roots| WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    for version in [&TLS12, &TLS13] {
        let world = World {
            verifier: Some(verifier(trusted.clone())),
            policy: Policy::new(ClientAuthMode::Required, vec![[1; 32]]),
            ..World::new()
        };
        let mut client = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(world.roots.clone())
            .with_client_auth_cert(vec![made.cert.der().clone()], key.clone_key().into())
            .unwrap();
        client.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(32)));
        let client = Arc::new(client);
        connect(&world.endpoint(), &client);
        for _ in 0..3 {
            // The chain is carried along in the tickets that a resumption brings.
            assert_ne!(connect(&world.endpoint(), &client).outcome.kind, Kind::Full);
        }
        // The same policy as far as its digest goes, but the certificate is trusted no more.
        let strict = World { verifier: Some(verifier(others.clone())), ..world };
        let mut wire = Wire::new(&strict.endpoint(), &client, "a.example");
        wire.client.write_tls(&mut wire.received).unwrap();
        let hello::Read::Hello(hello) = hello::read(&wire.received) else {
            panic!("no ClientHello");
        };
        let mut session = strict.endpoint().connection(Some(&hello)).unwrap();
        session.feed(&mut wire.received, &mut wire.plain, &mut wire.outgoing).unwrap();
        // It is full: the server shows its own certificate, and asks for the client's.
        wire.deliver();
        assert_eq!(wire.client.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

/// Bytes before any ClientHello, and the description of the alert they get.
#[test]
fn what_is_no_hello_gets_its_alert() {
    const UNEXPECTED_MESSAGE: u8 = 10;
    const RECORD_OVERFLOW: u8 = 22;
    const DECODE_ERROR: u8 = 50;
    const PROTOCOL_VERSION: u8 = 70;
    let cases: [(&[u8], u8); 10] = [
        (b"GET / HTTP/1.1\r\n\r\n", UNEXPECTED_MESSAGE),
        (&[22, 3, 1, 0, 0], UNEXPECTED_MESSAGE),              // an empty record
        (&[23, 3, 3, 0, 1, 0], UNEXPECTED_MESSAGE),           // application data
        (&[20, 3, 3, 0, 1, 1], UNEXPECTED_MESSAGE),           // ChangeCipherSpec
        (&[20, 3, 3, 0, 1, 2], UNEXPECTED_MESSAGE),           // one that is none
        (&[22, 3, 1, 0, 4, 20, 0, 0, 0], UNEXPECTED_MESSAGE), // Finished
        (&[22, 3, 1, 0, 1, 1, 23, 3, 3, 0, 1, 0], UNEXPECTED_MESSAGE), // a message with something else in it
        (&[22, 3, 1, 0xff, 0xff], RECORD_OVERFLOW),
        (&[22, 2, 0, 0, 1, 1], PROTOCOL_VERSION),
        (&[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff], DECODE_ERROR),
    ];
    let world = World::new();
    for (bytes, description) in cases {
        let mut session = world.endpoint().connection(None::<&ClientHello>).unwrap();
        let (mut plain, mut outgoing) = (Buffer::default(), Buffer::default());
        session.feed(&mut bytes.to_vec(), &mut plain, &mut outgoing).unwrap_err();
        assert_eq!(outgoing.filled(), [21, 3, 3, 0, 2, 2, description], "{bytes:?}");
    }
}

#[test]
fn an_alert_is_not_answered() {
    let world = World::new();
    let mut session = world.endpoint().connection(None::<&ClientHello>).unwrap();
    let (mut plain, mut outgoing) = (Buffer::default(), Buffer::default());
    let error = session.feed(&mut [21, 3, 3, 0, 2, 2, 40], &mut plain, &mut outgoing).unwrap_err();
    assert!(matches!(error, Error::AlertReceived(_)), "{error}");
    assert!(outgoing.is_empty());
}

#[test]
fn close_notify_comes_behind_held_tickets() {
    let world = World::new();
    let (endpoint, client) = (world.endpoint(), Arc::new(world.client(&TLS13, Tls12Resumption::Disabled)));
    let mut wire = Wire::new(&endpoint, &client, "a.example");
    wire.handshake();
    wire.outgoing.clear();
    let session = wire.session.as_mut().unwrap();
    session.engine_mut().close(&mut wire.outgoing).unwrap();
    wire.deliver();
    // The tickets that were held come with it, and the client can tell that this was all.
    assert_eq!(wire.client.tls13_tickets_received(), 2);
    assert_eq!(wire.client.reader().read(&mut [0; 1]).unwrap(), 0);
}

/// rustls counts on its buffer: an empty one in its place made it panic.
#[test]
fn half_a_handshake_message_does_not_stop_writing() {
    let world = World::new();
    let (endpoint, client) = (world.endpoint(), Arc::new(world.client(&TLS12, Tls12Resumption::Disabled)));
    let mut wire = Wire::new(&endpoint, &client, "a.example");
    wire.client.write_tls(&mut wire.received).unwrap();
    let hello::Read::Hello(hello) = hello::read(&wire.received) else {
        panic!("no ClientHello");
    };
    // Cut in two records, of which the first one is there.
    let (first, _) = wire.received.split_at(105);
    let mut half = [&[22, 3, 1, 0, 100], &first[5..]].concat();
    let mut session = endpoint.connection(Some(&hello)).unwrap();
    session.feed(&mut half, &mut wire.plain, &mut wire.outgoing).unwrap();
    assert_eq!(session.engine().unread().len(), 105);
    assert!(session.engine_mut().write(b"early", &mut wire.outgoing).is_err());
}
