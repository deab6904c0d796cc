//! A server's stream on a socket, with a client of rustls at the other end of it.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use raincheck_keyring::{KeySize, Ring, Schedule, TicketKey, UnixTime};
use raincheck_tls::engine::Side;
use raincheck_tls::{
    Buffer, ClientAuthMode, Closed, Closing, Endpoint, Policy, Renewal, Rings, ServerStream, Session, SessionCache,
    Settings,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::ResolvesServerCertUsingSni;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

const NAME: &str = "a.example";
const TICKETS: usize = 2;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A ring that stays as it is.
struct Still(Arc<Ring>);

impl Rings for Still {
    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0)
    }
}

/// A client whose handshake is over.
struct Client {
    tls: ClientConnection,
    socket: TcpStream,
}

impl Client {
    fn connect(address: SocketAddr, config: ClientConfig) -> Self {
        let mut tls = ClientConnection::new(Arc::new(config), ServerName::try_from(NAME).unwrap()).unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut socket).unwrap();
        }
        Self { tls, socket }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.tls.writer().write_all(bytes).unwrap();
        self.send();
    }

    fn close_notify(&mut self) {
        self.tls.send_close_notify();
        self.send();
    }

    fn send(&mut self) {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket).unwrap();
        }
    }

    /// Waits for something to come.
    fn receive(&mut self) {
        assert_ne!(self.tls.read_tls(&mut self.socket).unwrap(), 0);
        self.tls.process_new_packets().unwrap();
    }
}

/// Both ends of a connection.
async fn connected(version: &'static SupportedProtocolVersion) -> (ServerStream, Client) {
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let endpoint = endpoint(certificate.clone(), PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config =
        ClientConfig::builder_with_protocol_versions(&[version]).with_root_certificates(roots).with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = spawn_blocking(move || Client::connect(address, config));
    let (tcp, _) = listener.accept().await.unwrap();
    let accepted = ServerStream::accept(tcp, &endpoint, Vec::new()).await.unwrap();
    (accepted.stream, client.await.unwrap())
}

fn endpoint(certificate: CertificateDer<'static>, key: PrivatePkcs8KeyDer<'static>) -> Arc<Endpoint> {
    let fresh = || TicketKey::generate(KeySize::Bits256, |bytes| aws_lc_rs::rand::fill(bytes).unwrap()).unwrap();
    let ring = Ring::new(fresh(), Some(fresh()), UnixTime::from_millis(0)).unwrap();
    let hour = Duration::from_secs(3600);
    let settings = Settings {
        rings: Arc::new(Still(Arc::new(ring))),
        schedule: Schedule::new(hour, 18 * hour, 24 * hour).unwrap(),
        tickets: TICKETS,
        tickets_on_resumption: 1,
        renewal: Renewal::Never,
        sessions: Arc::new(SessionCache::new(10)),
        policy: Policy::new(ClientAuthMode::Off, vec![]),
        verifier: None,
    };
    let signing = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key.into()).unwrap();
    let mut certificates = ResolvesServerCertUsingSni::new();
    certificates.add(NAME, CertifiedKey::new(vec![certificate], signing)).unwrap();
    Arc::new(Endpoint::new(settings, Arc::new(certificates), vec![], true).unwrap())
}

#[tokio::test]
async fn tickets_can_be_sent_before_anything_is_written() {
    let (mut stream, mut client) = connected(&TLS13).await;
    assert_eq!(client.tls.tls13_tickets_received(), 0);
    assert_ne!(stream.session().engine().held(), 0);
    stream.send_tickets().unwrap();
    assert_eq!(stream.session().engine().held(), 0);
    let client = spawn_blocking(move || {
        while client.tls.tls13_tickets_received() < TICKETS as u32 {
            client.receive();
        }
        client
    });
    let mut client = client.await.unwrap();
    // They do not come again, and what is written comes behind them.
    stream.send_tickets().unwrap();
    stream.write(b"answer", &mut Buffer::default()).unwrap();
    client.receive();
    let mut answer = [0; 6];
    client.tls.reader().read_exact(&mut answer).unwrap();
    assert_eq!((&answer, client.tls.tls13_tickets_received()), (b"answer", TICKETS as u32));
}

#[tokio::test]
async fn in_tls12_no_tickets_are_left_to_send() {
    let (mut stream, mut client) = connected(&TLS12).await;
    assert_eq!(stream.session().engine().held(), 0);
    stream.send_tickets().unwrap();
    stream.write(b"answer", &mut Buffer::default()).unwrap();
    client.receive();
    let mut answer = [0; 6];
    client.tls.reader().read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
}

fn closing(stream: ServerStream) -> Closing<Session> {
    stream.close(&mut Buffer::default())
}

#[tokio::test]
async fn finishing_ends_as_the_client_does() {
    for version in [&TLS12, &TLS13] {
        let (stream, mut client) = connected(version).await;
        client.write(b"nobody reads this");
        client.close_notify();
        assert_eq!(closing(stream).finish(PATIENCE).await, Some(Closed::Clean));

        let (stream, client) = connected(version).await;
        client.socket.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(closing(stream).finish(PATIENCE).await, Some(Closed::Truncated));

        // The client waits for our end, and gets all of it.
        let (mut stream, mut client) = connected(version).await;
        stream.write(&[7; 1 << 20], &mut Buffer::default()).unwrap();
        let client = spawn_blocking(move || {
            let mut received = 0;
            loop {
                match client.tls.reader().read(&mut [0; 16 * 1024]) {
                    Ok(0) => break,
                    Ok(count) => received += count,
                    Err(_) => client.receive(),
                }
            }
            client.close_notify();
            received
        });
        assert_eq!(closing(stream).finish(PATIENCE).await, Some(Closed::Clean));
        assert_eq!(client.await.unwrap(), 1 << 20);
    }
}

#[tokio::test]
async fn finishing_takes_no_longer_than_it_may() {
    const LIMIT: Duration = Duration::from_millis(200);
    let bounded = async |stream: ServerStream, what: &str| {
        let start = Instant::now();
        assert_eq!(closing(stream).finish(LIMIT).await, None, "{what}");
        let elapsed = start.elapsed();
        assert!(elapsed >= LIMIT && elapsed < PATIENCE, "{what}: {elapsed:?}");
    };
    for version in [&TLS12, &TLS13] {
        let (stream, _client) = connected(version).await;
        bounded(stream, "a silent client").await;

        let (mut stream, _client) = connected(version).await;
        // More than the buffers between us hold.
        stream.write(&vec![0; 32 << 20], &mut Buffer::default()).unwrap();
        bounded(stream, "a client that does not read").await;

        let (stream, mut client) = connected(version).await;
        let talker = spawn_blocking(move || {
            // Until the server has had enough.
            while client.tls.writer().write_all(&[0; 1024]).is_ok() {
                while client.tls.wants_write() {
                    if client.tls.write_tls(&mut client.socket).is_err() {
                        return;
                    }
                }
            }
        });
        bounded(stream, "a client that does not stop").await;
        talker.await.unwrap();
    }
}
