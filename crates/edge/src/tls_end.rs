//! One end of a relay that speaks TLS, from open to closed.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use raincheck_tls::engine::Side;
use raincheck_tls::{Buffer, Closing, Event, Scratch, Stream};

/// A connection that can be written to, or one that has been closed and reads on.
#[derive(Debug)]
pub enum TlsEnd<S> {
    /// Both sides may write.
    Open(Stream<S>),
    /// We are done.
    Closing(Closing<S>),
    /// For the moment in which one becomes the other.
    Between,
}

impl<S: Side> TlsEnd<S> {
    /// Reads once, into [`Scratch::plain`], which is emptied first.
    pub fn poll_event(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Event> {
        match self {
            Self::Open(stream) => stream.poll_event(cx, scratch),
            Self::Closing(closing) => closing.poll_event(cx, scratch),
            Self::Between => Poll::Pending,
        }
    }

    /// Sends what is left over.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Open(stream) => stream.poll_flush(cx),
            Self::Closing(closing) => closing.poll_flush(cx),
            Self::Between => Poll::Pending,
        }
    }

    /// Whether it was told all there is to tell, close_notify included.
    pub fn is_sent(&self) -> bool {
        matches!(self, Self::Closing(closing) if closing.is_sent())
    }

    /// Whether our side has not been ended.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// How many bytes the peer has not acknowledged yet.
    pub fn unacknowledged(&self) -> usize {
        match self {
            Self::Open(stream) => stream.unacknowledged(),
            Self::Closing(closing) => closing.unacknowledged(),
            Self::Between => 0,
        }
    }

    /// Writes what must have been flushed before.
    ///
    /// # Errors
    /// Our side was ended, or the socket's.
    pub fn write(&mut self, bytes: &[u8], outgoing: &mut Buffer) -> io::Result<()> {
        match self {
            Self::Open(stream) => stream.write(bytes, outgoing),
            Self::Closing(_) | Self::Between => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Ends our side with close_notify, if it is open.
    pub fn close(&mut self, outgoing: &mut Buffer) {
        self.end(|stream| stream.close(outgoing));
    }

    /// Ends our side without close_notify, if it is open.
    pub fn cut_short(&mut self) {
        self.end(Stream::cut_short);
    }

    /// Sees to it that an alert arrives, or what was written before an end that must not look like one.
    pub async fn refuse(self, limit: Duration) {
        match self {
            Self::Open(stream) => stream.refuse().drain(limit).await,
            Self::Closing(closing) => closing.refuse().drain(limit).await,
            Self::Between => {}
        }
    }

    /// What there is, leaving nothing.
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Between)
    }

    fn end(&mut self, how: impl FnOnce(Stream<S>) -> Closing<S>) {
        *self = match self.take() {
            Self::Open(stream) => Self::Closing(how(stream)),
            closed => closed,
        };
    }
}
