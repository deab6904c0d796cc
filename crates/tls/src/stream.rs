//! A TLS connection on a socket: reads, writes and ends it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{SendFlags, Shutdown};
use tokio::io::AsyncWrite;
use tokio::time::timeout;

use crate::buffer::{Buffer, Scratch};
use crate::channel::Channel;
use crate::engine::Side;
use crate::session::Session;

/// An open connection: both sides may write.
#[derive(Debug)]
pub struct Stream<S> {
    channel: Box<Channel<S>>,
}

/// A client's connection, as the server has it.
pub type ServerStream = Stream<Session>;

/// A connection whose handshake is over.
#[derive(Debug)]
pub struct Opened<S: Side> {
    /// The connection.
    pub stream: Stream<S>,
    /// How the handshake went.
    pub outcome: S::Outcome,
    /// The application data that came along with the peer's last flight.
    pub first: Vec<u8>,
}

/// Why a handshake did not come to its end.
#[derive(Debug)]
pub enum HandshakeError<S> {
    /// The peer left, with a FIN or a reset.
    Left(Closed),
    /// The peer broke the protocol, asks for what is not served, or is not to be trusted.
    Tls(rustls::Error, Refused<S>),
    /// It could not even begin.
    Ours(rustls::Error),
}

/// A connection that has sent its close_notify: all it can do is read on.
#[derive(Debug)]
pub struct Closing<S> {
    channel: Box<Channel<S>>,
    /// Whether the FIN comes behind what is left to send.
    owes_fin: bool,
}

/// A connection that ended in a fatal alert, which has still to arrive.
#[derive(Debug)]
pub struct Refused<S> {
    channel: Box<Channel<S>>,
}

/// What reading brought.
#[derive(Debug)]
pub enum Event {
    /// Application data, in [`Scratch::plain`].
    Data,
    /// The peer will send no more; [`Scratch::plain`] may hold the last of its data.
    Closed(Closed),
}

/// How the peer ended its side.
#[derive(Clone, Debug, PartialEq)]
pub enum Closed {
    /// With close_notify.
    Clean,
    /// With a FIN and no close_notify: what came may not be all (RFC 8446 §6.1).
    Truncated,
    /// With a reset.
    Reset,
    /// It broke the protocol, and was told so by an alert.
    Fault(rustls::Error),
}

impl<S: Side> Stream<S> {
    /// Takes a handshake to its end on `channel`, of which `received` was read already.
    pub(crate) async fn open(mut channel: Box<Channel<S>>, received: &[u8]) -> Result<Opened<S>, HandshakeError<S>> {
        match channel.handshake(received).await {
            Ok((outcome, first)) => Ok(Opened { stream: Self { channel }, outcome, first }),
            Err(Closed::Fault(error)) => Err(HandshakeError::Tls(error, Refused { channel })),
            Err(left) => Err(HandshakeError::Left(left)),
        }
    }

    /// Reads once, into [`Scratch::plain`], which is emptied first.
    pub fn poll_event(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Event> {
        self.channel.poll_event(cx, scratch)
    }

    /// Writes `plain`, behind the tickets that were held for this moment.
    ///
    /// What the socket does not take stays with the connection, until
    /// [`poll_flush`](Self::poll_flush) has sent it: do not write more before.
    ///
    /// # Errors
    /// The socket's, or TLS has used up its keys.
    pub fn write(&mut self, plain: &[u8], outgoing: &mut Buffer) -> io::Result<()> {
        outgoing.clear();
        self.channel.session.engine_mut().write(plain, outgoing).map_err(io::Error::other)?;
        self.channel.send(outgoing.filled())
    }

    /// Sends the held tickets without waiting for application data.
    ///
    /// # Errors
    /// The socket's.
    pub fn send_tickets(&mut self) -> io::Result<()> {
        Scratch::lend(|scratch| {
            scratch.outgoing.clear();
            self.channel.session.engine_mut().release(&mut scratch.outgoing);
            self.channel.send(scratch.outgoing.filled())
        })
    }

    /// Sends what is left over from an earlier write.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.poll_flush(cx)
    }

    /// Ends our side with close_notify. Nothing can be written afterwards: the stream is gone,
    /// and what is left of it reads on.
    pub fn close(mut self, outgoing: &mut Buffer) -> Closing<S> {
        outgoing.clear();
        // A connection that cannot send any more needs no close_notify.
        if self.channel.session.engine_mut().close(outgoing).is_ok() {
            // Where the FIN follows, now or when the connection is dropped, one packet will do for both.
            let flags = if S::FIN_FOLLOWS { SendFlags::MORE } else { SendFlags::empty() };
            let _ = self.channel.send_with(outgoing.filled(), flags);
        }
        Closing { channel: self.channel, owes_fin: S::FIN_FOLLOWS }
    }

    /// Ends our side without close_notify: what was written is not all there was.
    pub fn cut_short(self) -> Closing<S> {
        let owes_fin = !self.channel.unsent.is_empty();
        if !owes_fin {
            let _ = rustix::net::shutdown(&self.channel.tcp, Shutdown::Write);
        }
        Closing { channel: self.channel, owes_fin }
    }

    /// What is left after [`Closed::Fault`]: the alert has still to arrive. Or after what the peer must not take for all.
    pub fn refuse(self) -> Refused<S> {
        Refused { channel: self.channel }
    }

    /// How many bytes the peer has not acknowledged yet.
    pub fn unacknowledged(&self) -> usize {
        self.channel.unacknowledged()
    }

    /// The TLS side of it: names, chain, suite.
    pub fn session(&self) -> &S {
        &self.channel.session
    }
}

impl<S: Side> Closing<S> {
    /// Reads once, into [`Scratch::plain`], which is emptied first.
    pub fn poll_event(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Event> {
        self.channel.poll_event(cx, scratch)
    }

    /// Whether everything, close_notify last, is with the socket. Dropped now, the connection ends with a FIN behind it.
    pub fn is_sent(&self) -> bool {
        self.channel.unsent.is_empty()
    }

    /// How many bytes, close_notify included, the peer has not acknowledged yet.
    pub fn unacknowledged(&self) -> usize {
        self.channel.unacknowledged()
    }

    /// Sends what is left, close_notify last; and then, as a server, the FIN: there are clients that wait for nothing less.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.channel.poll_flush(cx))?;
        if std::mem::take(&mut self.owes_fin) {
            ready!(Pin::new(&mut self.channel.tcp).poll_shutdown(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// What is left after [`Closed::Fault`]: the alert has still to arrive.
    pub fn refuse(self) -> Refused<S> {
        Refused { channel: self.channel }
    }

    pub(crate) fn into_channel(self) -> Box<Channel<S>> {
        self.channel
    }
}

impl Closing<Session> {
    /// Waits, no longer than `limit`, until all is sent and the peer has ended its side too;
    /// what it still sends is thrown away. `None` if the time was not enough.
    pub async fn finish(mut self, limit: Duration) -> Option<Closed> {
        timeout(limit, async {
            if poll_fn(|cx| self.poll_flush(cx)).await.is_err() {
                return Closed::Reset;
            }
            loop {
                let event = poll_fn(|cx| Scratch::lend(|scratch| self.poll_event(cx, scratch)));
                if let Event::Closed(closed) = event.await {
                    return closed;
                }
            }
        })
        .await
        .ok()
    }
}

impl<S: Side> Refused<S> {
    pub(crate) fn into_channel(self) -> Box<Channel<S>> {
        self.channel
    }

    /// Sends the alert and the FIN, then reads whatever the peer is still sending until it is
    /// done, for `limit` at most: unread bytes would turn the close into a reset, and a reset
    /// would overtake the alert.
    pub async fn drain(self, limit: Duration) {
        let mut channel = self.channel;
        let _ = timeout(limit, async {
            poll_fn(|cx| channel.poll_flush(cx)).await?;
            poll_fn(|cx| Pin::new(&mut channel.tcp).poll_shutdown(cx)).await?;
            while poll_fn(|cx| Scratch::lend(|scratch| channel.poll_discard(cx, scratch))).await? > 0 {}
            io::Result::Ok(())
        })
        .await;
    }
}
