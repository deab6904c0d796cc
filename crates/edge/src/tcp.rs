//! Mode `tcp`: bytes of a TLS client to a server and back.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use raincheck_tls::{Buffer, Closed, Event, Scratch, ServerStream, Session};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::counters::How;
use crate::tls_end::TlsEnd;
use crate::upstream::UpstreamIo;

/// What came of a relayed connection.
#[derive(Debug)]
pub struct Relayed {
    /// How the client ended its side.
    pub client: How,
    /// How the server ended its side; `None` where we left it first.
    pub upstream: Option<How>,
    /// Application bytes from the client.
    pub bytes_in: u64,
    /// Application bytes to the client.
    pub bytes_out: u64,
    /// What TLS had against the client, where it broke the protocol.
    pub fault: Option<rustls::Error>,
}

/// Both directions of a connection, and how far each has come.
#[derive(Debug)]
pub struct Relay {
    client: TlsEnd<Session>,
    client_ended: Option<Closed>,
    /// Whether the client can still be written to. What the server says afterwards is thrown away, but what the client
    /// had said before is still read: a reset does not take that back.
    client_takes: bool,
    /// Whether the client had still something to read when it had said its last. What it may say all the same has to be
    /// read then: unread, it would reset the connection.
    client_lags: bool,
    upstream: UpstreamIo,
    upstream_ended: Option<How>,
    /// The same for the server: its answer may be there although it takes no more questions.
    upstream_takes: bool,
    /// Whether a write to a server without TLS failed of anything but its end. That took the socket's error with it: the
    /// read that follows shows a plain end, and it is none.
    upstream_broke: bool,
    /// Whether the server knows that the client is done.
    upstream_told: bool,
    /// Whether the client went on speaking when the server had ended its side: the server may have ended that side alone.
    spoke_on: bool,
    /// What the client said and the server did not take yet.
    unsent: Vec<u8>,
    bytes_in: u64,
    bytes_out: u64,
}

/// Why a relay ended.
enum End {
    BothDone,
    ClientBroke,
    UpstreamBroke,
    Idle,
}

/// Whether a step moved anything.
type Moved = Result<bool, End>;

impl Relay {
    /// Between `client` and `upstream`; `unsent` is what the client has said already and the server has not heard, `answer`
    /// is what the server has said already.
    pub fn new(client: ServerStream, upstream: UpstreamIo, unsent: Vec<u8>, answer: &[u8]) -> Self {
        let mut relay = Self {
            client: TlsEnd::Open(client),
            client_ended: None,
            client_takes: true,
            client_lags: false,
            upstream,
            upstream_ended: None,
            upstream_takes: true,
            upstream_broke: false,
            upstream_told: false,
            spoke_on: false,
            bytes_in: 0,
            bytes_out: 0,
            unsent,
        };
        if !answer.is_empty() {
            Scratch::lend(|scratch| relay.answer(answer, &mut scratch.outgoing));
        }
        relay
    }

    /// Carries bytes both ways until both sides are done, or nothing moved for `limit`.
    pub async fn run(&mut self, limit: Duration) -> Relayed {
        let end = {
            let mut idle = Idle::new(limit);
            let mut timer = pin!(sleep_until(idle.due));
            poll_fn(|cx| self.poll(cx, &mut idle, timer.as_mut())).await
        };
        if self.owes_farewell(&end) {
            // Seldom, so it takes no room in the others' tasks.
            Box::pin(self.farewell(limit)).await;
        }
        self.upstream.let_go(LINGER);
        self.result(&end)
    }

    /// Whether the client would not get, or would misunderstand, what it was told, if the connection were dropped now.
    fn owes_farewell(&self, end: &End) -> bool {
        match end {
            End::UpstreamBroke => true,
            End::BothDone => self.client_lags && self.client.unacknowledged() > 0,
            End::ClientBroke | End::Idle => matches!(self.client_ended, Some(Closed::Fault(_))),
        }
    }

    /// Ends the client's connection with care: an alert arrives, and so does what the server said, whether the end behind
    /// it is one or only where the server broke off.
    async fn farewell(&mut self, limit: Duration) {
        // The server need not wait for that.
        if !self.upstream_told {
            let upstream = &mut self.upstream;
            poll_fn(|cx| {
                Scratch::lend(|scratch| upstream.end(cx, false, &mut scratch.outgoing));
                Poll::Ready(())
            })
            .await;
        }
        match self.client.take() {
            TlsEnd::Closing(closing) if self.client_lags => _ = closing.finish(limit).await,
            client => client.refuse(LINGER).await,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, idle: &mut Idle, mut timer: Pin<&mut Sleep>) -> Poll<End> {
        loop {
            let moved = Scratch::lend(|scratch| -> Moved {
                let forth = self.step_upstream(cx, scratch)?;
                Ok(self.step_client(cx, scratch)? || forth)
            });
            match moved {
                Err(end) => return Poll::Ready(end),
                // What is thrown away keeps nothing alive.
                Ok(true) if self.only_discards() => {
                    idle.shorten(LINGER);
                    if idle.is_over() {
                        return Poll::Ready(if self.client_takes { End::Idle } else { End::ClientBroke });
                    }
                }
                Ok(true) => idle.restart(self.patience()),
                Ok(false) if idle.poll(cx, timer.as_mut()).is_pending() => return Poll::Pending,
                Ok(false) if self.owes_close() => {
                    Scratch::lend(|scratch| self.client.close(&mut scratch.outgoing));
                    idle.restart(self.patience());
                }
                Ok(false) if !self.client.is_open() && idle.awaits(self.client.unacknowledged()) => {}
                Ok(false) => return Poll::Ready(End::Idle),
            }
        }
    }

    /// One step from the client to the server.
    fn step_upstream(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Moved {
        let mut moved = self.flush_upstream(cx, &mut scratch.outgoing);
        if !self.unsent.is_empty() {
            return Ok(moved);
        }
        if self.client_ended.is_none()
            && let Poll::Ready(event) = self.client.poll_event(cx, scratch)
        {
            moved = true;
            self.bytes_in += scratch.plain.len() as u64;
            self.spoke_on |= self.upstream_ended.is_some() && !scratch.plain.is_empty();
            self.unsent = self.write_upstream(cx, scratch.plain.filled(), &mut scratch.outgoing).to_vec();
            if let Event::Closed(closed) = event {
                self.client_ended = Some(closed);
            }
        }
        if let Some(closed) = &self.client_ended
            && self.unsent.is_empty()
            && !self.upstream_told
        {
            if matches!(closed, Closed::Reset | Closed::Fault(_)) {
                return Err(End::ClientBroke);
            }
            self.upstream_told = true;
            moved = true;
            let is_whole = *closed == Closed::Clean;
            self.upstream.end(cx, is_whole, &mut scratch.outgoing);
        }
        Ok(moved)
    }

    /// One step from the server to the client.
    fn step_client(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Moved {
        if self.upstream_ended.is_some() && self.upstream_told && self.client.is_sent() && self.upstream.is_sent() {
            return Err(End::BothDone);
        }
        match self.client.poll_flush(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => self.client_takes = false,
            Poll::Pending => return Ok(false),
        }
        if self.upstream_ended.is_some() {
            // A client the server never spoke to may be one that only writes: bytes it does not read would turn its
            // close into a reset. So our close waits until it has said all it has to say.
            let due = self.owes_close() && (self.bytes_out > 0 || self.client_ended.is_some());
            if due {
                self.client_lags = self.client.unacknowledged() > 0;
                self.client.close(&mut scratch.outgoing);
            }
            return Ok(due);
        }
        let Poll::Ready(event) = self.upstream.poll_event(cx, scratch) else {
            return Ok(false);
        };
        if !scratch.plain.is_empty() && self.client_takes {
            self.answer(scratch.plain.filled(), &mut scratch.outgoing);
        }
        if let Event::Closed(closed) = event {
            let how = if self.upstream_broke { How::Reset } else { How::from(&closed) };
            self.upstream_ended = Some(how);
            if how != How::Clean {
                return Err(End::UpstreamBroke);
            }
        }
        Ok(true)
    }

    /// Tells the client what the server says.
    fn answer(&mut self, bytes: &[u8], outgoing: &mut Buffer) {
        self.bytes_out += bytes.len() as u64;
        self.client_takes = self.client.write(bytes, outgoing).is_ok();
    }

    /// Whether the server is done and the client was not told yet.
    fn owes_close(&self) -> bool {
        self.upstream_ended.is_some() && self.client.is_open()
    }

    /// Whether all that is left to do is to read what one side says to nobody. Not to read it would reset the connection,
    /// and that side might lose what it was told.
    fn only_discards(&self) -> bool {
        let to_server = !self.upstream_takes && self.upstream_ended.is_some() && !self.client.is_open();
        to_server || !self.client_takes && self.upstream_told
    }

    /// How long the connection may rest as it stands now; `None` for as long as any.
    fn patience(&self) -> Option<Duration> {
        match &self.client {
            TlsEnd::Open(_) => self.owes_close().then_some(QUIET),
            // It has as much time as ever for what it has to say.
            _ if self.spoke_on && self.upstream_takes && self.client_ended.is_none() => None,
            _ => Some(LINGER),
        }
    }

    /// Gives the server what it did not take earlier. Answers whether it took any.
    fn flush_upstream(&mut self, cx: &mut Context<'_>, outgoing: &mut Buffer) -> bool {
        if let Poll::Ready(Err(_)) = self.upstream.poll_flush(cx) {
            self.upstream_takes = false;
        }
        if self.unsent.is_empty() {
            return false;
        }
        let unsent = std::mem::take(&mut self.unsent);
        let rest = self.write_upstream(cx, &unsent, outgoing);
        let moved = rest.len() < unsent.len();
        self.unsent = rest.to_vec();
        moved
    }

    /// Writes to the server and answers what it did not take. A server that takes nothing any more has taken it all.
    fn write_upstream<'a>(&mut self, cx: &mut Context<'_>, mut bytes: &'a [u8], outgoing: &mut Buffer) -> &'a [u8] {
        while !bytes.is_empty() && self.upstream_takes {
            match self.upstream.poll_write(cx, bytes, outgoing) {
                Poll::Ready(Ok(sent)) => bytes = &bytes[sent..],
                Poll::Ready(Err(error)) => {
                    self.upstream_takes = false;
                    self.upstream_broke = self.upstream.is_plain() && error.kind() != io::ErrorKind::BrokenPipe;
                }
                Poll::Pending => return bytes,
            }
        }
        &[]
    }

    fn result(&mut self, end: &End) -> Relayed {
        let client = match (&self.client_ended, end) {
            (Some(closed), _) => How::from(closed),
            // By us, so that the answer does not look whole.
            (None, End::UpstreamBroke) => self.upstream_ended.unwrap_or(How::Reset),
            (None, _) => How::Timeout,
        };
        let upstream = match end {
            End::Idle => self.upstream_ended.or(Some(How::Timeout)),
            _ => self.upstream_ended,
        };
        let fault = match self.client_ended.take() {
            Some(Closed::Fault(fault)) => Some(fault),
            _ => None,
        };
        Relayed { client, upstream, bytes_in: self.bytes_in, bytes_out: self.bytes_out, fault }
    }
}

/// When a connection on which nothing moves has lasted long enough.
struct Idle {
    limit: Duration,
    due: Instant,
    /// What a client that is being closed had still to acknowledge when it was last looked at, and for how long that has
    /// not become less.
    queue: usize,
    stalled: Duration,
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self { limit, due: Instant::now() + limit, queue: 0, stalled: Duration::ZERO }
    }

    /// Something moved; what moves next may take no longer than `patience`, nor than any.
    fn restart(&mut self, patience: Option<Duration>) {
        let limit = patience.map_or(self.limit, |patience| patience.min(self.limit));
        self.due = Instant::now() + limit;
    }

    /// Whatever moves, it is over in `patience`.
    fn shorten(&mut self, patience: Duration) {
        self.due = self.due.min(Instant::now() + patience);
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.due
    }

    /// Whether a client that has still to acknowledge `queue` bytes gets more time. It may read as slowly as any other.
    fn awaits(&mut self, queue: usize) -> bool {
        self.stalled = if queue < self.queue { Duration::ZERO } else { self.stalled + LINGER };
        let had_nothing_to_read = queue == 0 && self.queue == 0;
        self.queue = queue;
        self.restart(Some(LINGER));
        !had_nothing_to_read && self.stalled < self.limit.max(LINGER)
    }

    /// The timer is left alone while bytes move; when it fires too early it is set anew.
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        if timer.deadline() > self.due {
            timer.as_mut().reset(self.due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if self.is_over() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(self.due);
        }
        Poll::Pending
    }
}

/// How long a client that was never spoken to has to be silent before it is told that the server is done.
const QUIET: Duration = Duration::from_secs(1);

/// How long a client has to answer our close_notify, or to read an alert.
pub const LINGER: Duration = Duration::from_secs(10);
