//! Checks whether a server can serve, again and again, at next to no cost: its handshakes resume, or its connection stays.

mod http;
mod io;
mod persist;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use raincheck_tls::{ClientStream, Closed, Kind, Scratch};
use rustix::net::sockopt;
use rustls::ProtocolVersion;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use self::http::Held;
use self::persist::persist;
use super::connect::{self, ConnectError};
use super::{Change, Server, Wanted, health};
use crate::config::{self, CheckKind};
use crate::counters::Purpose;
use crate::notice::{Notice, Notices};
use crate::proxy_protocol;

/// What a check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it began.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// Whether it passed.
    pub result: Result<Passed, Arc<Failed>>,
}

/// What is known of a server that passed.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// The status of its answer.
    pub status: Option<u16>,
    /// The version and the kind of the handshake, where there was one.
    pub tls: Option<(ProtocolVersion, Kind)>,
    /// How it ended its side, where that was waited for.
    pub closed: Option<Ended>,
    /// Whether there was no session to offer the next time: it sent no ticket before it had a request.
    pub left_no_session: bool,
}

/// How a server ended the connection of a check.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With close_notify, or a FIN where there is no TLS.
    Clean,
    /// Otherwise.
    Unclean,
}

/// Why a server failed.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// There was no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It took too long.
    #[error("timeout {doing} after {} ms", .after.as_millis())]
    Timeout {
        /// What it was that took too long.
        doing: Doing,
        /// The time it had.
        after: Duration,
    },
    /// The status was another.
    #[error("status {0}")]
    Status(u16),
    /// The text was not in the body.
    #[error("the body lacks the text that is looked for")]
    Body,
    /// What came was no answer.
    #[error("{0}")]
    Answer(String),
}

/// What a check is at.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// TCP.
    Connecting,
    /// TLS.
    Handshaking,
    /// HTTP.
    Waiting,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "while connecting",
            Self::Handshaking => "in the TLS handshake",
            Self::Waiting => "while waiting for the answer",
        })
    }
}

/// What is left to be ended of a check.
enum End {
    /// Nothing.
    None,
    /// A connection on which an answer came.
    Http(Box<Held>),
    /// One on which nothing was asked.
    Tls(Box<ClientStream>),
}

impl End {
    /// Of a connection with an answer, which is held for the next check if it `stays`.
    fn of(connection: Held, stays: bool, held: &mut Option<Held>) -> Self {
        if stays {
            *held = Some(connection);
            return Self::None;
        }
        Self::Http(Box::new(connection))
    }
}

/// What one server's checks need to know.
#[derive(Clone, Debug)]
pub(super) struct Checks {
    pub(super) server: Arc<Server>,
    pub(super) upstream: String,
    pub(super) check: Arc<config::Check>,
    pub(super) send_proxy: Option<config::ProxyVersion>,
    pub(super) notices: Notices,
    /// The beginning of time, for all checks the same.
    pub(super) origin: Instant,
}

impl Checks {
    /// Checks until it is told to stop, whatever happens.
    pub(super) async fn run(self, stop: watch::Receiver<bool>) {
        let tell = |why| {
            let (upstream, server) = (self.upstream.clone(), self.server.name.clone());
            self.notices.tell(Notice::ChecksBroken { upstream, server, why });
        };
        persist(|| self.clone().go_on(stop.clone()), tell).await;
    }

    /// Checks until it is told to stop. A check that is under way comes to its end, so that no session is lost by it.
    async fn go_on(self, mut stop: watch::Receiver<bool>) {
        let mut held = None;
        let mut pause = health::first_check(self.check.every, fastrand::u64(..));
        loop {
            let due = health::together(self.origin.elapsed() + pause, self.check.every);
            tokio::select! {
                () = sleep_until(self.origin + due) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            let standing = self.server.standing();
            if standing.wanted != Wanted::Maintenance {
                let report = self.once(&mut held).await;
                if let Some(change) = self.server.checked(report.clone(), Instant::now().into_std()) {
                    self.tell(change, &report);
                }
            }
            let health = self.server.standing().health;
            pause = health::next_check(self.check.every, self.check.fast_every, health, fastrand::u64(..));
        }
        if let Some(held) = held {
            held.close(self.check.timeout.min(FAREWELL)).await;
        }
    }

    /// One check. How the server ends its side is waited for, but decides nothing: it has said all that was asked of it.
    async fn once(&self, held: &mut Option<Held>) -> Report {
        let (at, begun) = (SystemTime::now(), Instant::now());
        let result = self.attempt(held, begun + self.check.timeout).await;
        let took = begun.elapsed();
        let result = match result {
            Ok((passed, end)) => Ok(self.part(passed, end).await),
            Err(failed) => Err(Arc::new(failed)),
        };
        Report { at, took, result }
    }

    async fn attempt(&self, held: &mut Option<Held>, until: Instant) -> Result<(Passed, End), Failed> {
        if let (Some(mut connection), CheckKind::Http(check)) = (held.take(), &self.check.kind) {
            if !connection.is_over().await {
                return self.ask(connection, check, until, held).await;
            }
            // It was closed meanwhile, which is no failure.
            tokio::spawn(connection.close(FAREWELL));
        }
        let (server, header) = (&self.server, self.header());
        let target = server.target();
        let connecting = async { connect::tcp_after(target.address, &header).await.map_err(ConnectError::from) };
        let tcp = self.within(until, Doing::Connecting, connecting).await?;
        let connector = match &self.check.kind {
            CheckKind::Http(_) => &target.http1,
            CheckKind::Tls | CheckKind::Tcp => &target.connector,
        };
        let (stream, first, passed) = match (connector, &self.check.kind) {
            (None, CheckKind::Http(check)) => {
                let connection = Held::new(io::Io::Tcp(tcp)).await?;
                return self.ask(connection, check, until, held).await;
            }
            (None, _) | (Some(_), CheckKind::Tcp) => {
                // Nothing was said, so nothing is lost by a reset; and it leaves no TIME_WAIT.
                let _ = sockopt::set_socket_linger(&tcp, Some(Duration::ZERO));
                return Ok((Passed::default(), End::None));
            }
            (Some(connector), _) => {
                let handshaking = connect::tls(tcp, connector, &server.counters, Purpose::Check, true);
                let connected = self.within(until, Doing::Handshaking, handshaking).await?;
                let tls = Some((connected.outcome.version, connected.outcome.kind));
                (connected.stream, connected.first, Passed { tls, ..Passed::default() })
            }
        };
        let CheckKind::Http(check) = &self.check.kind else {
            return Ok((passed, End::Tls(Box::new(stream))));
        };
        let connection = Held::new(io::Io::tls(stream, first)).await?;
        let (answered, end) = self.ask(connection, check, until, held).await?;
        Ok((Passed { tls: passed.tls, ..answered }, end))
    }

    /// Asks over `connection`, which has its proper end even if no answer comes; but then nobody waits for it.
    async fn ask(
        &self,
        mut connection: Held,
        check: &config::HttpCheck,
        until: Instant,
        held: &mut Option<Held>,
    ) -> Result<(Passed, End), Failed> {
        let answer = connection.ask(check, &self.server, self.check.keep_alive);
        match self.within(until, Doing::Waiting, answer).await {
            Ok((passed, stays)) => Ok((passed, End::of(connection, stays, held))),
            Err(failed) => {
                tokio::spawn(connection.close(FAREWELL));
                Err(failed)
            }
        }
    }

    /// What `step` comes to, if it is over by then.
    async fn within<T, E: Into<Failed>>(
        &self,
        until: Instant,
        doing: Doing,
        step: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failed> {
        match timeout_at(until, step).await {
            Ok(result) => result.map_err(E::into),
            Err(_elapsed) => Err(Failed::Timeout { doing, after: self.check.timeout }),
        }
    }

    /// Ends the connection of a check that has passed. What the server has still to say, its tickets among it, is read on
    /// the way.
    async fn part(&self, passed: Passed, end: End) -> Passed {
        let limit = FAREWELL.min(self.check.timeout);
        let closed = match end {
            End::None => None,
            End::Http(connection) => connection.close(limit).await,
            End::Tls(stream) => {
                let closing = Scratch::lend(|scratch| stream.close(&mut scratch.outgoing));
                closing.finish(limit).await.map(Ended::from)
            }
        };
        let target = self.server.target();
        let sessions = target.connector.as_ref().filter(|_| passed.tls.is_some()).map(|connector| connector.sessions());
        let left_no_session = sessions.is_some_and(|sessions| sessions.capacity() > 0 && sessions.is_empty());
        Passed { closed, left_no_session, ..passed }
    }

    /// What a connection of our own begins with, where servers want to know whose it is.
    fn header(&self) -> Vec<u8> {
        self.send_proxy.map_or_else(Vec::new, proxy_protocol::write_own)
    }

    fn tell(&self, change: Change, report: &Report) {
        let (upstream, server) = (self.upstream.clone(), self.server.name.clone());
        self.notices.tell(match (change, &report.result) {
            (Change::Down, Err(why)) => Notice::ServerDown { upstream, server, why: Arc::clone(why) },
            _ => Notice::ServerUp { upstream, server },
        });
    }
}

impl From<Closed> for Ended {
    fn from(closed: Closed) -> Self {
        if closed == Closed::Clean { Self::Clean } else { Self::Unclean }
    }
}

/// How long a server has to end a connection that is over.
const FAREWELL: Duration = Duration::from_secs(2);
