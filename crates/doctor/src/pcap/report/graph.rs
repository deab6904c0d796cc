//! The sessions of a capture, to be drawn.

use std::collections::HashMap;

use raincheck_diagnosis::evidence::{Answer, Kind};
use raincheck_diagnosis::session::{Graph, Record};

use super::peers::short;
use crate::pcap::Incident;
use crate::report::{self, Dot, Mood, Offered};

/// The first connections, as many as one can see something of.
pub(super) fn of(incident: &Incident) -> report::Graph {
    let graph = &incident.graph;
    let all = graph.connections();
    let mut lanes = Vec::new();
    let mut numbers = HashMap::new();
    let mut drawn = 0;
    let mut dots = Vec::new();
    for record in all.iter().take(MOST_DOTS) {
        let lane = (record.client.ip(), graph.server(record));
        if !numbers.contains_key(&lane) && lanes.len() == MOST_LANES {
            break;
        }
        let number = *numbers.entry(lane).or_insert_with(|| {
            lanes.push(format!("{} → {}", lane.0, lane.1));
            lanes.len() - 1
        });
        dots.push(Dot {
            at: incident.since_first(record),
            lane: number,
            mood: mood(record),
            label: label(graph, record),
        });
        drawn += 1;
    }
    let offered = all[..drawn].iter().enumerate().filter_map(|(place, record)| {
        let given = given(graph, record, place).filter(|given| *given < drawn)?;
        Some(Offered { given, offered: place, accepted: record.kind.is_resumed() })
    });
    report::Graph { offered: offered.collect(), lanes, dots, left_out: all.len() - drawn }
}

/// The connection that was given, last of all before, what the one at `place` offers.
fn given(graph: &Graph, record: &Record, place: usize) -> Option<usize> {
    let issues = graph.issues(graph.offered(record)?).iter();
    issues.map(|issue| issue.connection()).rfind(|connection| *connection < place)
}

fn mood(record: &Record) -> Mood {
    match record.kind {
        Kind::Full if record.refused() == Answer::Yes => Mood::Bad,
        Kind::Full => Mood::Odd,
        kind if kind.is_resumed() => Mood::Good,
        _ => Mood::Faint,
    }
}

fn label(graph: &Graph, record: &Record) -> String {
    let mut label = format!("packet {}, {}, {}", record.start.packet, record.client, record.kind.as_str());
    if let Some(name) = graph.offered_key_name(record) {
        label += &format!(", ticket of key {}", short(&name.to_string()));
    }
    label
}

const MOST_DOTS: usize = 400;
const MOST_LANES: usize = 40;
