//! One connection, from its first byte to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use raincheck_diagnosis::Side;
use raincheck_diagnosis::diagnose::client::Scenario;
use raincheck_diagnosis::evidence::Version;
use rustls::{Error, ServerConnection};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout_at};

use super::Server;
use super::answer::{self, Answer};
use super::clients::Place;
use super::request::{self, Request};
use super::sessions::Sessions;
use super::wire::Wire;

/// Serves a connection of a scenario, or of the page.
pub(super) async fn serve(server: &Server, scenario: Option<Scenario>, tcp: TcpStream, client: SocketAddr) {
    let Ok(wire) = Wire::new(tcp, client) else { return };
    let mut visit = Visit { server, scenario, wire, place: None, deadline: Instant::now() + PATIENCE };
    visit.run().await;
    if let Some(place) = &visit.place {
        place.leave(visit.wire.evidence());
    }
}

/// A connection in the making.
struct Visit<'s> {
    server: &'s Server,
    /// None for the page.
    scenario: Option<Scenario>,
    wire: Wire,
    /// Once there is a ClientHello, of a connection that counts.
    place: Option<Place>,
    deadline: Instant,
}

/// The TLS of a connection.
struct Tls {
    connection: ServerConnection,
    sessions: Arc<Sessions>,
    /// The application's bytes up to now.
    heard: Vec<u8>,
}

impl Visit<'_> {
    async fn run(&mut self) {
        let Some(received) = self.hello().await else { return };
        if self.refuses() {
            // rustls has no words for versions it does not know, unless the rest of the ClientHello pleases it.
            let _ = self.wire.send(&PROTOCOL_VERSION).await;
            return self.end(None).await;
        }
        let Some(mut tls) = self.tls() else { return };
        if self.digest(&mut tls, &received).await.is_ok() {
            self.converse(&mut tls).await;
        }
        self.end(Some(&mut tls)).await;
    }

    /// Reads up to the end of the ClientHello, and gives what was received; none if there will be none.
    async fn hello(&mut self) -> Option<Vec<u8>> {
        let mut received = Vec::new();
        while self.wire.seen().client_hello.is_none() {
            let bytes = self.receive().await?;
            received.extend_from_slice(&bytes);
            if received.first().is_some_and(|first| *first != HANDSHAKE) {
                self.answer_without_tls(received).await;
                return None;
            }
            // A second ClientHello, or something else in its place, is for rustls to refuse.
            if received.len() > LONGEST_HELLO || self.wire.seen().missing[Side::Client] {
                let _ = self.wire.send(&DECODE_ERROR).await;
                self.end(None).await;
                return None;
            }
        }
        if let Some(scenario) = self.scenario {
            let place = self.server.clients.admit(scenario, self.wire.evidence());
            place.meet_companions(COMPANY).await;
            self.place = Some(place);
        }
        Some(received)
    }

    /// Whether the client offers no version that is spoken here.
    fn refuses(&self) -> bool {
        let hello = self.wire.seen().client_hello.as_ref();
        let versions = self.scenario.unwrap_or(Scenario::NoResumption).versions();
        hello.is_none_or(|hello| versions.iter().all(|version| hello.version < *version))
    }

    /// TLS of the version that the client likes best of those that are spoken here.
    fn tls(&self) -> Option<Tls> {
        let offered = self.wire.seen().client_hello.as_ref()?.version;
        let spoken = self.scenario.unwrap_or(Scenario::NoResumption).versions();
        let tls13 = offered >= Version::TLS13 && spoken.contains(&Version::TLS13);
        let sessions = Arc::new(Sessions::new(self.place.clone(), tls13));
        let mut config = if tls13 { self.server.tls13.clone() } else { self.server.tls12.clone() };
        config.ticketer = Arc::clone(&sessions) as _;
        config.session_storage = Arc::clone(&sessions) as _;
        let connection = ServerConnection::new(Arc::new(config)).ok()?;
        Some(Tls { connection, sessions, heard: Vec::new() })
    }

    /// Reads the request and answers it, or sees the client leave.
    async fn converse(&mut self, tls: &mut Tls) {
        loop {
            match request::read(&tls.heard) {
                request::Read::Request(request) => return self.answer(tls, &request).await,
                request::Read::Line => return self.answer(tls, &Request::line()).await,
                request::Read::Partial if self.wire.has_said_goodbye() => return,
                request::Read::Partial => {}
            }
            let Some(received) = self.receive().await else { return };
            if self.digest(tls, &received).await.is_err() {
                return;
            }
        }
    }

    /// Lets TLS work on what was received, and sends what it has to say to that.
    async fn digest(&mut self, tls: &mut Tls, received: &[u8]) -> Result<(), Error> {
        let digested = self.wire.digest(&mut tls.connection, received);
        let is_faulty = digested.is_err();
        tls.heard.extend(digested.as_deref().unwrap_or_default());
        // After a TLS 1.3 handshake there are tickets to be sent, and nothing else.
        let holds = self.scenario != Some(Scenario::EarlyTickets) && !tls.connection.is_handshaking() && !is_faulty;
        if !(holds && tls.is_tls13()) {
            let _ = self.wire.flush(&mut tls.connection, tls.sessions.take_issued()).await;
        }
        self.note();
        digested.map(|_| ())
    }

    async fn answer(&mut self, tls: &mut Tls, request: &Request) {
        let connection = self.wire.evidence();
        let Answer(bytes) = answer::to(self.server, self.place.as_ref(), &connection, request);
        let _ = self.wire.write(&mut tls.connection, &bytes, tls.sessions.take_issued()).await;
        self.note();
    }

    /// Ends our side, and waits for the end of the client's.
    async fn end(&mut self, mut tls: Option<&mut Tls>) {
        if let Some(tls) = &mut tls
            && self.scenario != Some(Scenario::UncleanClose)
        {
            tls.connection.send_close_notify();
            let _ = self.wire.flush(&mut tls.connection, tls.sessions.take_issued()).await;
        }
        self.wire.shut().await;
        self.deadline = Instant::now() + FAREWELL;
        while let Some(received) = self.receive().await {
            if let Some(tls) = &mut tls {
                // Whether it says goodbye; there is nobody to complain to.
                let _ = self.wire.digest(&mut tls.connection, &received);
            }
        }
    }

    async fn answer_without_tls(&mut self, received: Vec<u8>) {
        let address = self.wire.seen().server;
        if let request::Read::Request(request) = request::read(&received) {
            let Answer(bytes) = answer::without_tls(address, &request);
            let _ = self.wire.send(&bytes).await;
        }
        self.end(None).await;
    }

    /// None once the client has ended its side, or took too long.
    async fn receive(&mut self) -> Option<Vec<u8>> {
        if self.wire.is_over {
            return None;
        }
        let mut buffer = [0; 4096];
        let length = timeout_at(self.deadline, self.wire.receive(&mut buffer)).await.unwrap_or(0);
        (length > 0).then(|| buffer[..length].to_vec())
    }

    fn note(&self) {
        if let Some(place) = &self.place {
            place.note(self.wire.evidence());
        }
    }
}

impl Tls {
    fn is_tls13(&self) -> bool {
        self.connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3)
    }
}

/// RFC 8446 §5.1.
const HANDSHAKE: u8 = 22;
/// Alerts in records of their own, both fatal (RFC 8446 §6).
const PROTOCOL_VERSION: [u8; 7] = [21, 3, 1, 0, 2, 2, 70];
const DECODE_ERROR: [u8; 7] = [21, 3, 1, 0, 2, 2, 50];
/// A ClientHello with large key shares and a ticket that holds a client's certificates; evidence of it is kept.
const LONGEST_HELLO: usize = 20 << 10;
/// For a handshake and a request: as long as somebody takes who types it.
const PATIENCE: Duration = Duration::from_secs(20);
/// For connections that are to be made at once, to have all begun: what a browser takes from one to the next, and more.
const COMPANY: Duration = Duration::from_millis(250);
/// For the end.
const FAREWELL: Duration = Duration::from_secs(3);
