//! `full-handshake-storm`: one client makes full handshakes at a rate that resumption would spare; and
//! `check-never-resumes`, where what it does looks like health checks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::case::Case;
use super::sentence::{Draft, count, list, servers};
use crate::evidence::Kind;
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut by_client = BTreeMap::<IpAddr, Vec<Pair>>::new();
    for ((client, _), visits) in case.pairs() {
        if visits.len() <= FEWEST_TO_ONE_SERVER {
            continue;
        }
        let pair = Pair::of(case, visits);
        if pair.never_resumes() {
            by_client.entry(client).or_default().push(pair);
        }
    }
    by_client.into_iter().flat_map(|(client, pairs)| judge(case, client, &pairs)).collect()
}

/// A client's connections to one server.
struct Pair {
    /// Those that came to an end, after the first.
    later: usize,
    /// Of those: full, after a handshake that could have left a session.
    spared: Vec<usize>,
    /// Whether they look like checks.
    checks: bool,
}

impl Pair {
    fn of(case: &Case<'_>, visits: &[usize]) -> Self {
        let records = visits.iter().map(|place| (*place, case.record(*place)));
        let established = records.filter(|(_, record)| record.established.is_some()).collect::<Vec<_>>();
        let first = established.iter().filter_map(|(_, record)| record.established).min();
        let later = established.iter().filter(|(_, record)| record.hello > first).collect::<Vec<_>>();
        let spared = later.iter().filter(|(_, record)| record.kind == Kind::Full).map(|(place, _)| *place).collect();
        Self { later: later.len(), checks: look_like_checks(case, visits), spared }
    }

    fn never_resumes(&self) -> bool {
        self.spared.len() >= FEWEST_TO_ONE_SERVER && self.spared.len() * 5 >= self.later * 4
    }
}

fn judge(case: &Case<'_>, client: IpAddr, pairs: &[Pair]) -> Vec<Finding> {
    let mut spared = pairs.iter().flat_map(|pair| pair.spared.iter().copied()).collect::<Vec<_>>();
    spared.sort_unstable();
    let span = span(case, &spared);
    let rate = spared.len() as f64 / span.as_secs_f64().max(1.0);
    let is_storm = spared.len() >= FEWEST && rate >= SLOWEST_RATE && are_alike(case, &spared);
    let mut findings = Vec::new();
    if is_storm {
        let to = servers(case, &spared);
        let summary = format!(
            "{client} makes {rate:.1} full handshakes a second with {} that resumption would spare: {} in {:.1} s.",
            list(&to),
            spared.len(),
            span.as_secs_f64(),
        );
        let draft = Draft::new(Name::FullHandshakeStorm, Severity::Problem, Certainty::Seen, summary);
        let draft = draft.shown_by(case, &spared).costing(case, &spared);
        findings.push(draft.about(to.into_iter().chain([case.record(spared[0]).client])).done());
    }
    let checks = pairs.iter().filter(|pair| pair.checks).flat_map(|pair| pair.spared.iter().copied());
    let checks = checks.collect::<Vec<_>>();
    if !checks.is_empty() {
        // A few at a high rate are what is left of a storm, or the beginning of one.
        let severity = if rate >= SLOWEST_RATE { Severity::Note } else { Severity::Problem };
        let to = servers(case, &checks);
        let summary = format!(
            "The checks of {client} make a full handshake with {} every time: {}.",
            list(&to),
            count(checks.len(), "handshake"),
        );
        let draft = Draft::new(Name::CheckNeverResumes, severity, Certainty::Inferred, summary);
        findings.push(draft.shown_by(case, &checks).costing(case, &checks).about(to).done());
    }
    findings
}

/// Whether one software made all of them, or nearly. Behind one address may be many clients, each new to the server.
fn are_alike(case: &Case<'_>, connections: &[usize]) -> bool {
    let mut shapes = BTreeMap::<u32, usize>::new();
    connections.iter().for_each(|place| *shapes.entry(case.record(*place).shape).or_default() += 1);
    shapes.values().max().is_some_and(|most| most * 10 >= connections.len() * 9)
}

/// Checks say nothing over TLS, or the same each time; and they come at regular intervals.
fn look_like_checks(case: &Case<'_>, visits: &[usize]) -> bool {
    let records = visits.iter().map(|place| case.record(*place)).collect::<Vec<_>>();
    let silent = records.iter().filter(|record| record.bytes.client == 0).count();
    if records.len() >= FEWEST_CHECKS && silent * 10 >= records.len() * 9 {
        return true;
    }
    let mut gaps =
        records.windows(2).map(|pair| pair[1].start.time.since(pair[0].start.time)).collect::<Vec<Duration>>();
    gaps.sort_unstable();
    let Some(median) = gaps.get(gaps.len() / 2).copied() else { return false };
    let is_regular = gaps.iter().filter(|gap| gap.abs_diff(median) * 5 <= median).count() * 10 >= gaps.len() * 8;
    let says_the_same = records.windows(2).filter(|pair| pair[0].bytes.client == pair[1].bytes.client).count();
    records.len() >= FEWEST_TALKING_CHECKS
        && is_regular
        && (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&median)
        && says_the_same * 10 >= gaps.len() * 9
}

fn span(case: &Case<'_>, connections: &[usize]) -> Duration {
    let starts = connections.iter().map(|place| case.record(*place).start.time);
    let (first, last) = (starts.clone().min().unwrap_or_default(), starts.max().unwrap_or_default());
    last.since(first)
}

// Fewer are no storm, whatever their rate: a script that is run a few times makes as many.
const FEWEST: usize = 12;
const FEWEST_TO_ONE_SERVER: usize = 6;
// A second; HAProxy checks each server every 2 seconds.
const SLOWEST_RATE: f64 = 0.2;
const FEWEST_CHECKS: usize = 5;
const FEWEST_TALKING_CHECKS: usize = 10;
const SHORTEST_INTERVAL: Duration = Duration::from_millis(500);
const LONGEST_INTERVAL: Duration = Duration::from_secs(120);
