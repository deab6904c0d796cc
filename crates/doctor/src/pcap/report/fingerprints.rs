//! What the clients of a capture are, by the JA4 of their hellos.

use std::cmp::Reverse;

use raincheck_diagnosis::count;
use raincheck_diagnosis::session::Summary;

use crate::report::{Cell, Mood, Section, Table};

/// The fingerprints of the first of `clients`, each one's most frequent first. One address may be that of many programs, and one
/// program has more than one where it says other things once it has a session.
pub(super) fn section<P: ToString>(clients: &[(P, Summary)]) -> Option<Section> {
    let shown = &clients[..clients.len().min(MOST_CLIENTS)];
    let rows = shown.iter().flat_map(|(client, summary)| rows(&client.to_string(), summary)).collect::<Vec<_>>();
    let head = ["", "connections", "JA4"].map(str::to_owned).to_vec();
    let others = clients.len() - shown.len();
    let lines =
        (others > 0).then(|| format!("and those of {others} more, with fewer connections")).into_iter().collect();
    let section = Section { heading: "Fingerprints".to_owned(), table: Table { head, rows }, lines };
    (!section.table.rows.is_empty()).then_some(section)
}

fn rows(client: &str, summary: &Summary) -> Vec<Vec<Cell>> {
    let mut seen = summary.ja4s.iter().map(|(ja4, times)| (ja4.to_string(), *times)).collect::<Vec<_>>();
    seen.sort_by_key(|(_, times)| Reverse(*times)); // stable: by fingerprint where they are as frequent
    let others = seen.split_off(seen.len().min(MOST_FINGERPRINTS));
    let mut rows = seen.into_iter().map(|(ja4, times)| (times, Cell::from(ja4))).collect::<Vec<_>>();
    if !others.is_empty() {
        let times = others.iter().map(|(_, times)| times).sum();
        rows.push((times, Cell::new(Mood::Faint, format!("of {}", count(others.len() as u64, "other")))));
    }
    let names = std::iter::once(client).chain(std::iter::repeat(""));
    names.zip(rows).map(|(name, (times, ja4))| vec![name.into(), times.to_string().into(), ja4]).collect()
}

/// Each has up to four rows.
const MOST_CLIENTS: usize = 10;
// A program has one without a session, one with, and perhaps one more where it is asked for less.
const MOST_FINGERPRINTS: usize = 3;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use raincheck_diagnosis::evidence::Ja4;

    use super::*;

    #[test]
    fn of_many_clients_those_that_come_first_have_their_rows() {
        let summary = Summary { ja4s: BTreeMap::from([(Ja4::default(), 7)]), ..Summary::default() };
        let clients = |count: usize| (0..count).map(|client| (client, summary.clone())).collect::<Vec<_>>();
        let Section { table, lines, .. } = section(&clients(12)).unwrap();
        let names = table.rows.iter().map(|row| row[0].text.clone()).collect::<Vec<_>>();
        assert_eq!(names, (0..10).map(|client| client.to_string()).collect::<Vec<_>>());
        assert_eq!(lines, ["and those of 2 more, with fewer connections"]);
        assert_eq!(section(&clients(10)).unwrap().lines, [""; 0]);
        assert_eq!(section(&[("nothing was seen of it", Summary::default())]), None);
    }
}
