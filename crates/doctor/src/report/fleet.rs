//! What was found out about a fleet, for people and for programs.

mod json;
mod matrix;

use raincheck_diagnosis::diagnose::fleet::{Cell as Told, Diagnosis, diagnose};
use raincheck_diagnosis::evidence::{Failure, Fleet, Gives, Node, Way};
use raincheck_diagnosis::{Finding, Severity, count};
use serde_json::Value;

use super::{Cell, Mood, Page, Section, Table, Verdict};

/// A fleet, what was seen of it, and what that amounts to.
#[derive(Clone, Debug)]
pub struct FleetReport {
    fleet: Fleet,
    diagnosis: Diagnosis,
    /// The nodes as a page has them: those of a group beside one another.
    order: Vec<usize>,
    /// What was named and could not be probed at all: a sentence each.
    absent: Vec<String>,
}

impl FleetReport {
    /// Concludes from what was seen. `absent` says, in a sentence each, what was named and has no address.
    pub fn new(fleet: Fleet, absent: Vec<String>) -> Self {
        let diagnosis = diagnose(&fleet);
        let mut order: Vec<usize> = (0..fleet.nodes.len()).collect();
        order.sort_by_key(|node| diagnosis.groups.iter().position(|group| group.contains(node)).unwrap_or(usize::MAX));
        Self { fleet, diagnosis, order, absent }
    }

    /// What was found.
    pub fn findings(&self) -> &[Finding] {
        &self.diagnosis.findings
    }

    /// Whether each node could be asked to the end.
    pub fn is_complete(&self) -> bool {
        self.absent.is_empty() && self.missing() == 0
    }

    /// The report for people.
    pub fn page(&self) -> Page {
        let mut sections = vec![self.nodes()];
        sections.extend(matrix::sections(self));
        Page {
            subject: format!("a fleet of {}", count(self.fleet.nodes.len() + self.absent.len(), "node")),
            verdict: self.verdict(),
            sections,
            findings: self.diagnosis.findings.clone(),
            ..Page::default()
        }
    }

    /// The report for programs.
    pub fn json(&self) -> Value {
        json::object(self)
    }

    fn verdict(&self) -> Verdict {
        let nodes = self.fleet.nodes.len();
        let groups = &self.diagnosis.groups;
        let grouped: usize = groups.iter().map(Vec::len).sum();
        let text = match &groups[..] {
            [] => "No node was seen to resume a session".to_owned(),
            [group] if group.len() == nodes && nodes == 2 => "Both nodes resume one another's sessions".to_owned(),
            [group] if group.len() == nodes => format!("All {nodes} nodes resume one another's sessions"),
            [group] if group.len() > 1 => format!("{grouped} of {nodes} nodes resume one another's sessions"),
            [_] => format!("1 of {nodes} nodes resumes its own sessions"),
            groups => format!("{grouped} nodes in {} groups: sessions do not resume across them", groups.len()),
        };
        let missing = self.missing() + self.absent.len();
        let text = if missing == 0 { format!("{text}.") } else { format!("{text}; {missing} could not be asked.") };
        let problem = self.findings().iter().any(|finding| finding.severity == Severity::Problem);
        let mood = match (problem, missing) {
            (true, _) => Mood::Bad,
            (false, 0) if grouped == nodes => Mood::Good,
            (false, _) => Mood::Odd,
        };
        Verdict { mood, text }
    }

    /// How many nodes were left alone, or gave nothing for reasons that say nothing about sessions.
    fn missing(&self) -> usize {
        self.fleet.nodes.iter().filter(|node| unasked(node).is_some()).count()
    }

    fn nodes(&self) -> Section {
        let head = ["", "node", "group", "TLSv1.3", "TLSv1.2"].map(str::to_owned).into();
        let row = |(place, &index): (usize, &usize)| -> Vec<Cell> {
            let group = self.group(index).map_or_else(|| "-".to_owned(), |group| (group + 1).to_string());
            let node = &self.fleet.nodes[index];
            vec![label(place).into(), self.name(index).into(), group.into(), gives13(node), gives12(node)]
        };
        let mut lines: Vec<String> = Vec::new();
        for (index, node) in self.fleet.nodes.iter().enumerate() {
            if let Some(failure) = unasked(node) {
                lines.push(format!("{}: {failure}", self.name(index)));
            }
        }
        lines.extend(self.absent.iter().cloned());
        Section {
            heading: "Nodes, and the sessions they give".to_owned(),
            table: Table { head, rows: self.order.iter().enumerate().map(row).collect() },
            lines,
        }
    }

    /// The group that a node is in.
    fn group(&self, node: usize) -> Option<usize> {
        self.diagnosis.groups.iter().position(|group| group.contains(&node))
    }

    /// A name and its address, where they are not the same.
    fn name(&self, node: usize) -> String {
        let Node { name, address, .. } = &self.fleet.nodes[node];
        if *name == address.to_string() { name.clone() } else { format!("{name} at {address}") }
    }

    fn cell(&self, way: Way, issuer: usize, asked: usize) -> &Told {
        self.diagnosis.cells.of_pair(way, issuer, asked)
    }
}

/// Why a node is not part of what was found: it was left alone, or nothing was seen of what it gives.
fn unasked(node: &Node) -> Option<&Failure> {
    let unknown = |way: Way| match &node.gives[way] {
        Gives::Unknown(failure) => Some(failure),
        _ => None,
    };
    let nothing_known = Way::ALL.iter().all(|&way| matches!(node.gives[way], Gives::Unknown(_) | Gives::NotAsked));
    node.gone.as_ref().or_else(|| Way::ALL.iter().find_map(|&way| unknown(way)).filter(|_| nothing_known))
}

/// How the node at a place of a table is called: by a letter, as long as there are any.
fn label(place: usize) -> String {
    LETTERS.chars().nth(place).map_or_else(|| (place + 1).to_string(), String::from)
}

fn gives13(node: &Node) -> Cell {
    gives(node, Way::Psk)
}

/// Tickets, or else session IDs.
fn gives12(node: &Node) -> Cell {
    match (&node.gives.ticket, &node.gives.session_id) {
        (Gives::Sessions, _) => gives(node, Way::Ticket),
        (_, Gives::Sessions) => Cell::new(Mood::Odd, "session IDs alone"),
        _ => gives(node, Way::Ticket),
    }
}

fn gives(node: &Node, way: Way) -> Cell {
    match &node.gives[way] {
        Gives::Sessions => {
            let names = &node.key_names[way];
            // What begins the tickets of two versions alike is a name, though it was seen but once in each.
            let elsewhere = |name| Way::ALL.iter().any(|&other| other != way && node.key_names[other].has(name));
            match *names.names() {
                [.., last] if names.repeat() || elsewhere(last) => {
                    format!("tickets, key {}", short(&last.to_string())).into()
                }
                _ => "tickets".into(),
            }
        }
        Gives::Nothing => Cell::new(Mood::Odd, "no sessions"),
        Gives::NotSpoken => Cell::new(Mood::Odd, "not spoken"),
        Gives::NothingSaid => Cell::new(Mood::Odd, "not determined: nothing was sent"),
        Gives::Unknown(_) | Gives::NotAsked => Cell::new(Mood::Odd, "not determined"),
    }
}

fn short(name: &str) -> &str {
    name.get(..8).unwrap_or(name)
}

/// What nodes are called in tables.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

#[cfg(test)]
mod tests;
