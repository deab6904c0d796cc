//! What was found, in words.

mod apart;
mod rotation;
mod single;

use super::Cells;
use crate::evidence::{Fleet, Node};
use crate::{Certainty, Finding, Name, Severity, count, remedies};

/// What the cells and groups of a fleet amount to, problems first.
pub(super) fn of(fleet: &Fleet, cells: &Cells, groups: &[Vec<usize>]) -> Vec<Finding> {
    let seen = Seen { fleet, cells, groups };
    let mut findings: Vec<Finding> = [
        apart::keys_not_shared(&seen),
        apart::several_behind_one(&seen),
        rotation::out_of_step(&seen),
        rotation::rotated_away(&seen),
        single::never_accepted(&seen),
        single::nothing_offered(&seen),
        single::version_changed(&seen),
        apart::ids_not_shared(&seen),
        single::failures(&seen),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// All that findings rest on.
struct Seen<'a> {
    fleet: &'a Fleet,
    cells: &'a Cells,
    groups: &'a [Vec<usize>],
}

impl Seen<'_> {
    fn node(&self, node: usize) -> &Node {
        &self.fleet.nodes[node]
    }

    /// What a node is called: by its address where others go by the same name.
    fn label(&self, node: usize) -> String {
        let Node { name, address, .. } = self.node(node);
        let namesakes = self.fleet.nodes.iter().filter(|other| other.name == *name).count();
        if namesakes > 1 { address.to_string() } else { name.clone() }
    }

    /// Several nodes in a sentence: the first few, and how many more there are.
    fn list(&self, nodes: &[usize]) -> String {
        let mut parts: Vec<String> = nodes.iter().take(LISTED).map(|&node| self.label(node)).collect();
        if let more @ 1.. = nodes.len().saturating_sub(LISTED) {
            parts.push(format!("{more} more"));
        }
        match parts.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => parts.concat(),
        }
    }

    /// A problem that was seen at these nodes, without evidence yet.
    fn problem(&self, name: Name, summary: String, nodes: &[usize]) -> Finding {
        Finding {
            name,
            severity: Severity::Problem,
            certainty: Certainty::Seen,
            summary,
            evidence: Vec::new(),
            cost: String::new(),
            remedy: remedies(name).to_vec(),
            peers: nodes.iter().map(|&node| self.node(node).address).collect(),
            connections: Vec::new(),
        }
    }
}

/// The form of a verb that goes with so many nodes.
fn verb<'a>(nodes: &[usize], one: &'a str, several: &'a str) -> &'a str {
    if nodes.len() == 1 { one } else { several }
}

/// How many nodes a sentence names.
const LISTED: usize = 4;
