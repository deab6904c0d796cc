//! The connection itself: rustls and TCP, with the reader that sees what passes between them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use raincheck_diagnosis::Side;
use raincheck_diagnosis::evidence::{Connection, Description, Failure, Stage};
use raincheck_diagnosis::tcp::{Conversation, Opening};
use raincheck_diagnosis::tls::{KeyLog, Reader};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Ending, Speech};
use crate::probe::Protocol;
use crate::probe::clock::now;
use crate::probe::quote::quote;
use crate::probe::session::Store;

/// A connection in the making.
pub(super) struct Wire {
    server: SocketAddr,
    patience: Duration,
    answer_within: Duration,
    reader: Reader,
    secrets: KeyLog,
    sessions: Arc<Store>,
    unasked: usize,
    answer: Vec<u8>,
    leaf: Option<CertificateDer<'static>>,
    received: Vec<u8>,
}

/// What was seen.
pub(super) struct Seen {
    pub(super) connection: Connection,
    /// The beginning of what the server answered.
    pub(super) answer: Vec<u8>,
    /// The server's certificate; of a resumed session, that of the connection it was made on.
    pub(super) leaf: Option<CertificateDer<'static>>,
    /// How many sessions there were before anything was said.
    pub(super) unasked: usize,
}

/// TLS over TCP.
struct Line {
    tcp: TcpStream,
    tls: ClientConnection,
}

/// What came of reading.
enum Heard {
    /// Bytes, which rustls has taken.
    Bytes,
    /// The server's FIN.
    End,
}

impl Wire {
    /// A connection to `server`, which gives its sessions to `sessions`.
    pub(super) fn new(
        server: SocketAddr,
        patience: Duration,
        answer_within: Duration,
        sessions: Arc<Store>,
        secrets: KeyLog,
    ) -> Self {
        // Until there is a connection, there is no address of ours.
        let nowhere = SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0);
        let reader = Reader::new(Opening { client: nowhere, server, at: now(), from_the_start: true });
        Self {
            server,
            patience,
            answer_within,
            reader,
            secrets,
            sessions,
            unasked: 0,
            answer: Vec::new(),
            leaf: None,
            received: vec![0; 16 << 10],
        }
    }

    pub(super) fn into_seen(self) -> Seen {
        let Self { reader, answer, leaf, unasked, .. } = self;
        Seen { connection: reader.into_connection(), answer, leaf, unasked }
    }

    /// Connects, says what is to be said, and ends the connection.
    pub(super) async fn converse(
        &mut self,
        starttls: Option<Protocol>,
        config: ClientConfig,
        server_name: ServerName<'static>,
        speech: &Speech,
        ending: Ending,
    ) -> Result<(), Failure> {
        let host = server_name.to_str().into_owned();
        let mut tls =
            ClientConnection::new(config.into(), server_name).map_err(|error| Failure::Protocol(error.to_string()))?;
        if let (Some(mut early), Speech::Ask { request, .. }) = (tls.early_data(), speech) {
            io::Write::write_all(&mut early, request).map_err(|error| Failure::Protocol(error.to_string()))?;
        }
        let mut tcp = self.connect().await?;
        if let Some(protocol) = starttls {
            protocol.start(&mut tcp, &mut self.reader, &host, self.patience).await?;
        }
        let mut line = Line { tcp, tls };
        let spoken = match self.handshake(&mut line).await {
            Ok(()) => self.speak(&mut line, speech).await,
            Err(failure) => Err(failure),
        };
        // A connection that failed is over; whatever we owe it (an alert) has been sent.
        if matches!(spoken, Ok(()) | Err(Failure::TimedOut(Stage::Answer))) {
            self.end(line, ending).await;
        }
        spoken
    }

    async fn connect(&mut self) -> Result<TcpStream, Failure> {
        let connecting = timeout(self.patience, TcpStream::connect(self.server)).await;
        // A reset may be there as soon as the connection is.
        let broken = |error: io::Error| match error.kind() {
            io::ErrorKind::ConnectionReset => Failure::Reset(Stage::Hello),
            _ => Failure::Unreachable(error.to_string()),
        };
        let tcp = connecting.map_err(|_| Failure::TimedOut(Stage::Connecting))?.map_err(broken)?;
        tcp.set_nodelay(true).map_err(broken)?;
        let client = tcp.local_addr().map_err(broken)?;
        let opening = Opening { client, server: self.server, at: now(), from_the_start: true };
        self.reader = Reader::with_key_log(opening, self.secrets.clone());
        Ok(tcp)
    }

    async fn handshake(&mut self, line: &mut Line) -> Result<(), Failure> {
        let deadline = Instant::now() + self.patience;
        loop {
            self.flush(line).await?;
            if !line.tls.is_handshaking() {
                self.leaf = line.tls.peer_certificates().and_then(<[_]>::first).map(|leaf| leaf.clone().into_owned());
                return Ok(());
            }
            let stage = self.stage(line);
            let heard = timeout_at(deadline, self.hear(line)).await;
            match heard.map_err(|_| Failure::TimedOut(stage))?? {
                Heard::Bytes => {}
                Heard::End => return Err(Failure::Ended(stage)),
            }
        }
    }

    async fn speak(&mut self, line: &mut Line, speech: &Speech) -> Result<(), Failure> {
        let (listening, request) = match speech {
            Speech::Nothing(listening) => (*listening, None),
            Speech::Ask { after, request } => (*after, Some(request)),
        };
        let listened = self.listen(line, Instant::now() + listening).await;
        self.unasked = self.sessions.count();
        if listened? == Listened::Ended {
            return if request.is_some() { Err(Failure::Ended(Stage::Answer)) } else { Ok(()) };
        }
        let Some(request) = request else {
            return Ok(());
        };
        if line.tls.is_early_data_accepted() {
            return self.answered(line).await;
        }
        io::Write::write_all(&mut line.tls.writer(), request).map_err(|error| Failure::Protocol(error.to_string()))?;
        self.flush(line).await?;
        self.answered(line).await
    }

    /// Waits for an answer: all of a head of HTTP, or for anything else, its first bytes.
    async fn answered(&mut self, line: &mut Line) -> Result<(), Failure> {
        let deadline = Instant::now() + self.answer_within;
        while !is_answer(&self.answer) {
            let heard = timeout_at(deadline, self.hear(line)).await;
            match heard.map_err(|_| Failure::TimedOut(Stage::Answer))?? {
                Heard::Bytes => {}
                Heard::End if self.answer.is_empty() => return Err(Failure::Ended(Stage::Answer)),
                Heard::End => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes what comes until `deadline`.
    async fn listen(&mut self, line: &mut Line, deadline: Instant) -> Result<Listened, Failure> {
        while let Ok(heard) = timeout_at(deadline, self.hear(line)).await {
            if let Heard::End = heard? {
                return Ok(Listened::Ended);
            }
            self.flush(line).await?;
        }
        Ok(Listened::Enough)
    }

    async fn end(&mut self, mut line: Line, ending: Ending) {
        match ending {
            Ending::Clean => {
                line.tls.send_close_notify();
                if self.flush(&mut line).await.is_ok() {
                    // The server's FIN first: so TIME_WAIT is the server's.
                    let _ = self.listen(&mut line, Instant::now() + LINGER).await;
                }
                self.reader.fin(Side::Client, now());
            }
            Ending::Fin => {
                self.reader.fin(Side::Client, now());
                if line.tcp.shutdown().await.is_ok() {
                    let _ = self.listen(&mut line, Instant::now() + LINGER).await;
                }
            }
            Ending::Reset => {
                self.reader.reset(Side::Client, now());
                // What is dropped with a linger of zero is reset.
                let _ = line.tcp.set_zero_linger();
            }
        }
    }

    /// Sends what rustls has to send.
    async fn flush(&mut self, line: &mut Line) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        while line.tls.wants_write() {
            line.tls.write_tls(&mut bytes).map_err(|error| Failure::Protocol(error.to_string()))?;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.reader.data(Side::Client, now(), &bytes);
        let stage = self.stage(line);
        let sent = timeout(self.patience, line.tcp.write_all(&bytes)).await;
        sent.map_err(|_| Failure::TimedOut(stage))?.map_err(|_| self.was_reset(stage))
    }

    /// Takes what the server sends next. Can be dropped and called again.
    async fn hear(&mut self, line: &mut Line) -> Result<Heard, Failure> {
        let stage = self.stage(line);
        let length = match line.tcp.read(&mut self.received).await {
            Ok(0) => {
                self.reader.fin(Side::Server, now());
                return Ok(Heard::End);
            }
            Ok(length) => length,
            Err(_) => return Err(self.was_reset(stage)),
        };
        let mut bytes = &self.received[..length];
        self.reader.data(Side::Server, now(), bytes);
        while !bytes.is_empty() {
            line.tls.read_tls(&mut bytes).map_err(|error| Failure::Protocol(error.to_string()))?;
            if let Err(error) = line.tls.process_new_packets() {
                let failure = self.failure(error, length);
                let _ = self.flush(line).await; // the alert we owe
                return Err(failure);
            }
            let mut plain = Vec::new();
            // The end of the plaintext, clean or not, is for the reader to tell.
            let _ = io::Read::read_to_end(&mut line.tls.reader(), &mut plain);
            plain.truncate(MOST_ANSWER.saturating_sub(self.answer.len()));
            self.answer.extend(plain);
        }
        Ok(Heard::Bytes)
    }

    fn stage(&self, line: &Line) -> Stage {
        let connection = self.reader.connection();
        match (line.tls.is_handshaking(), connection.server_hello.is_some() || connection.retry) {
            (false, _) => Stage::Answer,
            (true, true) => Stage::Handshake,
            (true, false) => Stage::Hello,
        }
    }

    fn was_reset(&mut self, stage: Stage) -> Failure {
        self.reader.reset(Side::Server, now());
        Failure::Reset(stage)
    }

    /// What rustls' error means, now that `length` bytes were received last.
    fn failure(&self, error: rustls::Error, length: usize) -> Failure {
        let connection = self.reader.connection();
        if connection.foreign.server {
            return Failure::NotTls(quote(&self.received[..length]));
        }
        match error {
            rustls::Error::AlertReceived(alert) => Failure::Alert(Description(alert.into())),
            rustls::Error::InvalidCertificate(error) => Failure::Certificate(error.to_string()),
            error => match connection.version() {
                Some(version) if version < raincheck_diagnosis::evidence::Version::TLS12 => Failure::Version(version),
                _ => Failure::Protocol(error.to_string()),
            },
        }
    }
}

#[derive(PartialEq, Eq)]
enum Listened {
    Enough,
    Ended,
}

/// Whether `bytes` are as much of an answer as is waited for.
fn is_answer(bytes: &[u8]) -> bool {
    if b"HTTP/".starts_with(&bytes[..bytes.len().min(5)]) {
        bytes.windows(4).any(|window| window == b"\r\n\r\n")
    } else {
        !bytes.is_empty()
    }
}

// How long a server may take to answer a close.
const LINGER: Duration = Duration::from_secs(1);
// As much of an answer as anybody looks at.
const MOST_ANSWER: usize = 16 << 10;
