use std::sync::Arc;

use super::Offered;
use super::record::Record;
use super::scene::{Ends, Scene, ticket};
use crate::evidence::{Answer, Close, Ja4, Kind, Profile, Version};

const CLIENT: &str = "192.0.2.1";
const SERVER: &str = "198.51.100.1";
const OTHER: &str = "198.51.100.2";

#[test]
fn a_connection_that_is_over_takes_little_memory() {
    assert!(size_of::<Record>() <= 256, "{} bytes", size_of::<Record>());
}

#[test]
fn a_session_is_followed_from_connection_to_connection() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, OTHER).with(&ticket(1, 1)).resumed().gives(&ticket(2, 2)).done();
    scene.visit(CLIENT, SERVER).with(&ticket(2, 2)).gives(&ticket(1, 3)).ends(Ends::Reset).done();
    let graph = scene.graph();
    let verdicts = (0..3).map(|place| graph.verdict(place)).collect::<Vec<_>>();
    assert_eq!(
        verdicts.iter().map(|verdict| verdict.kind).collect::<Vec<_>>(),
        [Kind::Full, Kind::ResumedTicket, Kind::Full]
    );
    assert_eq!(
        verdicts.iter().map(|verdict| verdict.refused).collect::<Vec<_>>(),
        [Answer::No, Answer::No, Answer::Yes]
    );
    assert_eq!(verdicts[1].renewed_inline, Answer::Yes);
    assert_eq!(verdicts[2].close.client, Close::Reset);
    let session = graph.offered(&graph.connections()[2]).expect("a session");
    assert_eq!(graph.issues(session).iter().map(|issue| issue.connection()).collect::<Vec<_>>(), [1]);
    assert_eq!(graph.offers(session).iter().map(|offer| offer.connection).collect::<Vec<_>>(), [2]);
    assert_ne!(session.key, graph.offered(&graph.connections()[1]).expect("a session").key);
}

#[test]
fn connections_are_in_order_of_start_though_they_end_in_another() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, SERVER).with(&ticket(1, 1)).resumed().done();
    let mut sessions = super::Sessions::new(1);
    scene.connections().iter().rev().for_each(|connection| sessions.add(connection));
    let graph = sessions.into_graph();
    assert_eq!(graph.verdict(0).kind, Kind::Full);
    let session = graph.offered(&graph.connections()[1]).expect("a session");
    assert_eq!(graph.issues(session)[0].connection(), 0);
}

#[test]
fn a_session_id_is_an_offer_if_a_server_issued_it() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).with_id(9).gives_id(1).done();
    scene.visit(CLIENT, SERVER).with_id(1).gives_id(2).done();
    scene.visit(CLIENT, SERVER).with_id(3).resumed().done();
    scene.visit(CLIENT, SERVER).with_id(3).gives_id(4).done();
    let graph = scene.graph();
    let offered = (0..4).map(|place| graph.verdict(place).offered).collect::<Vec<_>>();
    assert_eq!(offered, [Offered::None, Offered::SessionId, Offered::SessionId, Offered::SessionId]);
    assert_eq!(graph.verdict(0).refused, Answer::No, "it was random");
    assert_eq!(graph.verdict(3).refused, Answer::Yes, "it had been resumed");
}

#[test]
fn connections_without_tls_are_of_interest_where_tls_is_spoken() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, SERVER).plain();
    scene.visit(CLIENT, SERVER).silent();
    scene.visit(CLIENT, OTHER).plain();
    scene.visit(CLIENT, OTHER).silent();
    for port in ["198.51.100.1:80", "198.51.100.1:81"] {
        scene.visit(CLIENT, port).silent();
    }
    scene.visit(CLIENT, "198.51.100.1:80").plain();
    let graph = scene.graph();
    let servers = graph.connections().iter().map(|record| graph.server(record).port()).collect::<Vec<_>>();
    assert_eq!(servers, [443, 443, 443, 81], "port 81 may have been to speak TLS");
    assert_eq!(graph.without_tls(), 4);
    let verdict = graph.verdict(1);
    assert_eq!((verdict.kind, verdict.version, verdict.offered), (Kind::Aborted, None, Offered::None));
    assert_eq!((verdict.refused, verdict.renewed_inline), (Answer::No, Answer::No));
}

#[test]
fn a_ticket_of_each_key_is_kept() {
    let mut scene = Scene::default();
    for (key, serial) in [(1, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)] {
        scene.visit(CLIENT, SERVER).gives(&ticket(key, serial)).done();
    }
    scene.visit(CLIENT, OTHER).with(&ticket(9, 1)).resumed().done();
    scene.visit(CLIENT, OTHER).with(&ticket(8, 1)).done();
    let graph = scene.graph();
    let samples = graph.samples().iter().map(|sample| sample.ticket[0]).collect::<Vec<_>>();
    assert_eq!(samples, [1, 2, 3, 4, 9], "not what was refused");
}

#[test]
fn clients_have_the_fingerprints_of_their_hellos() {
    let mut scene = Scene::default();
    for _ in 0..3 {
        scene.visit(CLIENT, SERVER).done();
    }
    let (one, other) = (Ja4::new("t13d1516h2_8daaf6152771_e5627efa2ab1"), Ja4::default());
    let mut sessions = super::Sessions::new(1);
    for (connection, ja4) in scene.connections().iter().zip([one, other, one]) {
        let mut connection = connection.clone();
        connection.client_hello.as_mut().expect("a hello").profile = Arc::new(Profile { ja4, ..Profile::default() });
        sessions.add(&connection);
    }
    let graph = sessions.into_graph();
    let seen = (0..3).map(|place| graph.verdict(place).ja4).collect::<Vec<_>>();
    assert_eq!(seen, [Some(one), Some(other), Some(one)]);
    assert_eq!(graph.connections()[0].ja4, graph.connections()[2].ja4, "kept once");
    let clients = graph.by_client();
    let summary = clients.values().next().expect("a client");
    assert_eq!(summary.ja4s.iter().map(|(ja4, times)| (*ja4, *times)).collect::<Vec<_>>(), [(other, 1), (one, 2)]);
}

#[test]
fn what_was_not_seen_is_unknown() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).half_seen();
    let graph = scene.graph();
    let verdict = graph.verdict(0);
    assert_eq!(verdict.ja4, None);
    assert!(graph.by_client().values().all(|summary| summary.ja4s.is_empty()));
    assert_eq!((verdict.kind, verdict.offered), (Kind::Unknown, Offered::Unknown));
    assert_eq!((verdict.refused, verdict.renewed_inline), (Answer::Unknown, Answer::Unknown));
}

#[test]
fn servers_and_clients_are_summed_up() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, SERVER).with(&ticket(1, 1)).resumed().gives(&ticket(2, 2)).ends(Ends::Fin).done();
    scene.visit("192.0.2.2", OTHER).with(&ticket(2, 2)).gives(&ticket(3, 1)).done();
    let graph = scene.graph();
    let servers = graph.by_server();
    let summary = servers.values().next().expect("a server");
    assert_eq!((summary.connections, summary.count(Kind::Full), summary.resumed()), (2, 1, 1));
    assert_eq!((summary.refused, summary.renewed_inline), (0, 1));
    assert_eq!(summary.versions.get(&Version::TLS12), Some(&2));
    assert_eq!(summary.closes.client.get(&Close::Truncated), Some(&1));
    let keys = summary.keys.iter().map(|used| (used.name.as_bytes()[0], used.times)).collect::<Vec<_>>();
    assert_eq!(keys, [(1, 2), (2, 1)], "issued or offered");
    let other = servers.values().nth(1).expect("another");
    assert_eq!((other.refused, other.keys.len()), (1, 2));
    assert_eq!(graph.by_client().len(), 2);
}
