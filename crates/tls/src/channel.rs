//! A socket and a TLS session, and what is between them.
//!
//! The buffers are the worker's ([`Scratch`]); a connection owns only what is left over: the beginning of a record, or
//! records the socket would not take yet.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{SendFlags, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::buffer::{Buffer, READ, Scratch};
use crate::engine::Side;
use crate::send_queue;
use crate::stream::{Closed, Event};

/// A socket and a TLS session, and what is between them. It is large, and lives in one place from the handshake on.
#[derive(Debug)]
pub(crate) struct Channel<S> {
    pub(crate) tcp: TcpStream,
    pub(crate) session: S,
    /// Records the socket would not take.
    pub(crate) unsent: Vec<u8>,
    /// Whether a write failed of a reset. That took the socket's error with it: the read that follows shows a plain end.
    is_reset: bool,
    /// How the peer ended its side, where it did so along with its last flight.
    ended: Option<Box<Closed>>,
    heard: Heard,
    /// Whether something will be written as soon as the handshake is over: our last flight can go along with it.
    pub(crate) speaks_first: bool,
}

/// What was heard of the peer's end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing: it may still write.
    Nothing,
    /// Its close_notify, and no FIN yet.
    CloseNotify,
    /// The end of TCP: a FIN or a reset.
    End,
}

/// How a handshake went, and the application data that came along with the peer's last flight; or how the peer ended it.
pub(crate) type Handshake<S> = Result<(<S as Side>::Outcome, Vec<u8>), Closed>;

impl<S: Side> Channel<S> {
    pub(crate) fn new(tcp: TcpStream, session: S) -> Self {
        Self {
            tcp,
            session,
            unsent: Vec::new(),
            is_reset: false,
            ended: None,
            heard: Heard::Nothing,
            speaks_first: false,
        }
    }

    /// Takes the handshake to its end; `received` has been read already.
    pub(crate) async fn handshake(&mut self, received: &[u8]) -> Handshake<S> {
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
    fn handshake_result(&mut self, event: Option<Event>, scratch: &Scratch) -> Option<Handshake<S>> {
        let Some(outcome) = self.session.take_outcome() else {
            return match event? {
                Event::Closed(closed) => Some(Err(closed)),
                Event::Data => None,
            };
        };
        self.speaks_first = false;
        match event {
            Some(Event::Closed(closed)) => self.ended = Some(Box::new(closed)),
            Some(Event::Data) => {}
            None if self.session.acknowledges_at_once() => self.acknowledge_now(),
            None => {}
        }
        Some(Ok((outcome, scratch.plain.filled().to_vec())))
    }

    /// How many bytes are not with the peer yet, as far as it is known.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.unsent.len() + send_queue::length(&self.tcp)
    }

    /// What was heard of the peer's end.
    pub(crate) fn heard(&self) -> Heard {
        self.heard
    }

    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Event> {
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
        scratch.incoming.extend(self.session.engine().unread());
        match ready!(poll_read(&mut self.tcp, cx, &mut scratch.incoming)) {
            Ok(length) if length > 0 => Poll::Ready(self.digest(scratch)),
            end => {
                self.heard = Heard::End;
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
        let waits = self.speaks_first && !self.session.engine().is_handshaking();
        let flags = if waits { SendFlags::MORE } else { SendFlags::empty() };
        // A failure to send shows at the next read.
        let _ = self.send_with(scratch.outgoing.filled(), flags);
        match fed {
            Ok(fed) => {
                if fed.peer_closed {
                    self.heard = Heard::CloseNotify;
                    Some(Event::Closed(Closed::Clean))
                } else {
                    (!scratch.plain.is_empty()).then_some(Event::Data)
                }
            }
            Err(error) => Some(Event::Closed(Closed::Fault(error))),
        }
    }

    /// Sends `records`, and keeps what the socket does not take.
    pub(crate) fn send(&mut self, records: &[u8]) -> io::Result<()> {
        self.send_with(records, SendFlags::empty())
    }

    pub(crate) fn send_with(&mut self, records: &[u8], flags: SendFlags) -> io::Result<()> {
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

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    /// Reads once, and throws away what came. Answers how much that was; 0 is the end.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<io::Result<usize>> {
        scratch.incoming.clear();
        let read = ready!(poll_read(&mut self.tcp, cx, &mut scratch.incoming));
        if !matches!(read, Ok(1..)) {
            self.heard = Heard::End;
        }
        Poll::Ready(read)
    }

    /// A client under Nagle (RFC 896) sends its request only when its Finished is acknowledged, and no answer of ours will
    /// carry the acknowledgement: without this it is 40 ms late.
    fn acknowledge_now(&self) {
        let _ = sockopt::set_tcp_quickack(&self.tcp, true);
    }
}

/// Reads once, behind what `buffer` holds.
pub(crate) fn poll_read(tcp: &mut TcpStream, cx: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<usize>> {
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
