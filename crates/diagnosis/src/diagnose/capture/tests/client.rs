//! What clients do with what they are given.

use crate::evidence::{Description, Version};
use crate::session::scene::{Ends, Scene, ticket};

const CLIENT: &str = "192.0.2.1";
const SERVER: &str = "198.51.100.1";

#[test]
fn a_client_that_never_offers() {
    let mut scene = Scene::default();
    for serial in 0..4 {
        scene.visit(CLIENT, SERVER).gives(&ticket(1, serial)).done();
    }
    assert_eq!(scene.problems(), ["client-never-offers"]);
    let mut scene = Scene::default();
    for _ in 0..4 {
        scene.visit(CLIENT, SERVER).tls13().gives_hidden(2).done();
    }
    assert_eq!(scene.problems(), ["client-never-offers"]);
}

#[test]
fn a_client_that_is_started_anew_now_and_then() {
    let mut scene = Scene::default();
    for serial in 0..3 {
        scene.visit(CLIENT, SERVER).gives(&ticket(1, serial)).done();
        for _ in 0..3 {
            scene.visit(CLIENT, SERVER).with(&ticket(1, serial)).resumed().done();
        }
    }
    assert_eq!((scene.problems(), scene.notes()), (vec![], vec![]));
}

#[test]
fn parallel_connections_have_nothing_to_offer_yet() {
    let mut scene = Scene::default();
    for serial in 0..6 {
        scene.visit(CLIENT, SERVER).gives(&ticket(1, serial)).ends(Ends::Not).done();
    }
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn different_clients_behind_one_address() {
    let mut scene = Scene::default();
    for serial in 0..6 {
        scene.visit(CLIENT, SERVER).suite(0xc000 + u16::from(serial)).gives(&ticket(1, serial)).done();
    }
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn some_of_the_clients_behind_one_address_resume() {
    let mut scene = Scene::default();
    for serial in 0..6 {
        scene.visit(CLIENT, SERVER).gives(&ticket(1, serial)).done();
    }
    scene.visit(CLIENT, SERVER).with(&ticket(1, 0)).resumed().done();
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn a_server_that_gives_nothing() {
    let mut scene = Scene::default();
    for _ in 0..4 {
        scene.visit(CLIENT, SERVER).done();
    }
    assert_eq!(scene.problems(), ["no-resumption-offered"]);
    let mut scene = Scene::default();
    for _ in 0..4 {
        scene.visit(CLIENT, SERVER).without_tickets().done();
    }
    assert_eq!((scene.problems(), scene.notes()), (vec![], vec!["no-resumption-offered"]));
    let mut scene = Scene::default();
    for _ in 0..4 {
        scene.visit(CLIENT, SERVER).tls13().done();
    }
    assert_eq!(scene.problems(), ["no-resumption-offered"]);
}

#[test]
fn who_only_writes_does_not_leave_before_tickets() {
    let mut scene = Scene::default();
    for _ in 0..4 {
        scene.visit(CLIENT, SERVER).tls13().says(60_000, 0).done();
    }
    assert_eq!(scene.problems(), ["no-resumption-offered"]);
}

/// A client that adopts a renewed ticket, keeps the old one or has none after it.
fn after_renewal(held: impl Fn(u8) -> Option<u8>) -> Scene {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, SERVER).with(&ticket(1, 1)).resumed().done();
    scene.visit(CLIENT, SERVER).with(&ticket(1, 1)).resumed().gives(&ticket(2, 2)).done();
    match held(2) {
        Some(1) => scene.visit(CLIENT, SERVER).with(&ticket(1, 1)).resumed().gives(&ticket(2, 3)).done(),
        Some(new) => scene.visit(CLIENT, SERVER).with(&ticket(2, new)).resumed().done(),
        None => scene.visit(CLIENT, SERVER).gives(&ticket(2, 3)).done(),
    }
    scene
}

#[test]
fn what_becomes_of_a_renewed_ticket() {
    let adopts = after_renewal(Some);
    assert_eq!((adopts.problems(), adopts.notes()), (vec![], vec!["inline-renewal"]));
    let keeps = after_renewal(|_| Some(1));
    assert_eq!((keeps.problems(), keeps.notes()), (vec![], vec!["client-keeps-old-ticket", "inline-renewal"]));
    let loses = after_renewal(|_| None);
    assert_eq!((loses.problems(), loses.notes()), (vec!["client-loses-session"], vec!["inline-renewal"]));
}

#[test]
fn another_worker_of_the_client_has_nothing_yet() {
    let mut scene = after_renewal(|_| None);
    scene.visit(CLIENT, SERVER).with(&ticket(2, 2)).resumed().done();
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn a_client_that_forgets_after_any_resumption() {
    let mut scene = Scene::default();
    for serial in 0..4 {
        scene.visit(CLIENT, SERVER).gives(&ticket(1, serial)).done();
        scene.visit(CLIENT, SERVER).with(&ticket(1, serial)).resumed().done();
    }
    assert_eq!((scene.problems(), scene.notes()), (vec![], vec!["client-loses-session"]));
}

/// A client whose ticket is renewed inline, which it answers with `breaks`.
fn renewal(scene: &mut Scene, alert: Option<Description>) {
    let visit = scene.visit(CLIENT, SERVER).with(&ticket(1, 1)).resumed().gives(&ticket(2, 2));
    visit.broken_off(alert);
}

#[test]
fn a_client_that_breaks_renewals_off() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, SERVER).with(&ticket(1, 1)).resumed().done();
    renewal(&mut scene, None);
    assert_eq!(scene.problems(), ["inline-renewal-aborted"]);
    scene.visit(CLIENT, SERVER).version(Version::TLS10).gives(&ticket(2, 3)).done();
    assert_eq!(scene.problems(), ["inline-renewal-aborted", "version-fallback"]);
}

#[test]
fn a_client_that_bears_renewals_and_broke_one_off() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    for serial in 2..5 {
        scene.visit(CLIENT, SERVER).with(&ticket(1, 1)).resumed().gives(&ticket(2, serial)).done();
    }
    renewal(&mut scene, None);
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn an_alert_on_a_renewal_without_parallel_connections() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    renewal(&mut scene, Some(Description::UNEXPECTED_MESSAGE));
    assert_eq!(scene.problems(), ["inline-renewal-aborted"]);
}
