//! The connection of a check, as hyper wants it.

use std::io as std_io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use raincheck_tls::{ClientStream, Closed, Event, Scratch};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Ended;

/// A connection, with or without TLS.
#[derive(Debug)]
pub(super) enum Io {
    Tcp(TcpStream),
    Tls(Box<Tls>),
}

/// A TLS stream, and what was read from it and not asked for yet.
#[derive(Debug)]
pub(super) struct Tls {
    stream: ClientStream,
    received: Vec<u8>,
    at: usize,
    closed: Option<Closed>,
}

impl Io {
    /// Over TLS; `received` came with the handshake.
    pub(super) fn tls(stream: ClientStream, received: Vec<u8>) -> Self {
        Self::Tls(Box::new(Tls { stream, received, at: 0, closed: None }))
    }

    /// Ends the connection in the way that costs nobody a session or a port.
    pub(super) async fn close(self, limit: Duration) -> Option<Ended> {
        match self {
            // It was asked to close: its FIN first.
            Self::Tcp(mut tcp) => {
                let mut rest = [0; 4096];
                let until_end = async {
                    while tcp.read(&mut rest).await? > 0 {}
                    std_io::Result::Ok(Ended::Clean)
                };
                timeout(limit, until_end).await.ok().map(|ended| ended.unwrap_or(Ended::Unclean))
            }
            Self::Tls(tls) => {
                let Tls { stream, closed, .. } = *tls;
                let closing = Scratch::lend(|scratch| stream.close(&mut scratch.outgoing));
                let finished = closing.finish(limit).await;
                closed.or(finished).map(Ended::from)
            }
        }
    }
}

impl Tls {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<std_io::Result<()>> {
        if self.at == self.received.len() {
            self.at = 0;
            self.received.clear();
            if self.closed.is_none() {
                let event = ready!(Scratch::lend(|scratch| {
                    self.stream.poll_event(cx, scratch).map(|event| {
                        self.received.extend_from_slice(scratch.plain.filled());
                        event
                    })
                }));
                if let Event::Closed(closed) = event {
                    self.closed = Some(closed);
                }
            }
        }
        let rest = &self.received[self.at..];
        let length = rest.len().min(room.remaining());
        room.put_slice(&rest[..length]);
        self.at += length;
        match &self.closed {
            Some(closed) if length == 0 => Poll::Ready(end(closed)),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std_io::Result<usize>> {
        ready!(self.stream.poll_flush(cx))?;
        Scratch::lend(|scratch| self.stream.write(bytes, &mut scratch.outgoing))?;
        Poll::Ready(Ok(bytes.len()))
    }
}

/// What ends without close_notify may be cut short, and is no answer (RFC 8446 §6.1).
fn end(closed: &Closed) -> std_io::Result<()> {
    let (kind, what) = match closed {
        Closed::Clean => return Ok(()),
        Closed::Truncated => (std_io::ErrorKind::UnexpectedEof, "ended without close_notify".to_owned()),
        Closed::Reset => (std_io::ErrorKind::ConnectionReset, "reset by the server".to_owned()),
        Closed::Fault(error) => (std_io::ErrorKind::InvalidData, format!("TLS: {error}")),
    };
    Err(std_io::Error::new(kind, what))
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<std_io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, room),
            Self::Tls(tls) => tls.poll_read(cx, room),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std_io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => tls.poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std_io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => tls.stream.poll_flush(cx),
        }
    }

    /// Not for hyper to do: see [`Io::close`].
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std_io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
