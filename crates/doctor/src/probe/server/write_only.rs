use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use raincheck_diagnosis::evidence::{Failure, Stage, WriteOnly};
use raincheck_diagnosis::tcp::Opening;
use raincheck_diagnosis::tls::Reader;
use raincheck_tls::send_queue;
use rustix::io::ioctl_fionread;
use rustls::ClientConnection;
use rustls::client::Resumption;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::Probe;
use crate::probe::Versions;
use crate::probe::attempt::config;
use crate::probe::clock::now;

impl Probe<'_> {
    /// Acts as a client that writes, never reads, and closes. Where it was reset and all it wrote was acknowledged all the
    /// same, it writes more the next time: then the server may not keep up.
    pub(super) async fn write_only(&mut self) {
        for amount in AMOUNTS {
            self.pace.step().await;
            let mut tried = WriteOnly { unasked: 0, written: 0, unacknowledged: 0, unread: 0, failure: None };
            tried.failure = self.write(amount, &mut tried).await.err();
            let WriteOnly { unasked, written, unacknowledged, unread, failure } = &tried;
            self.say(&match failure {
                Some(failure) => format!("a client that only writes: {failure}"),
                None => format!(
                    "a client that only writes: {written} bytes written, {unread} unread and {unacknowledged} \
                     unacknowledged at its close"
                ),
            });
            let undecided = *unasked > 0 && *unacknowledged == 0;
            self.write_only = Some(tried);
            if !undecided {
                return;
            }
        }
    }

    async fn write(&self, amount: usize, tried: &mut WriteOnly) -> Result<(), Failure> {
        let (mut tcp, mut tls) = self.handshaken().await?;
        let records = records(&mut tls, amount).map_err(|error| Failure::Protocol(error.to_string()))?;
        // What comes unasked comes at once. A client that never reads does not know.
        let _ = timeout(UNASKED, tcp.readable()).await;
        tried.unasked = unread(&tcp);
        let deadline = Instant::now() + self.patience;
        for record in records {
            let writing = timeout_at(deadline, tcp.write_all(&record)).await;
            writing.map_err(|_| Failure::TimedOut(Stage::Answer))?.map_err(|_| Failure::Reset(Stage::Answer))?;
            tried.written += record.len();
        }
        tried.unacknowledged = send_queue::length(&tcp);
        tried.unread = unread(&tcp);
        Ok(())
    }

    /// A connection of which nothing was read that came after the handshake.
    async fn handshaken(&self) -> Result<(TcpStream, ClientConnection), Failure> {
        let broken = |_| Failure::Reset(Stage::Handshake);
        let protocol = |error: rustls::Error| Failure::Protocol(error.to_string());
        let name = self.target.server_name.clone();
        let config = config(self.trust, Versions::Any, Resumption::disabled());
        let mut tls = ClientConnection::new(Arc::new(config), name).map_err(protocol)?;
        let deadline = Instant::now() + self.patience;
        let mut tcp = self.begun(deadline).await?;
        let mut received = vec![0; 16 << 10];
        loop {
            tcp.write_all(&pending(&mut tls).map_err(broken)?).await.map_err(broken)?;
            if !tls.is_handshaking() {
                return Ok((tcp, tls));
            }
            let reading = timeout_at(deadline, tcp.read(&mut received)).await;
            let length = reading.map_err(|_| Failure::TimedOut(Stage::Handshake))?.map_err(broken)?;
            if length == 0 {
                return Err(Failure::Ended(Stage::Handshake));
            }
            let mut bytes = &received[..length];
            while !bytes.is_empty() {
                tls.read_tls(&mut bytes).map_err(broken)?;
                tls.process_new_packets().map_err(protocol)?;
            }
        }
    }

    /// TCP, to where TLS begins.
    async fn begun(&self, deadline: Instant) -> Result<TcpStream, Failure> {
        let unreachable = |error: io::Error| Failure::Unreachable(error.to_string());
        let server = self.target.address;
        let connecting = timeout_at(deadline, TcpStream::connect(server)).await;
        let mut tcp = connecting.map_err(|_| Failure::TimedOut(Stage::Connecting))?.map_err(unreachable)?;
        if let Some(protocol) = self.plan.starttls {
            let client = tcp.local_addr().map_err(unreachable)?;
            let mut reader = Reader::new(Opening { client, server, at: now(), from_the_start: true });
            let host = self.target.server_name.to_str();
            protocol.start(&mut tcp, &mut reader, &host, self.patience).await?;
        }
        Ok(tcp)
    }
}

/// How many bytes lie there unread (FIONREAD).
fn unread(tcp: &TcpStream) -> usize {
    ioctl_fionread(tcp).ok().and_then(|unread| usize::try_from(unread).ok()).unwrap_or(0)
}

/// A request of `amount` bytes and close_notify, a record each.
fn records(tls: &mut ClientConnection, amount: usize) -> io::Result<Vec<Vec<u8>>> {
    let mut plain = format!("POST / HTTP/1.1\r\nHost: raincheck\r\nContent-Length: {amount}\r\n\r\n").into_bytes();
    plain.resize(plain.len() + amount, b'.');
    let mut records = Vec::new();
    for chunk in plain.chunks(16 << 10) {
        tls.writer().write_all(chunk)?;
        records.push(pending(tls)?);
    }
    tls.send_close_notify();
    records.push(pending(tls)?);
    Ok(records)
}

/// What TLS has to send.
fn pending(tls: &mut ClientConnection) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut bytes)?;
    }
    Ok(bytes)
}

const AMOUNTS: [usize; 4] = [400_000, 400_000, 1_600_000, 4_000_000];
// How long what a server says unasked may take.
const UNASKED: Duration = Duration::from_millis(500);
