//! Segments as text, and what came of them as text.

use std::fmt::Write as _;

use crate::tcp::{Connections, Conversation, Counts, Flags, Limits, Opening, Segment, Totals};
use crate::{Moment, Side, Sides, Timestamp};

/// What is handed over, in words.
#[derive(Default)]
pub(super) struct Record(String);

impl Record {
    pub(super) fn open(opening: Opening) -> Self {
        let how = if opening.from_the_start { "opened" } else { "midway" };
        Self(format!("{how} by {} @{}", opening.client.port(), opening.at.packet))
    }

    pub(super) fn text(&mut self) -> String {
        std::mem::take(&mut self.0)
    }

    fn add(&mut self, side: Side, at: Moment, what: &str) {
        let side = if side == Side::Client { '>' } else { '<' };
        write!(self.0, ", {side}{what} @{}", at.packet).unwrap();
    }
}

impl Conversation for Record {
    fn data(&mut self, side: Side, at: Moment, bytes: &[u8]) {
        self.add(side, at, &String::from_utf8_lossy(bytes));
    }

    fn gap(&mut self, side: Side, at: Moment, length: u64) {
        self.add(side, at, &format!("gap of {length}"));
    }

    fn fin(&mut self, side: Side, at: Moment) {
        self.add(side, at, "fin");
    }

    fn reset(&mut self, side: Side, at: Moment) {
        self.add(side, at, "reset");
    }

    fn ended(&mut self, totals: Sides<Totals>) {
        let of = |totals: Totals| format!("{}/{}", totals.acknowledged, totals.sent);
        write!(self.0, "; {} {}", of(totals.client), of(totals.server)).unwrap();
    }
}

/// What comes of the segments in `script`: a line for each connection, in the order they end, and what was counted.
///
/// A segment is a line or `;`: `@MILLISECONDS` where time passes, `>` from the client's port 50000 or `<` from the server's
/// 443, its flags (`.` for none), its sequence number, with `A` the acknowledgement, then its payload, and `/LENGTH` where that
/// was longer.
pub(super) fn play(limits: Limits, script: &str) -> (Vec<String>, Counts) {
    let mut lines = Vec::new();
    let mut connections = Connections::new(limits, 7, Record::open);
    let mut time = 0;
    for (number, line) in script.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let mut words = line.split_whitespace().peekable();
        if let Some(later) = words.next_if(|word| word.starts_with('@')) {
            time += later[1..].parse::<u64>().unwrap();
        }
        let at = Moment { time: Timestamp::from_nanoseconds(time * 1_000_000), packet: number as u64 + 1 };
        connections.read(&segment(at, words), |record| lines.push(record.text()));
    }
    let counts = connections.finish(|record| lines.push(record.text()));
    (lines, counts)
}

fn segment<'a>(at: Moment, mut words: impl Iterator<Item = &'a str>) -> Segment<'a> {
    let (client, server) = ("10.0.0.2:50000".parse().unwrap(), "10.0.0.1:443".parse().unwrap());
    let (source, destination) = match words.next() {
        Some(">") => (client, server),
        Some("<") => (server, client),
        other => panic!("who sends {other:?}?"),
    };
    let named = words.next().unwrap();
    let flags = Flags {
        syn: named.contains('S'),
        ack: named.contains('A'),
        fin: named.contains('F'),
        rst: named.contains('R'),
    };
    let mut number = || words.next().unwrap().parse().unwrap();
    let sequence = number();
    let acknowledgement = if flags.ack { number() } else { 0 };
    let payload = words.next().unwrap_or_default();
    let (payload, length) = match payload.split_once('/') {
        Some((payload, length)) => (payload, length.parse().unwrap()),
        None => (payload, payload.len()),
    };
    Segment { at, source, destination, sequence, acknowledgement, flags, payload: payload.as_bytes(), length }
}
