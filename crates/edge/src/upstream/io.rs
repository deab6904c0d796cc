//! A connection to an upstream, whatever it is made of.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use raincheck_tls::buffer::READ;
use raincheck_tls::{Buffer, ClientSession, ClientStream, Closed, Event, Scratch};
use rustix::net::SendFlags;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

use crate::tls_end::TlsEnd;

/// A byte stream to an upstream.
#[derive(Debug)]
pub enum UpstreamIo {
    /// To a server.
    Tcp(TcpStream),
    /// To a server, over TLS.
    Tls(TlsEnd<ClientSession>),
    /// To the built-in one.
    Builtin(DuplexStream),
}

impl UpstreamIo {
    /// Over an open TLS connection.
    pub fn tls(stream: ClientStream) -> Self {
        Self::Tls(TlsEnd::Open(stream))
    }

    /// Reads once into [`Scratch::plain`], which is emptied first. A FIN is a clean end where there is no TLS.
    pub fn poll_event(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Event> {
        let buffer = &mut scratch.plain;
        let read = match self {
            Self::Tls(tls) => return tls.poll_event(cx, scratch),
            Self::Tcp(tcp) => poll_read(tcp, cx, buffer),
            Self::Builtin(duplex) => poll_read(duplex, cx, buffer),
        };
        Poll::Ready(match ready!(read) {
            Ok(0) => Event::Closed(Closed::Clean),
            Ok(_) => Event::Data,
            Err(_) => Event::Closed(Closed::Reset),
        })
    }

    /// Writes what is taken.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8], outgoing: &mut Buffer) -> Poll<io::Result<usize>> {
        match self {
            // A socket nearly always takes what it is given; tokio would wait to be told so.
            Self::Tcp(tcp) => match rustix::net::send(&*tcp, bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => Poll::Ready(Ok(sent)),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Pin::new(tcp).poll_write(cx, bytes),
                Err(error) => Poll::Ready(Err(error.into())),
            },
            Self::Tls(tls) => {
                ready!(tls.poll_flush(cx))?;
                Poll::Ready(tls.write(bytes, outgoing).map(|()| bytes.len()))
            }
            Self::Builtin(duplex) => Pin::new(duplex).poll_write(cx, bytes),
        }
    }

    /// Whether there is no TLS.
    pub fn is_plain(&self) -> bool {
        !matches!(self, Self::Tls(_))
    }

    /// Sends what was taken and is not sent yet.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(tls) => tls.poll_flush(cx),
            Self::Tcp(_) | Self::Builtin(_) => Poll::Ready(Ok(())),
        }
    }

    /// Ends our side, so that it looks whole only if it `is_whole`, as far as that can be told.
    pub fn end(&mut self, cx: &mut Context<'_>, is_whole: bool, outgoing: &mut Buffer) {
        // A server that is gone need not be told.
        match self {
            Self::Tcp(tcp) => _ = Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) if is_whole => tls.close(outgoing),
            Self::Tls(tls) => tls.cut_short(),
            Self::Builtin(duplex) => _ = Pin::new(duplex).poll_shutdown(cx),
        }
    }

    /// Whether all that was taken, close_notify included, is with the socket.
    pub fn is_sent(&self) -> bool {
        match self {
            Self::Tls(tls) => tls.is_sent(),
            Self::Tcp(_) | Self::Builtin(_) => true,
        }
    }

    /// Lets go of a connection of which both sides are done. What that takes goes on by itself, for `limit` and no longer.
    pub fn let_go(&mut self, limit: Duration) {
        if let Self::Tls(tls) = self
            && let TlsEnd::Closing(closing) = tls.take()
        {
            tokio::spawn(closing.finish(limit));
        }
    }
}

fn poll_read(io: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<usize>> {
    buffer.clear();
    let mut room = ReadBuf::new(&mut buffer.room(READ)[..READ]);
    ready!(Pin::new(io).poll_read(cx, &mut room))?;
    let length = room.filled().len();
    buffer.advance(length);
    Poll::Ready(Ok(length))
}
