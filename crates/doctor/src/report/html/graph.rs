//! The graph of sessions: which connection offered what another had been given.

use std::fmt::Write;
use std::time::Duration;

use super::escape;
use crate::report::Mood;
use crate::report::timeline::clock;

/// Connections in lanes, in time, with a line from the one that was given a session to each that offered it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// What the lanes are called: a client and a server each.
    pub lanes: Vec<String>,
    /// The connections.
    pub dots: Vec<Dot>,
    /// The sessions that were offered.
    pub offered: Vec<Offered>,
    /// How many connections there was no room for.
    pub left_out: usize,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dot {
    /// When it began, after the first packet.
    pub at: Duration,
    /// The index of its lane.
    pub lane: usize,
    /// Good if it resumed, bad if it was refused, odd if it was full, faint otherwise.
    pub mood: Mood,
    /// What to say of it to who points at it.
    pub label: String,
}

/// A session that one connection was given, and another offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The index of the connection that was given it.
    pub given: usize,
    /// The index of the connection that offered it.
    pub offered: usize,
    /// Whether it was accepted.
    pub accepted: bool,
}

pub(super) fn svg(graph: &Graph) -> String {
    let length = graph.dots.iter().map(|dot| dot.at).max().unwrap_or_default();
    let high = TOP + graph.lanes.len() as f64 * LANE;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {high}\" role=\"img\" aria-label=\"sessions\">");
    for (lane, name) in graph.lanes.iter().enumerate() {
        let y = height(lane);
        let name = escape(name);
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y}\" y2=\"{y}\"/><text x=\"0\" y=\"{}\">{name}</text>",
            y - 34.0
        );
    }
    let place = |index: usize| graph.dots.get(index).map(|dot| (across(dot.at, length), height(dot.lane)));
    for offered in &graph.offered {
        let (Some((x1, y1)), Some((x2, y2))) = (place(offered.given), place(offered.offered)) else { continue };
        let class = if offered.accepted { "good" } else { "bad" };
        let (middle, above) = ((x1 + x2) / 2.0, y1.min(y2) - ARC.min((x2 - x1).abs() / 3.0 + 4.0));
        let _ = write!(svg, "<path class=\"{class}\" d=\"M{x1:.1} {y1:.1} Q{middle:.1} {above:.1} {x2:.1} {y2:.1}\"/>");
    }
    for (index, dot) in graph.dots.iter().enumerate() {
        let Some((x, y)) = place(index) else { continue };
        let (class, label) = (super::mood(dot.mood), escape(&dot.label));
        let _ = write!(
            svg,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{}: {label}</title></circle>",
            clock(dot.at)
        );
    }
    svg += "</svg><p><span class=\"good\">●</span> resumed <span class=\"bad\">●</span> refused <span class=\"odd\">●</span> full, \
            nothing offered; a line leads from the connection that was given a session to each that offered it</p>";
    if graph.left_out > 0 {
        let all = graph.dots.len() + graph.left_out;
        let _ = write!(
            svg,
            "<p>{} of {all} connections are not drawn: those that show what was found go first, then others between the same \
             peers.</p>",
            graph.left_out
        );
    }
    svg
}

fn across(at: Duration, length: Duration) -> f64 {
    let part = if length.is_zero() { 0.0 } else { at.as_secs_f64() / length.as_secs_f64() };
    LEFT + 6.0 + part * (RIGHT - LEFT - 12.0)
}

fn height(lane: usize) -> f64 {
    TOP + (lane as f64 + 0.7) * LANE
}

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 0.0;
const RIGHT: f64 = WIDTH;
const TOP: f64 = 10.0;
const LANE: f64 = 64.0;
const ARC: f64 = 44.0;
