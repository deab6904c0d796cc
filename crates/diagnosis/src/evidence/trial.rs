use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Answer, Connection, Failure, Kind, Offer, Way};

/// A server as a probe saw it, at one of its addresses.
#[derive(Clone, Debug)]
pub struct Examination {
    /// What it was called: `HOST:PORT`.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// The connections that were made, in order.
    pub trials: Vec<Trial>,
    /// What became of a client that only writes, if that was tried.
    pub write_only: Option<WriteOnly>,
}

/// A connection that was made for what it shows.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What it was made for.
    pub experiment: Experiment,
    /// The way to resume that is tried.
    pub way: Way,
    /// The trial whose session was offered, by its place among all; `None` where the session was to be made.
    pub offered: Option<usize>,
    /// How the client was to end it.
    pub ending: Ending,
    /// How the server asked for the client's certificate, if it did.
    pub certificate_request: Option<CertificateRequest>,
    /// What was said after the handshake.
    pub said: Said,
    /// The sessions that it gained.
    pub gained: usize,
    /// Those of them that came before anything was said.
    pub unasked: usize,
    /// What was seen.
    pub connection: Connection,
    /// Why it came to less than it should.
    pub failure: Option<Failure>,
}

/// What a connection was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    /// A first look, with every version offered.
    Look,
    /// To see whether a session resumes.
    Resume,
    /// To see whether it does after an end of that kind.
    Close,
    /// To see whether it does on several connections at once.
    Parallel,
    /// To see whether it does under another name than it was made under.
    OtherName,
    /// To see whether a handshake succeeds without the client's certificate.
    WithoutCertificate,
    /// To see whether the server takes what is said before the handshake is over.
    EarlyData,
    /// To see for how long it does.
    Canary,
}

/// How a client ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// close_notify, then waiting for the server's end.
    Clean,
    /// A FIN without close_notify.
    Fin,
    /// A reset.
    Reset,
}

/// How a server asked for the client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    /// The names of the authorities whose certificates it takes, sorted; none where it leaves that open.
    pub authorities: Vec<Vec<u8>>,
    /// Whether one was shown.
    pub shown: bool,
}

/// What was said on a connection once the handshake was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing.
    Nothing,
    /// Something, and the server did not answer.
    Unanswered,
    /// Something, and the server answered.
    Answered,
}

/// What became of a client that writes, never reads, and closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteOnly {
    /// What the server had said before anything was written, in bytes, and the client left unread.
    pub unasked: usize,
    /// How much it had written, in bytes of the wire.
    pub written: usize,
    /// How much of that the server's kernel had not acknowledged when it closed. A kernel that resets throws it away.
    pub unacknowledged: usize,
    /// What lay there unread when it closed, in bytes. Of anything a kernel makes a reset in place of a FIN.
    pub unread: usize,
    /// Why it came to nothing.
    pub failure: Option<Failure>,
}

impl Trial {
    /// Whether the offered session was resumed. `Unknown` if nothing was offered, or the connection ended before that showed.
    pub fn resumed(&self) -> Answer {
        let shown = self.connection.offer();
        let offered = match self.way {
            Way::Psk => matches!(shown, Offer::Psk(_)),
            Way::Ticket => matches!(shown, Offer::Ticket(_)),
            Way::SessionId => matches!(shown, Offer::SessionId(_)),
        };
        match self.connection.agreed() {
            _ if self.offered.is_none() || !offered => Answer::Unknown,
            Kind::Full => Answer::No,
            kind if kind.is_resumed() && self.connection.is_established() => Answer::Yes,
            _ => Answer::Unknown,
        }
    }

    /// Whether the handshake came to its end, and the server had nothing against it afterwards.
    pub fn is_sound(&self) -> bool {
        let refused = matches!(self.failure, Some(Failure::Alert(_)));
        self.connection.is_established() && !refused
    }

    /// How long the handshake took.
    pub fn handshake(&self) -> Option<Duration> {
        let begin = self.connection.client_hello.as_ref()?.at;
        let end = self.connection.finished.client.max(self.connection.finished.server)?;
        self.is_sound().then(|| end.time.since(begin.time))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "close_notify",
            Self::Fin => "a FIN without close_notify",
            Self::Reset => "a reset",
        })
    }
}
