//! TLS 1.3 by hand, for what rustls does not do: to offer one ticket on several connections, and to ask for a number of tickets
//! (RFC 9149).
//!
//! It takes any certificate: who the server is, other probes have verified, and nothing secret is said. It shows a key share in
//! each group that it offers, so that a server asks for another ClientHello only to have a cookie back; of a KeyUpdate it makes
//! nothing.

mod cipher;
mod client;
mod experiment;
mod message;
mod share;
mod suite;

use std::fmt;
use std::time::Duration;

use raincheck_diagnosis::evidence::{Connection, Failure, Stage};
use raincheck_diagnosis::tcp::{Conversation, Opening};
use raincheck_diagnosis::tls::{KeyLog, Reader};
use raincheck_diagnosis::{Moment, Side};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::clock::now;
use super::{Protocol, Target};
use client::{Client, Seen};
pub use experiment::NotDetermined;
use suite::{Secret, Suite};

/// What is to be done on a connection of TLS 1.3.
#[derive(Clone, Debug)]
pub struct ByHand {
    /// The name to ask for.
    pub server_name: ServerName<'static>,
    /// What is spoken before TLS begins, if anything.
    pub starttls: Option<Protocol>,
    /// The ticket to offer, if any.
    pub ticket: Option<Ticket>,
    /// How many tickets to ask for, if at all.
    pub ask: Option<Ask>,
    /// What to say once the handshake is over, and to have answered.
    pub request: Vec<u8>,
    /// How long to listen after that, or where nothing is said, after the handshake.
    pub listen: Duration,
    /// How long any one step may take.
    pub patience: Duration,
}

/// How many tickets a client asks for (RFC 9149 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Where a new session is made.
    pub new_session: u8,
    /// Where a session is resumed.
    pub resumption: u8,
}

/// A ticket, which can be offered as often as one likes.
#[derive(Clone)]
pub struct Ticket {
    ticket: Box<[u8]>,
    psk: Secret,
    suite: &'static Suite,
    lifetime: Duration,
    age_add: u32,
    at: Moment,
}

impl Ticket {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.ticket
    }

    /// How long the server says it is good for.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Its age in milliseconds, as it is shown (RFC 8446 §4.2.11.1).
    fn shown_age(&self, now: Moment) -> u32 {
        let age = now.time.since(self.at.time).as_millis();
        // Modulo 2^32, as it is meant.
        (age as u32).wrapping_add(self.age_add)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("length", &self.ticket.len()).field("lifetime", &self.lifetime).finish()
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What was seen.
    pub connection: Connection,
    /// Why it came to less than it should.
    pub failure: Option<Failure>,
    /// Whether the server took the ticket; `None` where it did not come to saying so.
    pub resumed: Option<bool>,
    /// How many tickets the server means to send, if it says so (RFC 9149 §3).
    pub expected_tickets: Option<u8>,
    /// The tickets that the server sent, in the order they came.
    pub tickets: Vec<Ticket>,
    /// The beginning of what the server answered.
    pub answer: Vec<u8>,
    /// Whether the server sent close_notify.
    pub closed: bool,
}

impl ByHand {
    /// A full handshake with `target` that says nothing.
    pub fn new(target: &Target) -> Self {
        Self {
            server_name: target.server_name.clone(),
            starttls: None,
            ticket: None,
            ask: None,
            request: Vec::new(),
            listen: Duration::ZERO,
            patience: PATIENCE,
        }
    }

    /// Makes the connection, and ends it cleanly. Takes a few times [`ByHand::patience`] at most.
    pub async fn run(self, target: &Target) -> Outcome {
        let mut line = Line::new(target, self.patience);
        let (failure, seen) = match line.open(self, target).await {
            Ok((client, failure)) => (failure, client.into_seen()),
            Err(failure) => (Some(failure), Seen::default()),
        };
        let Seen { resumed, expected_tickets, tickets, answer, closed } = seen;
        let connection = line.reader.into_connection();
        Outcome { connection, failure, resumed, expected_tickets, tickets, answer, closed }
    }
}

/// A connection in the making, and the reader that sees it.
struct Line {
    reader: Reader,
    /// The connection's secrets, by which the reader sees its tickets.
    log: KeyLog,
    patience: Duration,
}

impl Line {
    fn new(target: &Target, patience: Duration) -> Self {
        // Until there is a connection, there is no address of ours.
        let nowhere = std::net::SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0);
        let opening = Opening { client: nowhere, server: target.address, at: now(), from_the_start: true };
        let log = KeyLog::growing();
        Self { reader: Reader::with_key_log(opening, log.clone()), log, patience }
    }

    /// Connects, and has the client talk: what became of it, and what kept it from more.
    async fn open(&mut self, plan: ByHand, target: &Target) -> Result<(Client, Option<Failure>), Failure> {
        let ByHand { server_name, starttls, ticket, ask, request, listen, patience } = plan;
        let mut tcp = self.connect(target).await?;
        if let Some(protocol) = starttls {
            protocol.start(&mut tcp, &mut self.reader, &server_name.to_str(), patience).await?;
        }
        let mut client = Client::start(&server_name, ask, ticket, now(), self.log.clone())?;
        let failure = self.talk(&mut tcp, &mut client, &request, listen).await.err();
        Ok((client, failure))
    }

    async fn connect(&mut self, target: &Target) -> Result<TcpStream, Failure> {
        let connecting = timeout(self.patience, TcpStream::connect(target.address)).await;
        let unreachable = |error: std::io::Error| Failure::Unreachable(error.to_string());
        let tcp = connecting.map_err(|_| Failure::TimedOut(Stage::Connecting))?.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let client = tcp.local_addr().map_err(unreachable)?;
        let opening = Opening { client, server: target.address, at: now(), from_the_start: true };
        self.reader = Reader::with_key_log(opening, self.log.clone());
        Ok(tcp)
    }

    async fn talk(
        &mut self,
        tcp: &mut TcpStream,
        client: &mut Client,
        request: &[u8],
        listen: Duration,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + self.patience;
        while !client.is_open() {
            self.flush(tcp, client).await?;
            self.hear_until(tcp, client, deadline).await?;
        }
        if !request.is_empty() {
            client.say(request);
        }
        self.flush(tcp, client).await?;
        let deadline = Instant::now() + self.patience;
        while !request.is_empty() && client.seen().answer.is_empty() {
            self.hear_until(tcp, client, deadline).await?;
        }
        if self.listen(tcp, client, listen).await? {
            return Ok(());
        }
        client.close();
        self.flush(tcp, client).await?;
        // The server's FIN first: so TIME_WAIT is the server's.
        let _ = self.listen(tcp, client, LINGER).await;
        self.reader.fin(Side::Client, now());
        Ok(())
    }

    /// Takes what comes for so long; whether the server ended the connection.
    async fn listen(&mut self, tcp: &mut TcpStream, client: &mut Client, time: Duration) -> Result<bool, Failure> {
        let deadline = Instant::now() + time;
        loop {
            match self.hear_until(tcp, client, deadline).await {
                Ok(()) => {}
                Err(Failure::TimedOut(_)) => return Ok(false),
                Err(Failure::Ended(_)) => return Ok(true),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Takes what the server sends next.
    async fn hear_until(&mut self, tcp: &mut TcpStream, client: &mut Client, deadline: Instant) -> Result<(), Failure> {
        let stage = stage(client);
        let mut bytes = [0; 4 << 10];
        match timeout_at(deadline, tcp.read(&mut bytes)).await.map_err(|_| Failure::TimedOut(stage))? {
            Ok(0) => {
                self.reader.fin(Side::Server, now());
                Err(Failure::Ended(stage))
            }
            Ok(length) => {
                self.reader.data(Side::Server, now(), &bytes[..length]);
                client.receive(&bytes[..length], now())
            }
            Err(_) => Err(self.was_reset(stage)),
        }
    }

    async fn flush(&mut self, tcp: &mut TcpStream, client: &mut Client) -> Result<(), Failure> {
        let bytes = client.take_outgoing();
        if bytes.is_empty() {
            return Ok(());
        }
        self.reader.data(Side::Client, now(), &bytes);
        let sent = timeout(self.patience, tcp.write_all(&bytes)).await;
        sent.map_err(|_| Failure::TimedOut(stage(client)))?.map_err(|_| self.was_reset(stage(client)))
    }

    fn was_reset(&mut self, stage: Stage) -> Failure {
        self.reader.reset(Side::Server, now());
        Failure::Reset(stage)
    }
}

fn stage(client: &Client) -> Stage {
    match (client.is_open(), client.seen().resumed) {
        (true, _) => Stage::Answer,
        (false, Some(_)) => Stage::Handshake,
        (false, None) => Stage::Hello,
    }
}

// As long as a user waits who sees that something goes on.
const PATIENCE: Duration = Duration::from_secs(5);
// How long a server may take to answer a close.
const LINGER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
