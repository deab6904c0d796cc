//! Whose key is gone, and whose was never there.

use std::time::Duration;

use crate::diagnose::capture::weak_ticket_keys;
use crate::evidence::Version;
use crate::session::scene::{Scene, ticket};

const CLIENT: &str = "192.0.2.1";
const A: &str = "198.51.100.1";
const B: &str = "198.51.100.2";
const C: &str = "198.51.100.3";

/// A client that comes to the nodes in turn, with the ticket of the last.
fn round(scene: &mut Scene, nodes: &[(&str, u8)], times: u8, tls13: bool) {
    let mut held = None::<Vec<u8>>;
    for serial in 0..times {
        let (node, key) = nodes[usize::from(serial) % nodes.len()];
        let new = ticket(key, serial);
        let visit = scene.visit(CLIENT, node);
        let visit = if tls13 { visit.tls13().gives_hidden(2) } else { visit };
        let visit = match &held {
            Some(held) if held[0] == key => visit.with(held).resumed(),
            Some(held) => visit.with(held),
            None => visit,
        };
        let renews = held.as_ref().is_none_or(|held| held[0] != key) || tls13;
        if tls13 {
            visit.done()
        } else if renews {
            visit.gives(&new).done()
        } else {
            visit.done()
        }
        if renews {
            held = Some(new);
        }
    }
}

#[test]
fn nodes_with_keys_of_their_own() {
    for (nodes, tls13) in [
        (&[(A, 1), (B, 2)][..], false),
        (&[(A, 1), (B, 2)], true),
        (&[(A, 1), (B, 2), (C, 3)], false),
        (&[(A, 1), (A, 2)], false),
        (&[(A, 1), (A, 2)], true),
        (&[(A, 1), (A, 2), (A, 3)], false),
    ] {
        let mut scene = Scene::default();
        round(&mut scene, nodes, 7, tls13);
        assert_eq!(scene.problems(), ["keys-not-shared"], "{nodes:?}, TLS 1.3: {tls13}");
    }
}

#[test]
fn the_first_connections_that_show_a_finding_are_known() {
    let mut scene = Scene::default();
    round(&mut scene, &[(A, 1), (B, 2)], 9, false);
    let findings = scene.findings();
    assert_eq!(findings[0].connections, [1, 2, 3, 4, 5, 6], "the first offered nothing");
    assert_eq!(findings[0].evidence.last().map(String::as_str), Some("and 2 more"));
}

#[test]
fn nodes_that_share_their_key() {
    for tls13 in [false, true] {
        for nodes in [&[(A, 1), (B, 1)][..], &[(A, 1), (A, 1)], &[(A, 1), (B, 1), (C, 1)]] {
            let mut scene = Scene::default();
            round(&mut scene, nodes, 8, tls13);
            assert_eq!(scene.problems(), [""; 0], "{nodes:?}");
        }
    }
}

#[test]
fn now_and_then_a_client_meets_the_same_node_again() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, A).gives(&ticket(1, 0)).done();
    let nodes = [1, 1, 2, 2, 1, 2, 1, 1, 2];
    for (serial, pair) in (1..).zip(nodes.windows(2)) {
        let visit = scene.visit(CLIENT, A).with(&ticket(pair[0], serial - 1)).gives(&ticket(pair[1], serial));
        if pair[0] == pair[1] { visit.resumed().done() } else { visit.done() }
    }
    assert_eq!(scene.problems(), ["keys-not-shared"]);
}

#[test]
fn one_node_of_three_has_another_key() {
    let mut scene = Scene::default();
    round(&mut scene, &[(A, 1), (B, 1), (C, 2)], 9, false);
    let findings = scene.findings();
    let finding = findings.iter().find(|finding| finding.name.as_str() == "keys-not-shared").expect("found");
    assert!(finding.peers.iter().any(|peer| peer.ip().to_string() == C));
    assert_eq!(scene.problems(), ["keys-not-shared"]);
}

#[test]
fn a_node_that_has_not_the_next_key_yet() {
    let mut scene = Scene::default();
    // A seals under 2 and still opens 1, B has 1 only.
    scene.visit(CLIENT, B).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, A).with(&ticket(1, 1)).resumed().gives(&ticket(2, 2)).done();
    scene.visit(CLIENT, B).with(&ticket(2, 2)).gives(&ticket(1, 3)).done();
    scene.visit(CLIENT, A).with(&ticket(1, 3)).resumed().gives(&ticket(2, 4)).done();
    scene.visit(CLIENT, B).with(&ticket(2, 4)).gives(&ticket(1, 5)).done();
    assert_eq!(scene.problems(), ["rotation-out-of-step"]);
}

#[test]
fn such_a_node_behind_one_address() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, A).gives(&ticket(1, 1)).done();
    for serial in [2, 4, 6] {
        scene.visit(CLIENT, A).with(&ticket(1, serial - 1)).resumed().gives(&ticket(2, serial)).done();
        scene.visit(CLIENT, A).with(&ticket(2, serial)).gives(&ticket(1, serial + 1)).done();
    }
    assert_eq!(scene.problems(), ["rotation-out-of-step"]);
}

#[test]
fn a_fleet_that_rotates_as_one() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, A).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, B).with(&ticket(1, 1)).resumed().done();
    scene.visit(CLIENT, A).with(&ticket(1, 1)).resumed().gives(&ticket(2, 2)).done();
    scene.visit(CLIENT, B).with(&ticket(2, 2)).resumed().done();
    scene.visit(CLIENT, B).with(&ticket(1, 1)).resumed().gives(&ticket(2, 3)).done();
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn a_fleet_that_drops_the_old_key() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, A).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, B).with(&ticket(1, 1)).resumed().done();
    scene.wait(Duration::from_secs(60));
    scene.visit(CLIENT, B).with(&ticket(1, 1)).gives(&ticket(2, 2)).done();
    scene.visit(CLIENT, A).with(&ticket(2, 2)).resumed().done();
    assert_eq!(scene.problems(), ["key-rotated-away"]);
}

#[test]
fn a_server_that_is_started_anew() {
    for tls13 in [false, true] {
        let mut scene = Scene::default();
        let visit = |scene: &mut Scene, client: u8, key: u8, held: Option<u8>| {
            let visit = scene.visit(&format!("192.0.2.{client}"), A);
            let visit = if tls13 { visit.tls13().gives_hidden(2) } else { visit };
            let visit = held.iter().fold(visit, |visit, held| visit.with(&ticket(*held, client)));
            let visit = if held == Some(key) { visit.resumed() } else { visit };
            if tls13 || held == Some(key) { visit.done() } else { visit.gives(&ticket(key, client)).done() }
        };
        for client in 1..4 {
            visit(&mut scene, client, 1, None);
            visit(&mut scene, client, 1, Some(1));
        }
        for client in 1..4 {
            visit(&mut scene, client, 2, Some(1));
            visit(&mut scene, client, 2, Some(2));
        }
        assert_eq!(scene.problems(), ["key-rotated-away"], "TLS 1.3: {tls13}");
    }
}

#[test]
fn a_ticket_that_is_refused_once_where_none_ever_resumed() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, A).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, A).with(&ticket(1, 1)).gives(&ticket(2, 2)).done();
    assert_eq!((scene.problems(), scene.notes()), (vec![], vec!["key-rotated-away"]));
}

#[test]
fn two_services_behind_one_address() {
    let mut scene = Scene::default();
    for serial in [1, 3, 5] {
        for (name, key) in [("one.example", 1), ("two.example", 2)] {
            scene.visit(CLIENT, A).name(Some(name)).gives(&ticket(key, serial)).done();
            scene.visit(CLIENT, A).name(Some(name)).with(&ticket(key, serial)).resumed().done();
        }
    }
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn versions_whose_tickets_have_keys_of_their_own() {
    let mut scene = Scene::default();
    for serial in [1, 3, 5] {
        scene.visit(CLIENT, A).gives(&ticket(1, serial)).done();
        scene.visit(CLIENT, A).with(&ticket(1, serial)).resumed().done();
        scene.visit("192.0.2.9", A).tls13().gives_hidden(2).done();
        scene.visit("192.0.2.9", A).tls13().with(&ticket(2, serial)).resumed().gives_hidden(2).done();
    }
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn one_ticket_of_many_is_refused() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, A).gives(&ticket(1, 0)).done();
    for _ in 0..30 {
        scene.visit(CLIENT, A).with(&ticket(1, 0)).resumed().done();
    }
    scene.visit("192.0.2.2", A).gives(&ticket(1, 1)).done();
    scene.visit("192.0.2.2", A).with(&ticket(1, 1)).gives(&ticket(1, 2)).done();
    scene.visit(CLIENT, A).with(&ticket(1, 0)).resumed().done();
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn an_old_ticket_once_in_a_while() {
    let mut scene = Scene::default();
    scene.visit("192.0.2.2", A).gives(&ticket(1, 1)).lifetime(Duration::from_secs(300)).done();
    for serial in 2..32 {
        scene.visit(CLIENT, A).gives(&ticket(1, serial)).done();
        scene.visit(CLIENT, A).with(&ticket(1, serial)).resumed().done();
    }
    scene.wait(Duration::from_secs(400));
    scene.visit("192.0.2.2", A).with(&ticket(1, 1)).gives(&ticket(1, 40)).done();
    assert_eq!(scene.problems(), [""; 0]);
    assert!(scene.notes().contains(&"ticket-expired"));
}

#[test]
fn tickets_that_are_too_old_as_a_rule() {
    let mut scene = Scene::default();
    for serial in 0..4 {
        let visit = scene.visit(CLIENT, A).gives(&ticket(1, serial)).lifetime(Duration::from_secs(60));
        if serial == 0 {
            visit.done()
        } else {
            visit.with(&ticket(1, serial - 1)).done()
        }
        scene.wait(Duration::from_secs(90));
    }
    assert_eq!(scene.problems(), ["ticket-expired"]);
}

#[test]
fn sessions_from_before_the_capture() {
    let mut scene = Scene::default();
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        scene.visit(client, A).with(&ticket(1, client.len() as u8)).gives(&ticket(2, 1)).done();
        scene.visit(client, A).with(&ticket(2, 1)).resumed().done();
    }
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn many_clients_behind_one_address_with_tickets_from_before() {
    let mut scene = Scene::default();
    for serial in 0..6 {
        scene.visit(CLIENT, A).with(&ticket(1, serial)).gives(&ticket(2, serial)).done();
    }
    assert_eq!(scene.problems(), [""; 0], "the key may have gone before the capture began");
}

#[test]
fn one_node_is_seen_of_two() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, A).gives(&ticket(1, 0)).done();
    for serial in 1..5 {
        scene.visit(CLIENT, A).with(&ticket(2, serial)).gives(&ticket(1, serial)).done();
    }
    assert_eq!(scene.problems(), ["keys-not-shared"]);
}

#[test]
fn one_node_is_seen_of_two_in_tls13() {
    let visits = |shown: bool, foreign: u8, pause: Duration| {
        let mut scene = Scene::default();
        for serial in 0..4 {
            let visit = scene.visit(CLIENT, A).tls13();
            let visit = if shown { visit.gives(&ticket(1, serial)) } else { visit.gives_hidden(2) };
            match serial {
                0 => visit.done(),
                _ if foreign == 1 => visit.with(&ticket(1, 10 + serial)).resumed().done(),
                _ => visit.with(&ticket(foreign, 10 + serial)).done(),
            }
            scene.wait(pause);
        }
        scene
    };
    let (soon, late) = (Duration::ZERO, Duration::from_secs(20));
    assert_eq!(visits(true, 2, soon).problems(), ["keys-not-shared"]);
    assert_eq!(visits(true, 2, late).problems(), ["keys-not-shared"]);
    assert_eq!(visits(false, 2, soon).problems(), ["keys-not-shared"]);
    let scene = visits(false, 2, late);
    assert_eq!((scene.problems(), scene.notes()), (vec![], vec!["keys-not-shared"]), "they may be too old");
    assert_eq!(visits(false, 1, soon).problems(), [""; 0]);
}

#[test]
fn a_server_that_refuses_what_it_issued() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, A).gives(&ticket(1, 0)).done();
    for serial in 1..5 {
        scene.visit(CLIENT, A).with(&ticket(1, serial - 1)).gives(&ticket(1, serial)).done();
    }
    assert_eq!(scene.problems(), ["ticket-never-accepted"]);
}

#[test]
fn a_client_with_a_store_for_each_of_many_servers() {
    // As HAProxy checks servers that have nothing to do with each other, under one name or none.
    for name in [None, Some("check.example")] {
        let mut scene = Scene::default();
        for serial in 0..6 {
            for (server, key) in [(A, 1), (B, 2), (C, 3)] {
                let visit = scene.visit(CLIENT, server).tls13().name(name).gives_hidden(2);
                if serial == 0 { visit.done() } else { visit.with(&ticket(key, serial)).resumed().done() }
            }
        }
        assert_eq!(scene.problems(), [""; 0]);
    }
}

#[test]
fn a_server_that_changes_its_version() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, A).offering(Version::TLS13).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, A).offering(Version::TLS13).with_ticket12(&ticket(1, 1)).resumed().done();
    scene.visit(CLIENT, A).tls13().with_ticket12(&ticket(1, 1)).gives_hidden(2).done();
    assert_eq!(scene.problems(), ["version-changed"]);
}

#[test]
fn clients_of_several_versions() {
    let mut scene = Scene::default();
    for (client, version, key) in [("192.0.2.1", Version::TLS12, 1), ("192.0.2.2", Version::TLS13, 1)] {
        let visit = scene.visit(client, A).version(version);
        if version == Version::TLS12 {
            visit.gives(&ticket(key, 1)).done()
        } else {
            visit.gives_hidden(2).done()
        }
        for serial in [1, 2] {
            let held = ticket(key, if version == Version::TLS12 { 1 } else { 10 + serial });
            scene.visit(client, A).version(version).with(&held).resumed().gives_hidden(1).done();
        }
    }
    assert_eq!(scene.problems(), [""; 0]);
}

/// A balancer that passes the bytes on, seen on both its sides.
fn both_legs(nodes: &[(&str, u8)], times: u8) -> Scene {
    let (balancer, address) = ("203.0.113.1", "203.0.113.2");
    let mut scene = Scene::default();
    for serial in 0..times {
        let (node, key) = nodes[usize::from(serial) % nodes.len()];
        let (_, before) = nodes[(usize::from(serial) + nodes.len() - 1) % nodes.len()];
        for (client, server) in [(balancer, node), (CLIENT, address)] {
            let visit = scene.visit(client, server).leg(serial).gives(&ticket(key, serial));
            match serial {
                0 => visit.done(),
                _ if before == key => visit.with(&ticket(before, serial - 1)).resumed().done(),
                _ => visit.with(&ticket(before, serial - 1)).done(),
            }
        }
    }
    scene
}

#[test]
fn a_fleet_that_is_seen_on_both_sides_of_its_balancer() {
    assert_eq!(both_legs(&[(A, 1), (B, 1)], 6).problems(), [""; 0]);
    let scene = both_legs(&[(A, 1), (B, 2)], 6);
    assert_eq!(scene.problems(), ["keys-not-shared"]);
    let findings = scene.findings();
    let between = findings.iter().find(|finding| finding.peers.len() == 2).expect("between two nodes");
    assert_eq!(between.peers.iter().map(|peer| peer.ip().to_string()).collect::<Vec<_>>(), [A, B]);
}

/// A balancer that keeps the client's address, seen on both its sides. The client holds the ticket it was given last; a node
/// opens those under the keys it has, and seals under the first of them.
fn transparent_legs(nodes: [(&str, &[u8]); 2], times: u8, tls13: bool) -> Scene {
    let mut scene = Scene::default();
    let mut held = None::<u8>;
    for serial in 0..times {
        let (node, keys) = nodes[usize::from(serial) % nodes.len()];
        for server in ["203.0.113.2", node] {
            let visit = scene.visit(CLIENT, server).leg(serial);
            let visit = if tls13 { visit.tls13().gives_hidden(2) } else { visit.gives(&ticket(keys[0], serial)) };
            match held {
                Some(key) if keys.contains(&key) => visit.with(&ticket(key, serial - 1)).resumed().done(),
                Some(key) => visit.with(&ticket(key, serial - 1)).done(),
                None => visit.done(),
            }
        }
        held = Some(keys[0]);
    }
    scene
}

#[test]
fn a_fleet_that_is_seen_on_both_sides_of_a_transparent_balancer() {
    for tls13 in [false, true] {
        let problems = |nodes| transparent_legs(nodes, 8, tls13).problems();
        assert_eq!(problems([(A, &[1]), (B, &[1])]), [""; 0], "TLS 1.3: {tls13}");
        assert_eq!(problems([(A, &[1]), (B, &[2])]), ["keys-not-shared"], "TLS 1.3: {tls13}");
        assert_eq!(problems([(A, &[2, 1]), (B, &[1])]), ["rotation-out-of-step"], "TLS 1.3: {tls13}");
    }
}

#[test]
fn keys_that_anybody_can_guess() {
    let weak = include_str!("../../../../../../testdata/tickets/nginx-zero-48-12.hex");
    let weak = weak.split_whitespace().collect::<String>();
    let bytes = (0..weak.len()).step_by(2).map(|at| u8::from_str_radix(&weak[at..at + 2], 16));
    let weak = bytes.collect::<Result<Vec<_>, _>>().expect("hexadecimal digits");
    let mut scene = Scene::default();
    scene.visit(CLIENT, A).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, A).with(&ticket(1, 1)).gives(&weak).done();
    scene.visit(CLIENT, B).gives(&ticket(2, 1)).done();
    let findings = weak_ticket_keys(&scene.graph());
    let peers = findings.iter().map(|finding| (finding.name.as_str(), finding.peers[0].ip().to_string()));
    assert_eq!(peers.collect::<Vec<_>>(), [("weak-ticket-key", A.to_owned())]);
}
