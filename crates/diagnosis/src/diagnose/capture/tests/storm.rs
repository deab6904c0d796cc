//! Many handshakes.

use std::time::Duration;

use crate::session::scene::{Ends, Scene, ticket};

const CHECKER: &str = "192.0.2.1";
const SERVERS: [&str; 2] = ["198.51.100.1", "198.51.100.2"];

#[test]
fn checks_that_never_resume() {
    let mut scene = Scene::default();
    for id in 1..12 {
        for (server, base) in [(SERVERS[0], 0), (SERVERS[1], 100)] {
            let visit = scene.visit(CHECKER, server).name(None).without_tickets().says(0, 0).gives_id(base + id);
            let visit = if id > 1 { visit.with_id(base + id - 1) } else { visit };
            visit.ends(Ends::Reset).done();
        }
        scene.wait(Duration::from_secs(1));
    }
    assert_eq!(scene.problems(), ["full-handshake-storm", "unclean-close-invalidates"]);
    assert!(scene.notes().contains(&"check-never-resumes"));
}

#[test]
fn checks_that_leave_before_tickets() {
    for hidden in [0, 2] {
        let mut scene = Scene::default();
        for _ in 0..15 {
            let visit = scene.visit(CHECKER, SERVERS[0]).name(None).tls13().gives_hidden(hidden).says(0, 0);
            visit.ends(Ends::Reset).done();
            scene.wait(Duration::from_secs(1));
        }
        assert_eq!(scene.problems(), ["closed-before-tickets", "full-handshake-storm"], "{hidden} on their way");
    }
}

#[test]
fn slow_checks() {
    let mut scene = Scene::default();
    for _ in 0..12 {
        scene.visit(CHECKER, SERVERS[0]).name(None).tls13().says(0, 0).ends(Ends::Reset).done();
        scene.wait(Duration::from_secs(30));
    }
    assert_eq!(scene.problems(), ["check-never-resumes", "closed-before-tickets"]);
}

#[test]
fn checks_that_resume() {
    let mut scene = Scene::default();
    scene.visit(CHECKER, SERVERS[0]).name(None).gives(&ticket(1, 1)).says(0, 0).ends(Ends::Reset).done();
    for _ in 0..30 {
        scene.visit(CHECKER, SERVERS[0]).name(None).with(&ticket(1, 1)).resumed().says(0, 0).ends(Ends::Reset).done();
        scene.wait(Duration::from_secs(1));
    }
    assert_eq!((scene.problems(), scene.notes()), (vec![], vec![]));
}

#[test]
fn many_new_clients_behind_one_address() {
    let mut scene = Scene::default();
    for serial in 0..40 {
        let visit = scene.visit(CHECKER, SERVERS[0]).suite(0xc000 + u16::from(serial % 10));
        if serial % 4 == 3 {
            visit.with(&ticket(1, serial - 1)).resumed().ends(Ends::Not).done();
        } else {
            visit.gives(&ticket(1, serial)).ends(Ends::Not).done();
        }
    }
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn a_script_that_runs_a_few_times_is_no_storm() {
    let mut scene = Scene::default();
    for serial in 0..12 {
        scene.visit(CHECKER, SERVERS[0]).gives(&ticket(1, serial)).done();
    }
    assert_eq!(scene.problems(), ["client-never-offers"]);
}
