use super::Cells;
use crate::evidence::Fleet;

/// The nodes that open one another's tickets, both ways.
///
/// Who shares with one shares with all that it shares with: keys make groups. Where they do not quite (a rotation is going
/// on), a chain of nodes is one group, and the cells say more.
pub(super) fn of(fleet: &Fleet, cells: &Cells) -> Vec<Vec<usize>> {
    let members = (0..fleet.nodes.len()).filter(|&node| belongs(cells, node));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for node in members {
        let (with, mut others): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.iter().any(|&other| share(cells, node, other)));
        let mut group: Vec<usize> = with.into_iter().flatten().chain([node]).collect();
        group.sort_unstable();
        others.push(group);
        groups = others;
    }
    groups.sort_unstable();
    groups
}

/// Whether a node can be in a group: it resumes its own sessions, or at least another's.
fn belongs(cells: &Cells, node: usize) -> bool {
    cells.resumes(node, node) == Some(true) || (0..cells.nodes()).any(|other| share(cells, node, other))
}

/// Whether two nodes open one another's tickets.
pub(super) fn share(cells: &Cells, one: usize, other: usize) -> bool {
    one != other && cells.resumes(one, other) == Some(true) && cells.resumes(other, one) == Some(true)
}
