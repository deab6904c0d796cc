use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::IpAddr;

use raincheck_diagnosis::evidence::{Close, Connection, Kind, Offer};
use raincheck_tests::program::run;
use raincheck_tests::require;
use tempfile::TempDir;

use super::*;
use crate::captures::read;
use crate::captures::tshark;

const MIXES: [Mix; 3] = [Mix::Handshakes, Mix::Data, Mix::Open];

/// A capture with every template in it, most of them more than once.
struct Small {
    _directory: TempDir,
    path: PathBuf,
    made: Made,
}

impl Small {
    fn make(mix: Mix, seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("small.pcap");
        let made = make(&path, mix, Least { bytes: 0, connections: 250 }, seed).unwrap();
        Self { _directory: directory, path, made }
    }

    fn connections(&self) -> Vec<Connection> {
        read::connections(&self.path).unwrap()
    }
}

/// How many handshakes of each kind there were.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    connections: u64,
    client_hellos: u64,
    full: u64,
    session_id: u64,
    ticket: u64,
    psk: u64,
    other: u64,
}

impl Tally {
    fn add(&mut self, connection: &Connection) {
        self.connections += 1;
        self.client_hellos += u64::from(connection.client_hello.is_some()) + u64::from(connection.retry);
        *match connection.kind() {
            Kind::Full => &mut self.full,
            Kind::ResumedSessionId => &mut self.session_id,
            Kind::ResumedTicket => &mut self.ticket,
            Kind::ResumedPsk => &mut self.psk,
            Kind::Aborted | Kind::Unknown => &mut self.other,
        } += 1;
    }
}

fn tally(connections: &[Connection]) -> Tally {
    let mut tally = Tally::default();
    connections.iter().for_each(|connection| tally.add(connection));
    tally
}

#[test]
fn as_much_is_made_as_is_said() {
    for mix in MIXES {
        let small = Small::make(mix, 1);
        let connections = small.connections();
        assert_eq!(fs::metadata(&small.path).unwrap().len(), small.made.bytes, "{mix:?}");
        assert_eq!(connections.len() as u64, small.made.connections, "{mix:?}");
        assert!(small.made.connections >= 250);
        let last = connections.iter().map(|connection| connection.last.packet).max().unwrap();
        assert!(small.made.packets - last < 20, "{mix:?}: {last} of {}", small.made.packets);
    }
}

#[test]
fn copies_are_of_the_kind_of_what_they_copy() {
    let templates = TEMPLATES.map(|name| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures");
        tally(&read::connections(&directory.join(name).with_extension("pcap")).unwrap())
    });
    let connections = Small::make(Mix::Handshakes, 1).connections();
    let mut copies = HashMap::<IpAddr, Vec<Connection>>::new();
    for connection in connections {
        copies.entry(connection.client.ip()).or_default().push(connection);
    }
    assert!(copies.len() > TEMPLATES.len());
    for (client, connections) in copies {
        let IpAddr::V4(client) = client else { panic!("{client}") };
        let number = client.to_bits() - CLIENTS.to_bits();
        assert_eq!(tally(&connections), templates[number as usize % TEMPLATES.len()], "copy {number}");
        assert!(connections.iter().all(|connection| connection.from_the_start));
        assert!(connections.iter().all(|connection| !connection.missing.client && !connection.missing.server));
    }
}

#[test]
fn what_resumes_was_issued_to_the_same_client_and_to_no_other() {
    let connections = Small::make(Mix::Handshakes, 1).connections();
    let mut issued = HashMap::<Vec<u8>, IpAddr>::new();
    for connection in &connections {
        let client = connection.client.ip();
        let ids = connection.server_hello.iter().map(|hello| hello.session_id.as_bytes().to_vec());
        for token in connection.tickets.iter().map(|ticket| ticket.ticket.to_vec()).chain(ids) {
            let other = issued.insert(token.clone(), client).filter(|_| !token.is_empty());
            assert!(other.is_none_or(|other| other == client), "{client} and {other:?}");
        }
    }
    let (mut resumed, mut offered) = (0, HashMap::new());
    for connection in connections.iter().filter(|connection| connection.kind().is_resumed()) {
        match connection.offer() {
            Offer::Ticket(token) | Offer::SessionId(token) => {
                assert_eq!(issued.get(token), Some(&connection.client.ip()));
                resumed += 1;
            }
            // Issued under encryption: that no two clients offer the same is all that can be seen.
            Offer::Psk(token) => {
                let client = connection.client.ip();
                assert_eq!(*offered.entry(token.to_vec()).or_insert(client), client);
            }
            offer => panic!("{offer:?}"),
        }
    }
    assert!(resumed > 50 && offered.len() > 50, "{resumed}, {}", offered.len());
    let randoms = connections.iter().filter_map(|connection| Some(connection.client_hello.as_ref()?.random));
    assert_eq!(randoms.collect::<HashSet<_>>().len(), connections.len());
}

#[test]
fn data_is_most_of_it_and_changes_nothing_else() {
    let (small, plain) = (Small::make(Mix::Data, 1), Small::make(Mix::Handshakes, 1).connections());
    let connections = small.connections();
    let data = connections.iter().map(|connection| connection.application.server.bytes).sum::<u64>();
    assert!(data > small.made.bytes / 10 * 9, "{data} of {}", small.made.bytes);
    assert_eq!(tally(&connections), tally(&plain));
    let closes = |connections: &[Connection]| {
        let mut closes = [Side::Client, Side::Server]
            .map(|side| connections.iter().map(|connection| connection.close(side)).collect::<Vec<_>>());
        closes.iter_mut().for_each(|closes| closes.sort_unstable());
        closes
    };
    assert_eq!(closes(&connections), closes(&plain));
}

#[test]
fn what_is_open_stays_open() {
    let connections = Small::make(Mix::Open, 1).connections();
    for connection in &connections {
        for side in [Side::Client, Side::Server] {
            assert_eq!(connection.close(side), Close::Open, "{connection:?}");
        }
    }
    let established = connections.iter().filter(|connection| connection.is_established()).count();
    assert!(established * 100 > connections.len() * 99, "{established} of {}", connections.len());
}

#[test]
fn a_seed_makes_one_capture() {
    for mix in MIXES {
        let [one, same, other] = [1, 1, 2].map(|seed| fs::read(Small::make(mix, seed).path).unwrap());
        assert!(one == same, "{mix:?}");
        assert!(one != other, "{mix:?}");
    }
}

#[test]
fn tshark_sees_the_same_handshakes() {
    require!("tshark");
    for mix in MIXES {
        let small = Small::make(mix, 1);
        let fields = run(&mut tshark::command(&small.path), b"").succeeded().stdout;
        let count = |field: &str, holds: &dyn Fn(&str) -> bool| {
            let column = tshark::FIELDS.iter().position(|name| *name == field).unwrap();
            let values = fields.lines().filter_map(|line| line.split('\t').nth(column));
            values.flat_map(|values| values.split(',')).filter(|value| holds(value)).count() as u64
        };
        let tally = tally(&small.connections());
        assert_eq!(count("tls.handshake.type", &|kind| kind == "1"), tally.client_hellos, "{mix:?}");
        let selected = count("tls.handshake.extensions.psk.identity.selected", &|index| !index.is_empty());
        let resumed = count("tls.resumed", &|mark| !mark.is_empty());
        assert_eq!((selected, resumed), (tally.psk, tally.session_id + tally.ticket), "{mix:?}");
    }
}
