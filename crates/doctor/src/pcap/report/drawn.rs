//! Which connections of a capture are drawn.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, SocketAddr};

use raincheck_diagnosis::session::{Graph, Record};

use crate::pcap::Incident;
use crate::report::shown;

/// As many connections as one can see something of, by their places in the graph: those that show what was found, with the
/// ones their sessions came from; then others between the same peers, and then any, the first ones of a capture first.
pub(super) fn drawn(incident: &Incident) -> BTreeSet<usize> {
    let graph = &incident.graph;
    let all = graph.connections();
    let mut drawn = Drawn { graph, places: BTreeSet::new(), lanes: HashSet::new() };
    let findings = shown(&incident.findings);
    for place in findings.iter().flat_map(|alike| &alike.shown).flat_map(|finding| &finding.connections) {
        drawn.add(*place);
        if let Some(given) = given(graph, &all[*place], *place) {
            drawn.add(given);
        }
    }
    let concerned = drawn.lanes.clone();
    for only_concerned in [true, false] {
        let places = (0..all.len()).filter(|place| !only_concerned || concerned.contains(&lane(graph, &all[*place])));
        for place in places {
            if drawn.places.len() == MOST_DOTS {
                break;
            }
            drawn.add(place);
        }
    }
    drawn.places
}

/// A client and a server.
pub(super) type Lane = (IpAddr, SocketAddr);

pub(super) fn lane(graph: &Graph, record: &Record) -> Lane {
    (record.client.ip(), graph.server(record))
}

/// The connection that was given, last of all before, what the one at `place` offers.
pub(super) fn given(graph: &Graph, record: &Record, place: usize) -> Option<usize> {
    let issues = graph.issues(graph.offered(record)?).iter();
    issues.map(|issue| issue.connection()).rfind(|connection| *connection < place)
}

struct Drawn<'a> {
    graph: &'a Graph,
    places: BTreeSet<usize>,
    lanes: HashSet<Lane>,
}

impl Drawn<'_> {
    /// Draws one more, if there is room.
    fn add(&mut self, place: usize) {
        let lane = lane(self.graph, &self.graph.connections()[place]);
        let has_room = self.lanes.len() < MOST_LANES || self.lanes.contains(&lane);
        if has_room && self.places.len() < MOST_DOTS {
            self.lanes.insert(lane);
            self.places.insert(place);
        }
    }
}

const MOST_DOTS: usize = 400;
const MOST_LANES: usize = 40;

#[cfg(test)]
mod tests;
