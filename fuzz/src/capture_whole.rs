use std::io::Cursor;
use std::time::Duration;

use raincheck_diagnosis::Sides;
use raincheck_diagnosis::evidence::Connection;
use raincheck_diagnosis::session::Sessions;
use raincheck_diagnosis::tcp::{self, Connections, Conversation, Limits, Opening, Totals};
use raincheck_diagnosis::tls::{KeyLog, Reader};
use raincheck_diagnosis::{Moment, Side, Timestamp, diagnose};
use raincheck_doctor::capture::{self, Capture, Event};
use raincheck_doctor::pcap::{Incident, Selection};

use super::incident;
use super::tls_stream::{check, is_sound};

/// The whole way from a file to its connections and on to what is reported of them: they are the same each time, each
/// ends once, nothing is counted that was not captured or missed, memory follows what was captured, and of an incident
/// holds what must.
///
/// Sound is a capture without an error of which every handshake comes to its end, with nothing missing, foreign or not opened.
pub fn capture_whole(bytes: &[u8]) -> bool {
    let without_keys = Read::of(bytes, false);
    let whole = Read::of(bytes, true);
    assert_eq!(whole.connections.len(), without_keys.connections.len());
    assert_eq!(Read::of(bytes, true).connections, whole.connections);
    incident::check(&without_keys.incident());
    match Incident::read(&mut opened(bytes), &Selection::default(), &KeyLog::recorded()) {
        Ok(incident) => incident::check(&incident),
        Err(error) => assert!(whole.is_broken, "{error}"),
    }
    let is_known = !whole.connections.is_empty() && !whole.is_broken;
    is_known && whole.connections.iter().chain(&without_keys.connections).all(is_sound)
}

/// What was read of a capture.
struct Read {
    connections: Vec<Connection>,
    first: Timestamp,
    packets: capture::Counts,
    tcp: tcp::Counts,
    /// Whether it ended in an error.
    is_broken: bool,
}

impl Read {
    fn of(bytes: &[u8], with_keys: bool) -> Self {
        let mut capture = opened(bytes);
        let log = KeyLog::recorded();
        let open = |opening: Opening| {
            let reader = if with_keys { Reader::with_key_log(opening, log.clone()) } else { Reader::new(opening) };
            Checked { reader, sent: Sides::default(), has_ended: false }
        };
        let mut connections = Connections::new(LIMITS, 1, open);
        let mut seen = Vec::new();
        let mut end = |checked: &mut Checked| seen.push(checked.connection());
        let is_broken = loop {
            match capture.next() {
                Ok(Some(Event::Segment(segment))) => connections.read(&segment, &mut end),
                Ok(Some(Event::Secrets(text))) => log.read(text),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        let tcp = connections.finish(&mut end);
        let packets = *capture.counts();
        assert_eq!(tcp.connections, seen.len() as u64);
        assert!(tcp.connections <= packets.segments);
        Self { connections: seen, first: capture.first().unwrap_or_default(), packets, tcp, is_broken }
    }

    /// What is made of it, but for the guesses at ticket keys, which take longer than all the rest.
    fn incident(&self) -> Incident {
        let mut sessions = Sessions::new(1);
        self.connections.iter().for_each(|connection| sessions.add(connection));
        let graph = sessions.into_graph();
        let findings = diagnose::capture(&graph);
        let Self { first, packets, tcp, .. } = *self;
        Incident { graph, findings, first, packets, tcp, notices: Vec::new() }
    }
}

fn opened(bytes: &[u8]) -> Capture {
    Capture::from_reader("capture", Cursor::new(bytes.to_vec()))
}

/// A connection, and what of it was handed over.
struct Checked {
    reader: Reader,
    sent: Sides<u64>,
    has_ended: bool,
}

impl Checked {
    fn connection(&mut self) -> Connection {
        assert!(self.has_ended);
        let connection = self.reader.finish().clone();
        check(&connection, self.sent);
        connection
    }
}

impl Conversation for Checked {
    fn data(&mut self, side: Side, at: Moment, bytes: &[u8]) {
        self.sent[side] += bytes.len() as u64;
        self.reader.data(side, at, bytes);
        let most = (8 << 10) + 8 * (self.sent.client + self.sent.server);
        assert!(self.reader.memory() as u64 <= most, "{} of {most}", self.reader.memory());
    }

    fn gap(&mut self, side: Side, at: Moment, length: u64) {
        self.sent[side] += length;
        self.reader.gap(side, at, length);
    }

    fn fin(&mut self, side: Side, at: Moment) {
        self.reader.fin(side, at);
    }

    fn reset(&mut self, side: Side, at: Moment) {
        self.reader.reset(side, at);
    }

    fn ended(&mut self, totals: Sides<Totals>) {
        assert!(!self.has_ended);
        self.has_ended = true;
        self.reader.ended(totals);
    }
}

/// So small that a small file reaches them.
const LIMITS: Limits = Limits {
    connections: 16,
    attempts: 16,
    linger: Duration::from_secs(5),
    lingering: 4,
    departed: 16,
    departed_for: Duration::from_secs(60),
    patience: Duration::from_secs(1),
    patience_bytes: 4 << 10,
    waiting_per_side: 16 << 10,
    waiting: 32 << 10,
};
