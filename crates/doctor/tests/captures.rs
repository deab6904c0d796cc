//! Every connection of every capture in `testdata/captures/` is what `truth.json` says it is, with its key log and without.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use raincheck_diagnosis::evidence::{Answer, Close, Connection, Offer, Version};
use raincheck_diagnosis::tcp::{Connections, Limits};
use raincheck_diagnosis::tls::{KeyLog, Reader};
use raincheck_diagnosis::{Side, Sides};
use raincheck_doctor::capture::{Capture, Event, Source};
use serde_json::{Map, Value, json};

#[test]
fn with_their_key_logs_they_are_what_they_are() {
    let unknown = compare(true, |capture, _, _| capture.misses_something);
    assert!(unknown.values().sum::<usize>() <= 22, "{unknown:?}");
}

#[test]
fn without_a_key_log_no_certainty_is_wrong() {
    let unknown = compare(false, |capture, field, connection| {
        let unclean = connection.close(Side::Client) == Close::Truncated;
        match field {
            _ if capture.misses_something => true,
            // What answers a FIN without close_notify is close_notify or a fatal alert.
            "close.server" => unclean,
            "alerts" => connection.alerts.len() > connection.read_alerts().count() || is_tls13(connection),
            _ => false,
        }
    });
    assert!(unknown["close.server"] <= 75 && unknown["alerts"] <= 28, "{unknown:?}");
    assert!(unknown.values().sum::<usize>() <= 130, "{unknown:?}");
}

#[test]
fn tickets_of_tls13_are_read_with_a_key_log() {
    let mut tickets = 0;
    let mut offered_again = 0;
    for (name, _) in truth() {
        let connections = read(&name, true);
        let issued = connections.iter().flat_map(|connection| &connection.tickets);
        let issued = issued.map(|ticket| ticket.ticket.clone()).collect::<BTreeSet<_>>();
        for connection in connections.iter().filter(|connection| is_tls13(connection)) {
            tickets += connection.tickets.len();
            offered_again += usize::from(matches!(connection.offer(), Offer::Psk(ticket) if issued.contains(ticket)));
        }
    }
    assert!(tickets >= 170 && offered_again >= 70, "{tickets} tickets, {offered_again} of them offered");
}

/// A capture, as far as it matters for what may be unknown.
struct Expectation {
    misses_something: bool,
}

/// Compares all captures. A field may be unknown where `may_be_unknown` says so; how often it was, by field.
fn compare(
    with_keys: bool,
    may_be_unknown: impl Fn(&Expectation, &str, &Connection) -> bool,
) -> BTreeMap<&'static str, usize> {
    let mut unknown = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (name, expected) in truth() {
        let seen = read(&name, with_keys);
        let expectation = Expectation { misses_something: expected["missing"].is_string() };
        let expected = expected["connections"].as_array().unwrap();
        assert_eq!(seen.len(), expected.len(), "{name}");
        let mut issued = BTreeSet::new();
        for (connection, expected) in seen.iter().zip(expected) {
            compared += 1;
            for (field, is) in fields(connection, &issued) {
                let should = expected.pointer(&format!("/{}", field.replace('.', "/"))).unwrap();
                if is == *should {
                    continue;
                }
                if is_unknown(&is) && may_be_unknown(&expectation, field, connection) {
                    *unknown.entry(field).or_default() += 1;
                } else if !seen_better(&name, field, &is) {
                    wrong.push(format!("{name}: {} {field}: {is}, not {should}", connection.client));
                }
            }
            if let Some(hello) = connection.server_hello.as_ref().filter(|_| !is_tls13(connection)) {
                issued.insert(hello.session_id.as_bytes().to_vec());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(compared, 940);
    unknown
}

/// Where the truth was taken from a program that made less of what is there than can be made of it.
fn seen_better(name: &str, field: &str, is: &Value) -> bool {
    match name {
        // The connection did not end in what was captured.
        "11u_ends_inside_58004.pcap" | "11u_file_cut_mid_packet.pcap" => field.starts_with("close") && is == "open",
        // Its flight is cut short, but the server's alert is there.
        "11p_gso_snaplen1600_truncated_tls12.pcap" => field == "close.server" && is == "clean",
        _ => false,
    }
}

fn is_unknown(value: &Value) -> bool {
    value == "unknown" || value.is_null() || *value == json!([])
}

/// A connection in the form of `truth.json`. A session ID is offered if a server `issued` it.
fn fields(connection: &Connection, issued: &BTreeSet<Vec<u8>>) -> Vec<(&'static str, Value)> {
    let hello = connection.client_hello.as_ref();
    let offered = match connection.offer() {
        Offer::SessionId(id) if issued.contains(id) => "session-id",
        Offer::None | Offer::SessionId(_) => "none",
        Offer::Ticket(_) => "ticket",
        Offer::Psk(_) => "psk",
        Offer::Unknown => "unknown",
    };
    let renewed = match connection.renewed_inline() {
        Answer::Yes => json!(true),
        Answer::No => json!(false),
        Answer::Unknown => json!("unknown"),
    };
    let alerts = connection.read_alerts().map(|(side, description)| format!("{}:{}", side.as_str(), description.0));
    vec![
        ("client", json!(connection.client.to_string())),
        ("server", json!(connection.server.to_string())),
        ("version", json!(connection.version().map(|version| version.to_string()))),
        ("sni", json!(hello.and_then(|hello| hello.server_name.as_deref()))),
        ("offered", json!(offered)),
        ("offered_key_name", json!(connection.offered_key_name().map(|name| name.to_string()))),
        ("kind", json!(connection.kind().as_str())),
        ("renewed_inline", renewed),
        ("alerts", json!(alerts.collect::<Vec<_>>())),
        ("close.client", json!(connection.close(Side::Client).as_str())),
        ("close.server", json!(connection.close(Side::Server).as_str())),
    ]
}

fn is_tls13(connection: &Connection) -> bool {
    connection.version() == Some(Version::TLS13)
}

/// The connections of a capture, in order of their start.
fn read(name: &str, with_keys: bool) -> Vec<Connection> {
    let log = KeyLog::recorded();
    let path = directory().join(name);
    let keys = path.with_file_name(format!("{}.keys", name.split(".pcap").next().unwrap()));
    if let Ok(keys) = std::fs::read(keys) {
        log.read(&keys);
        assert_eq!(log.bad_lines().count, 0, "{name}");
    }
    let open = |opening| if with_keys { Reader::with_key_log(opening, log.clone()) } else { Reader::new(opening) };
    let mut connections = Connections::new(Limits::default(), 0, open);
    let mut seen = Vec::new();
    let mut capture = Capture::open([Source::File(path)]).unwrap();
    while let Some(event) = capture.next().unwrap() {
        match event {
            Event::Segment(segment) => connections.read(&segment, |reader| seen.push(reader.finish().clone())),
            Event::Secrets(text) => log.read(text),
        }
    }
    connections.finish(|reader| seen.push(reader.finish().clone()));
    seen.sort_by_key(|connection| connection.start);
    assert!(seen.iter().all(|connection| connection.unopened == Sides::default()), "{name}: all opens");
    seen
}

fn truth() -> Map<String, Value> {
    serde_json::from_slice(&std::fs::read(directory().join("truth.json")).unwrap()).unwrap()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures")
}
