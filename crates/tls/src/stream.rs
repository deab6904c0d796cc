//! A TLS connection on a socket: reads, writes and ends it.
//!
//! The buffers are the worker's ([`Scratch`]); a connection owns only what is left over: the
//! beginning of a record, or records the socket would not take yet.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{SendFlags, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::buffer::{Buffer, READ, Scratch};
use crate::endpoint::Endpoint;
use crate::hello::{self, ClientHello};
use crate::reason::Outcome;
use crate::send_queue;
use crate::session::Session;

/// An open connection: both sides may write.
#[derive(Debug)]
pub struct ServerStream {
    channel: Box<Channel>,
}

/// A connection whose handshake is over.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: ServerStream,
    /// How the handshake went.
    pub outcome: Outcome,
    /// The application data that came along with the client's last flight.
    pub first: Vec<u8>,
}

/// A connection that has sent its close_notify: all it can do is read on.
#[derive(Debug)]
pub struct Closing {
    channel: Box<Channel>,
    fin_sent: bool,
}

/// A connection that ended in a fatal alert, which has still to arrive.
#[derive(Debug)]
pub struct Refused {
    channel: Box<Channel>,
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

/// Why a handshake did not come to its end.
#[derive(Debug)]
pub enum HandshakeError {
    /// The peer left, with a FIN or a reset.
    Left(Closed),
    /// The peer broke the protocol, asks for what is not served, or is not to be trusted.
    Tls(rustls::Error, Refused),
}

impl ServerStream {
    /// Takes the server's part of a handshake on `tcp`, of which `received` was read already.
    ///
    /// There is no limit of time in here: who calls it sets one.
    ///
    /// # Errors
    /// See [`HandshakeError`].
    pub async fn accept(
        tcp: TcpStream,
        endpoint: &Arc<Endpoint>,
        received: Vec<u8>,
    ) -> Result<Accepted, HandshakeError> {
        let mut opening = Opening { tcp, received };
        let hello = poll_fn(|cx| opening.poll_hello(cx)).await.map_err(HandshakeError::Left)?;
        // A configuration that made an Endpoint makes connections too.
        let session =
            endpoint.connection(hello.as_deref()).map_err(|error| HandshakeError::Left(Closed::Fault(error)))?;
        drop(hello);
        let Opening { tcp, received } = opening;
        let mut channel = Box::new(Channel { tcp, session, unsent: Vec::new(), is_reset: false, ended: None });
        match channel.handshake(&received).await {
            Ok((outcome, first)) => Ok(Accepted { stream: Self { channel }, outcome, first }),
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
        self.channel.session.write(plain, outgoing).map_err(io::Error::other)?;
        self.channel.send(outgoing.filled())
    }

    /// Sends the held tickets without waiting for application data.
    ///
    /// # Errors
    /// The socket's.
    pub fn send_tickets(&mut self) -> io::Result<()> {
        Scratch::lend(|scratch| {
            scratch.outgoing.clear();
            self.channel.session.send_tickets(&mut scratch.outgoing);
            self.channel.send(scratch.outgoing.filled())
        })
    }

    /// Sends what is left over from an earlier write.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.channel.poll_flush(cx)
    }

    /// Ends our side with close_notify. Nothing can be written afterwards: the stream is gone,
    /// and what is left of it reads on.
    pub fn close(mut self, outgoing: &mut Buffer) -> Closing {
        outgoing.clear();
        // A connection that cannot send any more needs no close_notify.
        if self.channel.session.close(outgoing).is_ok() {
            // The FIN follows, now or when the connection is dropped: one packet will do for both.
            let _ = self.channel.send_with(outgoing.filled(), SendFlags::MORE);
        }
        Closing { channel: self.channel, fin_sent: false }
    }

    /// What is left after [`Closed::Fault`]: the alert has still to arrive.
    pub fn refuse(self) -> Refused {
        Refused { channel: self.channel }
    }

    /// The TLS side of it: names, chain, suite.
    pub fn session(&self) -> &Session {
        &self.channel.session
    }
}

impl Closing {
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
        self.channel.unsent.len() + send_queue::length(&self.channel.tcp)
    }

    /// Sends what is left, close_notify last, and then the FIN: there are clients that wait for nothing less.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.channel.poll_flush(cx))?;
        if !std::mem::replace(&mut self.fin_sent, true) {
            ready!(Pin::new(&mut self.channel.tcp).poll_shutdown(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// What is left after [`Closed::Fault`]: the alert has still to arrive.
    pub fn refuse(self) -> Refused {
        Refused { channel: self.channel }
    }

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

impl Refused {
    /// Sends the alert and the FIN, then reads whatever the peer is still sending until it is
    /// done, for `limit` at most: unread bytes would turn the close into a reset, and a reset
    /// would overtake the alert.
    pub async fn drain(self, limit: Duration) {
        let mut channel = self.channel;
        let _ = timeout(limit, async {
            poll_fn(|cx| channel.poll_flush(cx)).await?;
            poll_fn(|cx| Pin::new(&mut channel.tcp).poll_shutdown(cx)).await?;
            poll_fn(|cx| Scratch::lend(|scratch| channel.poll_discard(cx, scratch))).await
        })
        .await;
    }
}

/// A connection of which there is no more yet than a socket and its first bytes.
struct Opening {
    tcp: TcpStream,
    received: Vec<u8>,
}

impl Opening {
    /// Reads until there is a whole ClientHello; `None` for what will never be one.
    fn poll_hello(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Box<ClientHello>>, Closed>> {
        loop {
            if self.received.len() > MOST_RECEIVED {
                return Poll::Ready(Ok(None));
            }
            match hello::read(&self.received) {
                hello::Read::Hello(hello) => return Poll::Ready(Ok(Some(hello))),
                hello::Read::Malformed => return Poll::Ready(Ok(None)),
                hello::Read::Incomplete => {}
            }
            let length = ready!(Scratch::lend(|scratch| {
                scratch.incoming.clear();
                let read = poll_read(&mut self.tcp, cx, &mut scratch.incoming);
                self.received.extend_from_slice(scratch.incoming.filled());
                read
            }))
            .map_err(|_| Closed::Reset)?;
            if length == 0 {
                return Poll::Ready(Err(Closed::Truncated));
            }
        }
    }
}

/// A socket and a TLS session, and what is between them. It is large, and lives in one place from the handshake on.
#[derive(Debug)]
struct Channel {
    tcp: TcpStream,
    session: Session,
    /// Records the socket would not take.
    unsent: Vec<u8>,
    /// Whether a write failed of a reset. That took the socket's error with it: the read that follows shows a plain end.
    is_reset: bool,
    /// How the client ended its side, where it did so along with its last flight.
    ended: Option<Box<Closed>>,
}

impl Channel {
    /// Takes the handshake to its end; `received` is the ClientHello, which has been read.
    async fn handshake(&mut self, received: &[u8]) -> Result<(Outcome, Vec<u8>), Closed> {
        let mut result = Scratch::lend(|scratch| {
            scratch.incoming.clear();
            scratch.incoming.extend(received);
            let event = self.digest(scratch);
            self.handshake_result(event, scratch)
        });
        loop {
            if let Some(result) = result {
                return result;
            }
            result = poll_fn(|cx| {
                if let Poll::Ready(Err(_)) = self.poll_flush(cx) {
                    return Poll::Ready(Some(Err(Closed::Reset)));
                }
                Scratch::lend(|scratch| {
                    self.poll_progress(cx, scratch).map(|event| self.handshake_result(event, scratch))
                })
            })
            .await;
        }
    }

    /// What `event` makes of the handshake: `None` while it goes on.
    fn handshake_result(
        &mut self,
        event: Option<Event>,
        scratch: &Scratch,
    ) -> Option<Result<(Outcome, Vec<u8>), Closed>> {
        let Some(outcome) = self.session.take_outcome() else {
            return match event? {
                Event::Closed(closed) => Some(Err(closed)),
                Event::Data => None,
            };
        };
        match event {
            Some(Event::Closed(closed)) => self.ended = Some(Box::new(closed)),
            Some(Event::Data) => {}
            None if self.session.client_finishes_last() => self.acknowledge_now(),
            None => {}
        }
        Some(Ok((outcome, scratch.plain.filled().to_vec())))
    }

    fn poll_event(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Event> {
        if let Some(closed) = self.ended.take() {
            scratch.plain.clear();
            return Poll::Ready(Event::Closed(*closed));
        }
        loop {
            if let Some(event) = ready!(self.poll_progress(cx, scratch)) {
                return Poll::Ready(event);
            }
        }
    }

    /// Reads once and processes what came; `None` if nothing came of it.
    fn poll_progress(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Option<Event>> {
        scratch.incoming.clear();
        scratch.incoming.extend(self.session.unread());
        match ready!(poll_read(&mut self.tcp, cx, &mut scratch.incoming)) {
            Ok(length) if length > 0 => Poll::Ready(self.digest(scratch)),
            end => {
                scratch.plain.clear();
                let closed = if end.is_err() || self.is_reset { Closed::Reset } else { Closed::Truncated };
                Poll::Ready(Some(Event::Closed(closed)))
            }
        }
    }

    /// Takes the records in [`Scratch::incoming`], which begins with what was left unread, and
    /// sends at once what TLS has to say at once.
    fn digest(&mut self, scratch: &mut Scratch) -> Option<Event> {
        scratch.plain.clear();
        scratch.outgoing.clear();
        let fed = self.session.feed(scratch.incoming.filled_mut(), &mut scratch.plain, &mut scratch.outgoing);
        // A failure to send shows at the next read.
        let _ = self.send(scratch.outgoing.filled());
        match fed {
            Ok(fed) => {
                if fed.peer_closed {
                    Some(Event::Closed(Closed::Clean))
                } else {
                    (!scratch.plain.is_empty()).then_some(Event::Data)
                }
            }
            Err(error) => Some(Event::Closed(Closed::Fault(error))),
        }
    }

    /// Sends `records`, and keeps what the socket does not take.
    fn send(&mut self, records: &[u8]) -> io::Result<()> {
        self.send_with(records, SendFlags::empty())
    }

    fn send_with(&mut self, records: &[u8], flags: SendFlags) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let sent = if self.unsent.is_empty() {
            send_now(&self.tcp, records, flags).inspect_err(|error| self.is_reset |= is_reset(error))?
        } else {
            0 // not before what is waiting already
        };
        self.unsent.extend_from_slice(&records[sent..]);
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match Pin::new(&mut self.tcp).poll_write(cx, &self.unsent[sent..]) {
                Poll::Ready(Ok(length)) => sent += length,
                Poll::Ready(Err(error)) => {
                    self.is_reset |= is_reset(&error);
                    self.unsent = Vec::new();
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    self.unsent.drain(..sent);
                    return Poll::Pending;
                }
            }
        }
        self.unsent = Vec::new();
        Poll::Ready(Ok(()))
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<io::Result<()>> {
        loop {
            scratch.incoming.clear();
            if ready!(poll_read(&mut self.tcp, cx, &mut scratch.incoming))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// A client under Nagle (RFC 896) sends its request only when its Finished is acknowledged,
    /// and no answer of ours will carry the acknowledgement: without this it is 40 ms late.
    fn acknowledge_now(&self) {
        let _ = sockopt::set_tcp_quickack(&self.tcp, true);
    }
}

/// Reads once, behind what `buffer` holds.
fn poll_read(tcp: &mut TcpStream, cx: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<usize>> {
    let mut room = ReadBuf::new(buffer.room(READ));
    ready!(Pin::new(tcp).poll_read(cx, &mut room))?;
    let length = room.filled().len();
    buffer.advance(length);
    Poll::Ready(Ok(length))
}

/// A broken pipe is the peer's FIN, or follows an error that was told already.
fn is_reset(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::BrokenPipe
}

/// Sends what the socket takes, without asking first whether it would: it nearly always does.
fn send_now(tcp: &TcpStream, bytes: &[u8], flags: SendFlags) -> io::Result<usize> {
    match rustix::net::send(tcp, bytes, flags | SendFlags::NOSIGNAL) {
        Ok(sent) => Ok(sent),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// The most bytes a ClientHello may come in: twice its greatest length, for those who love small records.
const MOST_RECEIVED: usize = 2 * hello::MAX_HELLO;
