//! Which nodes of a fleet resume one another's sessions, and why others do not.

mod cells;
mod findings;
mod groups;

pub use cells::{Cell, Cells, Why};

use crate::Finding;
use crate::evidence::{Fleet, Way};

/// What follows from what was seen of a fleet.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// For each pair of nodes, whether the one resumes the sessions of the other.
    pub cells: Cells,
    /// The nodes that resume one another's sessions, by their places, in the order of the first of each group. A node that
    /// resumes not even its own, or of which that is not known, is in none.
    pub groups: Vec<Vec<usize>>,
    /// What was found, problems and notes.
    pub findings: Vec<Finding>,
}

/// Concludes from what was seen of a fleet.
pub fn diagnose(fleet: &Fleet) -> Diagnosis {
    let cells = Cells::of(fleet);
    let groups = groups::of(fleet, &cells);
    let findings = findings::of(fleet, &cells, &groups);
    Diagnosis { cells, groups, findings }
}

/// The ways by which sessions are to resume across nodes: a session ID belongs to a cache, which nodes seldom share.
const BY_TICKET: [Way; 2] = [Way::Psk, Way::Ticket];

#[cfg(test)]
mod tests;
