//! The servers and the clients of a capture, a row for each.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use raincheck_diagnosis::evidence::{Close, Kind};
use raincheck_diagnosis::session::{KeyUse, Summary};

use super::{fingerprints, percent};
use crate::pcap::Incident;
use crate::report::{Cell, Mood, Section, Table};

/// A table of servers, one of clients, and one of what these are: those with the most connections.
pub(super) fn sections(incident: &Incident) -> Vec<Section> {
    let servers = busiest_first(incident.graph.by_server());
    let clients = busiest_first(incident.graph.by_client());
    let mut sections = vec![
        section("Servers", &servers, |summary| &summary.closes.server),
        section("Clients", &clients, |summary| &summary.closes.client),
    ];
    sections.extend(fingerprints::section(&clients));
    sections
}

type Closes = BTreeMap<Close, u64>;

fn busiest_first<P: Ord>(peers: BTreeMap<P, Summary>) -> Vec<(P, Summary)> {
    let mut peers = peers.into_iter().collect::<Vec<_>>();
    peers.sort_by_key(|(_, summary)| Reverse(summary.connections)); // stable: by address where they are as many
    peers
}

fn section<P: ToString>(heading: &str, peers: &[(P, Summary)], closes: impl Fn(&Summary) -> &Closes) -> Section {
    let rows = peers.iter().take(MOST_ROWS).map(|(peer, summary)| row(peer.to_string(), summary, closes(summary)));
    let head = ["", "handshakes", "resumed", "refused", "full", "aborted", "unknown", "closes*", "TLS", "keys"];
    let mut lines = vec!["* clean/truncated/reset".to_owned()];
    if peers.len() > MOST_ROWS {
        lines.push(format!("and {} more, with fewer connections", peers.len() - MOST_ROWS));
    }
    let table = Table { head: head.map(str::to_owned).to_vec(), rows: rows.collect() };
    Section { heading: heading.to_owned(), table, lines }
}

fn row(peer: String, summary: &Summary, closes: &Closes) -> Vec<Cell> {
    let (full, resumed) = (summary.count(Kind::Full), summary.resumed());
    let total = full + resumed;
    let share = if total == 0 { String::new() } else { format!("{} %", percent(resumed, total)) };
    let alarming = |count: u64, mood| Cell::new(if count > 0 { mood } else { Mood::Faint }, count.to_string());
    let closed = |close| closes.get(&close).copied().unwrap_or_default();
    let versions = summary.versions.keys().map(|version| version.to_string().replacen("TLSv", "", 1));
    vec![
        peer.into(),
        total.to_string().into(),
        share.into(),
        alarming(summary.refused, Mood::Bad),
        alarming(full.saturating_sub(summary.refused), Mood::Odd),
        alarming(summary.count(Kind::Aborted), Mood::Bad),
        alarming(summary.count(Kind::Unknown), Mood::Plain),
        format!("{}/{}/{}", closed(Close::Clean), closed(Close::Truncated), closed(Close::Reset)).into(),
        versions.collect::<Vec<_>>().join(", ").into(),
        keys(&summary.keys).into(),
    ]
}

/// The last keys that tickets were under.
fn keys(keys: &[KeyUse]) -> String {
    let shown = keys.iter().rev().take(MOST_KEYS).rev().map(|used| short(&used.name.to_string()));
    let shown = shown.collect::<Vec<_>>().join(", ");
    if keys.len() > MOST_KEYS { format!("..., {shown}") } else { shown }
}

/// As much of a key's name as tells it from others.
pub(super) fn short(name: &str) -> String {
    name.get(..8).unwrap_or(name).to_owned()
}

const MOST_ROWS: usize = 20;
const MOST_KEYS: usize = 3;
