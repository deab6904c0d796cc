//! The sessions of a capture, to be drawn.

use std::collections::HashMap;

use raincheck_diagnosis::evidence::{Answer, Kind};
use raincheck_diagnosis::session::{Graph, Record};

use super::drawn::{drawn, given, lane};
use super::peers::short;
use crate::pcap::Incident;
use crate::report::{self, Dot, Mood, Offered};

/// The connections that are drawn, and the sessions between them.
pub(super) fn of(incident: &Incident) -> report::Graph {
    let graph = &incident.graph;
    let all = graph.connections();
    let drawn = drawn(incident).into_iter().collect::<Vec<_>>();
    let mut lanes = Vec::new();
    let mut numbers = HashMap::new();
    let dots = drawn.iter().map(|place| {
        let record = &all[*place];
        let lane = lane(graph, record);
        let number = *numbers.entry(lane).or_insert_with(|| {
            lanes.push(format!("{} → {}", lane.0, lane.1));
            lanes.len() - 1
        });
        Dot { at: incident.since_first(record), lane: number, mood: mood(record), label: label(graph, record) }
    });
    let dots = dots.collect();
    let offered = drawn.iter().enumerate().filter_map(|(index, place)| {
        let record = &all[*place];
        let given = drawn.binary_search(&given(graph, record, *place)?).ok()?;
        Some(Offered { given, offered: index, accepted: record.kind.is_resumed() })
    });
    report::Graph { offered: offered.collect(), lanes, dots, left_out: all.len() - drawn.len() }
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
