//! A session of ours and a rustls server, with nothing between them but memory.

use std::io::{Read, Write};
use std::time::Duration;

use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::sessions::{Bounds, Gained};
use super::*;
use crate::buffer::Buffer;
use crate::engine::Side;
use crate::reason::Kind;

/// A certificate, the key it is for, and a client that trusts it.
struct World {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    settings: ConnectorSettings,
}

impl World {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let chain = vec![made.cert.der().clone()];
        let mut roots = RootCertStore::empty();
        roots.add(chain[0].clone()).unwrap();
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
        let settings =
            ConnectorSettings { verifier: verifier.build().unwrap(), identity: None, alpn: vec![], tls12: true };
        Self { chain, key: PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into(), settings }
    }

    /// A server with keys of its own: what another one issued, it refuses.
    fn server(&self, version: &'static SupportedProtocolVersion, keeps: Keeps) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_protocol_versions(&[version])
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .unwrap();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match keeps {
            Keeps::Nothing => {}
            Keeps::Tickets => config.ticketer = Ticketer::new().unwrap(),
            Keeps::Ids => config.session_storage = ServerSessionMemoryCache::new(16),
        }
        Arc::new(config)
    }

    fn connector(&self, sessions: usize) -> Connector {
        Connector::new(&self.settings, ServerName::try_from("a.example").unwrap(), sessions).unwrap()
    }
}

#[derive(Copy, Clone)]
enum Keeps {
    Nothing,
    Tickets,
    Ids,
}

/// A connection, whose client has begun with its ClientHello.
struct Wire {
    client: ClientSession,
    server: ServerConnection,
    plain: Buffer,
    outgoing: Buffer,
}

impl Wire {
    fn new(connector: &Connector, server: &Arc<ServerConfig>) -> Self {
        let mut wire = Self {
            client: connector.connection().unwrap(),
            server: ServerConnection::new(Arc::clone(server)).unwrap(),
            plain: Buffer::default(),
            outgoing: Buffer::default(),
        };
        wire.feed(&[]).unwrap();
        wire
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut incoming = [self.client.engine().unread(), bytes].concat();
        self.client.feed(&mut incoming, &mut self.plain, &mut self.outgoing).map(|_| ())
    }

    /// Carries bytes both ways until there are none.
    fn exchange(&mut self) {
        loop {
            let mut to_server = self.outgoing.filled();
            while !to_server.is_empty() {
                self.server.read_tls(&mut to_server).unwrap();
                self.server.process_new_packets().unwrap();
            }
            self.outgoing.clear();
            let mut to_client = Vec::new();
            while self.server.wants_write() {
                self.server.write_tls(&mut to_client).unwrap();
            }
            if to_client.is_empty() {
                return;
            }
            self.feed(&to_client).unwrap();
        }
    }

    /// The handshake, and a request with its answer.
    fn finish(mut self) -> ClientOutcome {
        self.exchange();
        let outcome = self.client.take_outcome().unwrap();
        self.client.engine_mut().write(b"request", &mut self.outgoing).unwrap();
        self.server.writer().write_all(b"answer").unwrap();
        self.exchange();
        let mut request = [0; 7];
        self.server.reader().read_exact(&mut request).unwrap();
        assert_eq!((&request, self.plain.filled()), (b"request", &b"answer"[..]));
        outcome
    }
}

fn visit(connector: &Connector, server: &Arc<ServerConfig>) -> ClientOutcome {
    Wire::new(connector, server).finish()
}

#[test]
fn each_way_of_resuming_resumes() {
    let world = World::new();
    let ways = [
        (&TLS12, Keeps::Ids, Kind::SessionId),
        (&TLS12, Keeps::Tickets, Kind::Ticket),
        (&TLS13, Keeps::Tickets, Kind::Psk),
    ];
    for (version, keeps, kind) in ways {
        let (server, connector) = (world.server(version, keeps), world.connector(4));
        let full = ClientOutcome { version: version.version, kind: Kind::Full, refused: false };
        assert_eq!(visit(&connector, &server), full);
        for _ in 0..10 {
            assert_eq!(visit(&connector, &server), ClientOutcome { kind, ..full });
        }
    }
}

#[test]
fn without_room_for_sessions_every_handshake_is_full() {
    let world = World::new();
    let (server, connector) = (world.server(&TLS13, Keeps::Tickets), world.connector(0));
    for _ in 0..3 {
        assert_eq!(visit(&connector, &server).kind, Kind::Full);
    }
    assert!(connector.sessions().is_empty());
}

#[test]
fn tls13_tickets_are_used_once_and_several_are_kept() {
    let world = World::new();
    let (server, connector) = (world.server(&TLS13, Keeps::Tickets), world.connector(3));
    visit(&connector, &server);
    let kept = connector.sessions().len();
    assert!((2..=3).contains(&kept), "{kept}");
    let begun: Vec<_> = (0..kept + 1).map(|_| Wire::new(&connector, &server)).collect();
    assert_eq!(connector.sessions().len(), 0);
    let kinds: Vec<_> = begun.into_iter().map(|wire| wire.finish().kind).collect();
    assert_eq!(kinds, [vec![Kind::Psk; kept], vec![Kind::Full]].concat());
    for _ in 0..10 {
        visit(&connector, &server);
        assert!(connector.sessions().len() <= 3);
    }
}

#[test]
fn a_tls12_session_serves_connections_in_parallel() {
    let world = World::new();
    for keeps in [Keeps::Ids, Keeps::Tickets] {
        let (server, connector) = (world.server(&TLS12, keeps), world.connector(1));
        visit(&connector, &server);
        let begun: Vec<_> = (0..8).map(|_| Wire::new(&connector, &server)).collect();
        for wire in begun {
            assert_ne!(wire.finish().kind, Kind::Full);
        }
    }
}

#[test]
fn what_the_server_refused_is_dropped() {
    let world = World::new();
    for (version, keeps) in [(&TLS12, Keeps::Ids), (&TLS12, Keeps::Tickets)] {
        let connector = world.connector(4);
        visit(&connector, &world.server(version, keeps));
        assert_eq!(connector.sessions().len(), 1);
        let keeps_nothing = world.server(version, Keeps::Nothing);
        assert!(visit(&connector, &keeps_nothing).refused);
        assert!(connector.sessions().is_empty());
        assert!(!visit(&connector, &keeps_nothing).refused);
    }
    let connector = world.connector(4);
    visit(&connector, &world.server(&TLS13, Keeps::Tickets));
    let other_keys = world.server(&TLS13, Keeps::Tickets);
    assert!(visit(&connector, &other_keys).refused);
    assert_eq!(visit(&connector, &other_keys).kind, Kind::Psk);
}

#[test]
fn what_ended_in_a_fatal_alert_is_dropped() {
    let world = World::new();
    for (version, keeps) in [(&TLS12, Keeps::Ids), (&TLS12, Keeps::Tickets), (&TLS13, Keeps::Tickets)] {
        let (server, connector) = (world.server(version, keeps), world.connector(4));
        let mut wire = Wire::new(&connector, &server);
        wire.exchange();
        assert!(!connector.sessions().is_empty());
        wire.feed(b"\x17\x03\x03\x00\x20no record of this connection's..").unwrap_err();
        assert!(connector.sessions().is_empty());

        // During a handshake: a server that does not like what it was offered, and says so.
        visit(&connector, &server);
        let mut offering = Wire::new(&connector, &server);
        offering.feed(b"\x15\x03\x03\x00\x02\x02\x28").unwrap_err();
        let left = connector.sessions().len();
        assert!(left == 0 || *version == TLS13, "{left} of {version:?}");
    }
}

#[test]
fn a_session_ends_with_the_certificate_behind_it() {
    let world = World::new();
    for (version, keeps) in [(&TLS12, Keeps::Tickets), (&TLS13, Keeps::Tickets)] {
        let connector = world.connector(4);
        visit(&connector, &world.server(version, keeps));
        let after_all = UnixTime::since_unix_epoch(Duration::from_secs(1 << 40));
        assert!(connector.sessions().tls12(after_all).is_none());
        assert!(connector.sessions().take_tls13(after_all).is_none());
        assert!(connector.sessions().is_empty());
    }
}

#[test]
fn a_session_that_is_too_large_is_not_kept_and_many_large_ones_have_a_limit() {
    let world = World::new();
    let server = world.server(&TLS13, Keeps::Tickets);
    let mut tickets = std::iter::repeat_with(|| {
        let connector = world.connector(1);
        visit(&connector, &server);
        connector.sessions().take_tls13(UnixTime::now()).unwrap().value
    });
    let sessions = Sessions::new(64);
    let mut insert = |size| {
        let gained = Gained::Tls13(tickets.next().unwrap());
        sessions.insert(gained, Bounds { size, certificate_ends: None }).is_some()
    };
    assert!(!insert(60 * 1024));
    for _ in 0..12 {
        assert!(insert(30 * 1024));
    }
    assert_eq!(sessions.len(), 8);
}
