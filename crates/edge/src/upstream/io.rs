//! A connection to an upstream, whatever it is made of.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::SendFlags;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

use raincheck_tls::Buffer;

/// A byte stream to an upstream.
#[derive(Debug)]
pub enum UpstreamIo {
    /// To a server.
    Tcp(TcpStream),
    /// To the built-in one.
    Builtin(DuplexStream),
}

impl UpstreamIo {
    /// Reads once into `buffer`, which is emptied first, at most `limit` bytes; 0 is the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut Buffer, limit: usize) -> Poll<io::Result<usize>> {
        buffer.clear();
        let mut room = ReadBuf::new(&mut buffer.room(limit)[..limit]);
        ready!(match self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, &mut room),
            Self::Builtin(duplex) => Pin::new(duplex).poll_read(cx, &mut room),
        })?;
        let length = room.filled().len();
        buffer.advance(length);
        Poll::Ready(Ok(length))
    }

    /// Writes what is taken.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            // A socket nearly always takes what it is given; tokio would wait to be told so.
            Self::Tcp(tcp) => match rustix::net::send(&*tcp, bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => Poll::Ready(Ok(sent)),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Pin::new(tcp).poll_write(cx, bytes),
                Err(error) => Poll::Ready(Err(error.into())),
            },
            Self::Builtin(duplex) => Pin::new(duplex).poll_write(cx, bytes),
        }
    }

    /// Ends our side.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Builtin(duplex) => Pin::new(duplex).poll_shutdown(cx),
        }
    }
}
