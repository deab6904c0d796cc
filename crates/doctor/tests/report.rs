//! What people get of captures of real software (`testdata/captures/`).
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use raincheck_diagnosis::tls::KeyLog;
use raincheck_doctor::capture::{Capture, Source};
use raincheck_doctor::pcap::{Incident, Selection};
use raincheck_doctor::report::Paint;

/// These captures as one.
fn incident(names: &[&str]) -> Incident {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures");
    let mut capture = Capture::open(names.iter().map(|name| Source::File(directory.join(name)))).unwrap();
    Incident::read(&mut capture, &Selection::default(), &KeyLog::recorded()).unwrap()
}

/// The lines of a section of the text, without its heading and the head of its table.
fn section<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| *line != heading).skip(2);
    lines.take_while(|line| !line.is_empty()).collect()
}

#[test]
fn a_client_has_the_fingerprints_that_it_was_seen_with() {
    let incident = incident(&["01_java17_engine_tls12_ticket_clean.pcap", "09_client_python_tls13_rotation.pcap"]);
    let mut times = BTreeMap::<_, usize>::new();
    for ja4 in incident.graph.connections().iter().filter_map(|record| incident.graph.ja4(record)) {
        *times.entry(ja4.to_string()).or_default() += 1;
    }
    let mut expected = times.into_iter().collect::<Vec<_>>();
    expected.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    assert!((2..=3).contains(&expected.len()), "{expected:?}");
    let text = incident.text("both", Paint::PLAIN);
    let rows = section(&text, "Fingerprints");
    let rows = rows.iter().map(|row| row.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>();
    assert_eq!(rows.len(), expected.len(), "{text}");
    for (place, ((ja4, times), row)) in expected.iter().zip(rows).enumerate() {
        let times = times.to_string();
        let row = if place == 0 { row.strip_prefix(&["127.0.0.1"]).unwrap() } else { &row[..] };
        assert_eq!(row, [&times[..], &ja4[..]]);
    }
    let html = incident.html("both");
    assert!(expected.iter().all(|(ja4, _)| html.contains(&format!("<td>{ja4}</td>"))), "{html}");
}

#[test]
fn of_many_fingerprints_the_most_frequent_are_shown_and_the_others_counted() {
    let clients = ["gnutls_cli", "java11", "java17", "nginx_upstream", "node_agent", "openssl", "rustls"];
    let names = clients.map(|client| format!("09_client_{client}_tls12_rotation.pcap"));
    let incident = incident(&names.each_ref().map(String::as_str));
    let seen = incident.graph.connections().iter().filter_map(|record| incident.graph.ja4(record));
    let seen = seen.map(|ja4| ja4.to_string()).collect::<Vec<_>>();
    let mut distinct = seen.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let text = incident.text("all", Paint::PLAIN);
    let rows = section(&text, "Fingerprints");
    let [first @ .., rest] = &rows[..] else { panic!("{text}") };
    assert_eq!(first.len(), 3, "{text}");
    assert!(rest.ends_with(&format!("of {} others", distinct.len() - 3)), "{text}");
    let hellos = rows.iter().map(|row| row.split_whitespace().rev().find_map(|word| word.parse::<usize>().ok()));
    let mut hellos = hellos.collect::<Option<Vec<_>>>().unwrap();
    // The last row has a number of others behind that of their hellos.
    *hellos.last_mut().unwrap() = rest.split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(hellos.iter().sum::<usize>(), seen.len(), "{text}");
    assert!(hellos[..3].is_sorted_by(|one, next| one >= next), "{text}");
}
