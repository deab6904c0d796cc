//! A capture, from its packets to why sessions in it do not resume.
//!
//! Segments go through reassembly to a reader for each connection; what that saw is kept once the connection is over. So memory
//! goes by the connections that are open at once, and by a few hundred bytes for each that was there.

mod json;
mod report;
mod selection;

use std::hash::{BuildHasher, Hasher, RandomState};

use raincheck_diagnosis::evidence::Connection;
use raincheck_diagnosis::session::{Filter, Graph, Sessions};
use raincheck_diagnosis::tcp::{self, Connections, Limits};
use raincheck_diagnosis::tls::{KeyLog, Profiles, Reader};
use raincheck_diagnosis::{Finding, Timestamp, diagnose};

use crate::capture::{self, Capture, Event};

pub use selection::{Selection, When};

/// What a capture comes to.
#[derive(Debug)]
pub struct Incident {
    /// The connections, and the sessions between them.
    pub graph: Graph,
    /// What was found.
    pub findings: Vec<Finding>,
    /// When the first packet was captured.
    pub first: Timestamp,
    /// What was read of the capture, and what was left out.
    pub packets: capture::Counts,
    /// What became of its TCP.
    pub tcp: tcp::Counts,
    /// What was wrong with the capture, or kept it from being read, a sentence each.
    pub notices: Vec<String>,
}

impl Incident {
    /// Reads `capture` to its end, and diagnoses those of its connections that are selected: as if the others had not been
    /// captured. A capture that cannot be read is an error if nothing else could be.
    ///
    /// `secrets` are those of the capture's connections, as far as they are known; what it holds itself is added.
    pub fn read(capture: &mut Capture, selection: &Selection, secrets: &KeyLog) -> Result<Self, capture::Error> {
        let mut kept = Kept { selection, filter: None, sessions: Sessions::new(seed()) };
        let profiles = Profiles::default();
        let open = |opening| Reader::with_key_log(opening, secrets.clone()).sharing(profiles.clone());
        let mut connections = Connections::new(Limits::default(), seed(), open);
        let mut unreadable = Vec::new();
        loop {
            let first = capture.first();
            match capture.next() {
                Ok(Some(Event::Segment(segment))) => {
                    let first = first.unwrap_or(segment.at.time);
                    connections.read(&segment, |reader| kept.keep(reader.finish(), first));
                }
                Ok(Some(Event::Secrets(lines))) => secrets.read(lines),
                Ok(None) => break,
                // The other captures may be sound.
                Err(error) => unreadable.push(error),
            }
        }
        let (packets, first) = (*capture.counts(), capture.first().unwrap_or_default());
        if packets.packets == 0
            && let Some(error) = unreadable.pop()
        {
            return Err(error);
        }
        let tcp = connections.finish(|reader| kept.keep(reader.finish(), first));
        let graph = kept.sessions.into_graph();
        let mut findings = diagnose::capture::weak_ticket_keys(&graph);
        findings.extend(diagnose::capture(&graph));
        let broken = unreadable.iter().map(ToString::to_string);
        let notices = capture.notices().iter().map(ToString::to_string).chain(broken).collect();
        Ok(Self { graph, findings, first, packets, tcp, notices })
    }
}

/// The connections that are looked at.
struct Kept<'a> {
    selection: &'a Selection,
    /// The selection, once it is known when the capture began.
    filter: Option<Filter>,
    sessions: Sessions,
}

impl Kept<'_> {
    fn keep(&mut self, connection: &Connection, first: Timestamp) {
        if self.filter.get_or_insert_with(|| self.selection.filter(first)).admits(connection) {
            self.sessions.add(connection);
        }
    }
}

/// What nobody who made the capture could know.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
