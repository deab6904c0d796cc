//! What raincheck's reader finds in a capture.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use raincheck_diagnosis::evidence::{Connection, Kind};
use raincheck_diagnosis::tcp::{Connections, Limits};
use raincheck_diagnosis::tls::Reader;
use raincheck_doctor::capture::{Capture, Event, Source};

use crate::error::Error;

/// `raincheck-bench read`
#[derive(Args)]
pub(crate) struct Read {
    capture: PathBuf,
}

/// How many handshakes of each kind there were.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) connections: u64,
    pub(super) client_hellos: u64,
    pub(super) full: u64,
    pub(super) session_id: u64,
    pub(super) ticket: u64,
    pub(super) psk: u64,
    pub(super) other: u64,
}

impl Read {
    pub(crate) fn run(&self) -> Result<String, Error> {
        let mut tally = Tally::default();
        each_connection(&self.capture, |connection| tally.add(&connection))?;
        Ok(format!("{tally}\n"))
    }
}

impl Tally {
    pub(super) fn add(&mut self, connection: &Connection) {
        self.connections += 1;
        self.client_hellos += u64::from(connection.client_hello.is_some()) + u64::from(connection.retry.is_some());
        *match connection.kind() {
            Kind::Full => &mut self.full,
            Kind::ResumedSessionId => &mut self.session_id,
            Kind::ResumedTicket => &mut self.ticket,
            Kind::ResumedPsk => &mut self.psk,
            Kind::Aborted | Kind::Unknown => &mut self.other,
        } += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, client_hellos, full, session_id, ticket, psk, other } = self;
        write!(f, "{connections} connections with {client_hellos} ClientHellos: {full} full, resumed by session ID ")?;
        write!(f, "{session_id}, by ticket {ticket}, by PSK {psk}, other {other}")
    }
}

/// All connections of a capture, in the order they end.
pub(super) fn connections(path: &Path) -> Result<Vec<Connection>, Error> {
    let mut connections = Vec::new();
    each_connection(path, |connection| connections.push(connection))?;
    Ok(connections)
}

fn each_connection(path: &Path, mut found: impl FnMut(Connection)) -> Result<(), Error> {
    let mut ended = |reader: Reader| found(reader.into_connection());
    let mut capture = Capture::open([Source::named(path)])?;
    let mut connections = Connections::new(Limits::default(), 0, Reader::new);
    while let Some(event) = capture.next()? {
        if let Event::Segment(segment) = event {
            connections.read(&segment, &mut ended);
        }
    }
    connections.finish(&mut ended);
    Ok(())
}
