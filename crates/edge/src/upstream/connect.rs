//! A connection to a server: over TCP, and over TLS on top of that.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use raincheck_tls::{ClientStream, Closed, Connected, Connector, HandshakeError};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sockopt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::counters::{Purpose, ServerCounters};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// TCP could not be had.
    #[error(transparent)]
    Tcp(#[from] io::Error),
    /// TLS could not be had: the server, or its certificate, is not as it should be; or it sent an alert.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// The server left during the handshake.
    #[error("the server {} in the TLS handshake", match .0 { Closed::Reset => "reset the connection", _ => "ended the connection" })]
    Left(Closed),
    /// It took too long.
    #[error("no connection within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// No server is to be had.
    #[error("no server of the upstream takes connections")]
    NoServer,
}

impl ConnectError {
    /// Whether no server could help it: we are out of descriptors, ports or memory.
    pub fn is_ours(&self) -> bool {
        use rustix::io::Errno;
        let Self::Tcp(error) = self else { return false };
        [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM]
            .iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
    }
}

/// Connects and sends `first` at once; answers how much of it was taken.
///
/// Over loopback, and often enough elsewhere, the connection stands before anybody has waited for it: so the first thing
/// tried is to send, and only where that is too early the socket is waited for.
pub(super) async fn tcp(address: SocketAddr, first: &[u8]) -> io::Result<(TcpStream, usize)> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    if !first.is_empty() {
        // The acknowledgement that ends the TCP handshake can wait for the data that follows at once: a packet less.
        sockopt::set_tcp_quickack(&socket, false)?;
    }
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let tcp = TcpStream::from_std(socket.into())?;
    if !first.is_empty() {
        match rustix::net::send(&tcp, first, SendFlags::NOSIGNAL) {
            Ok(sent) => return Ok((tcp, sent)),
            Err(rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    tcp.writable().await?;
    match tcp.take_error()? {
        None => Ok((tcp, 0)),
        Some(error) => Err(error),
    }
}

/// The same, with all of `header` sent.
pub(super) async fn tcp_after(address: SocketAddr, header: &[u8]) -> io::Result<TcpStream> {
    let (tcp, sent) = tcp(address, header).await?;
    rest_of(header, sent, tcp).await
}

/// Sends what is left of `header` when `sent` bytes have been taken.
pub(super) async fn rest_of(header: &[u8], sent: usize, mut tcp: TcpStream) -> io::Result<TcpStream> {
    if let Some(rest) = header.get(sent..) {
        tcp.write_all(rest).await?;
    }
    Ok(tcp)
}

/// TLS on `tcp`, counted. Whoever `speaks_first` writes as soon as it stands.
pub(super) async fn tls(
    tcp: TcpStream,
    connector: &Connector,
    counters: &ServerCounters,
    purpose: Purpose,
    speaks_first: bool,
) -> Result<Connected, ConnectError> {
    let error = match ClientStream::connect(tcp, connector, speaks_first).await {
        Ok(connected) => {
            counters.handshake(purpose, &connected.outcome);
            return Ok(connected);
        }
        Err(error) => error,
    };
    counters.handshake_failed(purpose);
    Err(match error {
        HandshakeError::Left(closed) => ConnectError::Left(closed),
        HandshakeError::Ours(error) => ConnectError::Tls(error),
        HandshakeError::Tls(error, refused) => {
            tokio::spawn(refused.finish(FAREWELL));
            ConnectError::Tls(error)
        }
    })
}

/// How long a server has to take our alert.
const FAREWELL: Duration = Duration::from_secs(2);
