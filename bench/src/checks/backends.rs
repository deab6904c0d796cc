//! The process of our own that is checked: HTTP over TLS on many ports, each with sessions of its own.
//!
//! It talks as `tests/java/Backend.java` does. It prints its ports, all in one line; for each port that comes in a line on
//! standard input it prints a line: full handshakes, resumed handshakes, open connections, answers. It ends with its input.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig, ServerConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_blocking;

use crate::error::Error;
use crate::version::Version;
use crate::wire::{Scratch, Wire};

/// What the process is told.
#[derive(Args)]
pub(crate) struct Backends {
    /// Their certificate chain, PEM
    chain: PathBuf,
    /// Their private key, PEM
    key: PathBuf,
    /// The TLS version they speak
    version: Version,
    /// How many there are
    count: u32,
}

impl Backends {
    /// Serves until standard input ends.
    pub(crate) fn run(&self) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(Error::system("start the runtime"))?;
        runtime.block_on(async {
            let mut ports = HashMap::new();
            for index in 0..self.count {
                // Half of them keep their sessions, and give out their names: session IDs in TLS 1.2.
                let sessions = if index % 2 == 0 { Sessions::InTickets } else { Sessions::Kept };
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listening())?;
                let port = listener.local_addr().map_err(listening())?.port();
                let counts = Arc::new(Counts::default());
                tokio::spawn(serve(listener, self.config(sessions)?, Arc::clone(&counts)));
                ports.insert(port, counts);
            }
            let talk = spawn_blocking(move || talk(&ports)).await.expect("it does not panic, and nobody aborts it");
            talk.map_err(Error::system("talk on standard input and output"))
        })
    }

    fn config(&self, sessions: Sessions) -> Result<Arc<ServerConfig>, Error> {
        let chain = CertificateDer::pem_file_iter(&self.chain).and_then(Iterator::collect);
        let chain = chain.map_err(|error| pem(&self.chain, error))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| pem(&self.key, error))?;
        let mut config = ServerConfig::builder_with_provider(self.version.provider())
            .with_protocol_versions(&[self.version.supported()])
            .expect("the suite is of this version")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| Error::system("use the certificate")(io::Error::other(error)))?;
        if sessions == Sessions::InTickets {
            let ticketer = Ticketer::new().map_err(|error| Error::system("make a ticket key")(io::Error::other(error)));
            config.ticketer = ticketer?;
        }
        Ok(Arc::new(config))
    }
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Sessions {
    InTickets,
    Kept,
}

/// What one port has seen.
#[derive(Default)]
struct Counts {
    full: AtomicU64,
    resumed: AtomicU64,
    open: AtomicU64,
    answers: AtomicU64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [full, resumed, open, answers] =
            [&self.full, &self.resumed, &self.open, &self.answers].map(|count| count.load(Ordering::Relaxed));
        write!(f, "{full} {resumed} {open} {answers}")
    }
}

async fn serve(listener: TcpListener, config: Arc<ServerConfig>, counts: Arc<Counts>) {
    loop {
        if let Ok((tcp, _)) = listener.accept().await {
            let (config, counts) = (Arc::clone(&config), Arc::clone(&counts));
            tokio::spawn(async move {
                counts.open.fetch_add(1, Ordering::Relaxed);
                // Its error is the client's fault: the client reports it, and it does not count as an answer.
                let _ = answer(tcp, config, &counts).await;
                counts.open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }
}

/// Answers requests until one asks to close.
async fn answer(tcp: TcpStream, config: Arc<ServerConfig>, counts: &Counts) -> io::Result<()> {
    let mut wire = Wire::new(tcp, ServerConnection::new(config).map_err(io::Error::other)?)?;
    let mut scratch = Scratch::small();
    let mut received = Vec::new();
    while wire.tls().is_handshaking() {
        // The first request may come with the end of the handshake.
        wire.receive(&mut scratch, |plain| received.extend_from_slice(plain)).await?;
    }
    let kind = wire.tls().handshake_kind();
    let kind = if kind == Some(HandshakeKind::Resumed) { &counts.resumed } else { &counts.full };
    kind.fetch_add(1, Ordering::Relaxed);
    loop {
        while let Some(request) = take_request(&mut received) {
            counts.answers.fetch_add(1, Ordering::Relaxed);
            match request {
                Request::Last => {
                    wire.send(LAST_ANSWER)?;
                    wire.close(&mut scratch).await;
                    return Ok(());
                }
                Request::OneOfMany => wire.send(ANSWER)?,
            }
        }
        wire.flush(&mut scratch).await?;
        wire.receive(&mut scratch, |plain| received.extend_from_slice(plain)).await?;
    }
}

/// A request, none of which has a body.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Request {
    /// The client wants to go on.
    OneOfMany,
    /// The client wants the connection to be closed.
    Last,
}

/// Takes the first whole request out of what was `received`.
fn take_request(received: &mut Vec<u8>) -> Option<Request> {
    let length = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head: Vec<_> = received.drain(..length).collect();
    let has = |text: &[u8]| head.windows(text.len()).any(|bytes| bytes.eq_ignore_ascii_case(text));
    let is_last = has(b" HTTP/1.0\r\n") || has(b"\r\nConnection: close\r\n");
    Some(if is_last { Request::Last } else { Request::OneOfMany })
}

/// Prints the ports, and what each has seen when it is asked for.
fn talk(ports: &HashMap<u16, Arc<Counts>>) -> io::Result<()> {
    let names: Vec<_> = ports.keys().map(u16::to_string).collect();
    let mut output = io::stdout().lock();
    writeln!(output, "{}", names.join(" "))?;
    output.flush()?;
    for line in io::stdin().lock().lines() {
        let port = line?.parse().map_err(io::Error::other)?;
        let counts = ports.get(&port).ok_or_else(|| io::Error::other(format!("{port} is no port of ours")))?;
        writeln!(output, "{counts}")?;
    }
    Ok(())
}

fn listening() -> impl FnOnce(io::Error) -> Error {
    Error::system("listen for checks")
}

fn pem(file: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::system(format!("read {}", file.display()))(io::Error::other(error))
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nup\n";
const LAST_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nup\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let received =
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nconnection: Close\r\n\r\nGET / HTTP/1.0\r\n\r\nGET";
        let mut received = received.to_vec();
        let requests: Vec<_> = std::iter::from_fn(|| take_request(&mut received)).collect();
        assert_eq!(requests, [Request::OneOfMany, Request::Last, Request::Last]);
        assert_eq!(received, b"GET");
    }
}
