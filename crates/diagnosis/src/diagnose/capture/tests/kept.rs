//! Sessions that the server is to keep.

use crate::session::scene::{Ends, Scene, handle};

const CLIENT: &str = "192.0.2.1";
const SERVER: &str = "198.51.100.1";

/// A server that keeps sessions, and what makes it forget them.
fn serve(forgets: impl Fn(usize, Ends) -> bool, ends: &[Ends]) -> Scene {
    let mut scene = Scene::default();
    let (mut held, mut is_kept) = (0, false);
    for (serial, how) in (1..).zip(ends) {
        let visit = scene.visit(CLIENT, SERVER).without_tickets();
        let visit = if serial > 1 { visit.with_id(held) } else { visit };
        if is_kept {
            visit.resumed().ends(*how).done();
        } else {
            visit.gives_id(serial).ends(*how).done();
            held = serial;
        }
        is_kept = !forgets(usize::from(serial), *how);
    }
    scene
}

#[test]
fn a_server_that_forgets_after_unclean_ends() {
    use Ends::{Clean, Fin, Reset};
    let forgets = |_, how| how != Clean;
    for ends in [
        &[Clean, Clean, Fin, Clean, Clean, Reset, Clean, Fin, Clean][..],
        &[Fin, Fin, Fin, Fin],
        &[Reset, Reset, Reset],
        &[Fin, Reset, Fin, Reset],
    ] {
        let scene = serve(forgets, ends);
        assert_eq!(scene.problems(), ["unclean-close-invalidates"], "{ends:?}");
        assert_eq!(scene.notes(), ["client-closes-unclean"], "{ends:?}");
    }
}

#[test]
fn a_server_that_bears_fin_but_no_reset() {
    use Ends::{Clean, Fin, Reset};
    let scene = serve(|_, how| how == Reset, &[Fin, Fin, Reset, Fin, Reset, Clean, Clean]);
    assert_eq!(scene.problems(), ["unclean-close-invalidates"]);
    let findings = scene.findings();
    assert!(findings[0].summary.contains("by a reset"), "{}", findings[0].summary);
}

#[test]
fn a_server_that_bears_all_ends() {
    use Ends::{Clean, Fin, Reset};
    let scene = serve(|_, _| false, &[Fin, Reset, Clean, Fin, Reset, Reset, Clean]);
    assert_eq!((scene.problems(), scene.notes()), (vec![], vec![]));
}

#[test]
fn a_server_that_keeps_nothing() {
    use Ends::{Clean, Fin};
    for ends in [&[Clean, Clean, Clean][..], &[Clean, Fin, Clean, Fin, Clean, Fin]] {
        let scene = serve(|_, _| true, ends);
        assert_eq!(scene.problems(), ["session-ids-never-resumed"], "{ends:?}");
    }
}

#[test]
fn a_server_that_forgets_by_chance() {
    use Ends::{Clean, Fin};
    for ends in [[Fin; 30], [Clean; 30]] {
        let scene = serve(|serial, _| serial == 20, &ends);
        assert_eq!((scene.problems(), scene.notes()), (vec![], vec!["session-forgotten"]), "started anew once");
    }
}

#[test]
fn a_server_that_is_started_anew_again_and_again() {
    let scene = serve(|serial, _| serial % 3 == 0, &[Ends::Clean; 10]);
    assert_eq!(scene.problems(), ["session-forgotten"]);
}

#[test]
fn a_capture_that_lacks_the_connection_that_ended_badly() {
    let mut scene = Scene::default();
    for id in [1, 2, 3, 4] {
        scene.visit(CLIENT, SERVER).without_tickets().gives_id(id).done();
        scene.visit(CLIENT, SERVER).without_tickets().with_id(id).resumed().done();
        scene.visit(CLIENT, SERVER).half_seen();
        scene.visit(CLIENT, SERVER).without_tickets().with_id(id).gives_id(id + 10).done();
    }
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn random_session_ids_are_no_offers() {
    let mut scene = Scene::default();
    for id in 1..8 {
        scene.visit(CLIENT, SERVER).tls13().with_id(id).gives_hidden(2).says(0, 0).ends(Ends::Not).done();
    }
    for id in 20..25 {
        scene.visit("192.0.2.7", SERVER).without_tickets().with_id(id).gives_id(id + 50).ends(Ends::Not).done();
    }
    let names = scene.findings();
    assert!(names.iter().all(|finding| finding.name.as_str() != "session-ids-never-resumed"), "{names:?}");
}

#[test]
fn tls13_sessions_that_a_server_keeps() {
    for (ends, expected) in [(Ends::Fin, &["unclean-close-invalidates"][..]), (Ends::Clean, &["ticket-never-accepted"])]
    {
        let mut scene = Scene::default();
        scene.visit(CLIENT, SERVER).tls13().gives_hidden(1).ends(ends).done();
        for serial in 1..5 {
            scene.visit(CLIENT, SERVER).tls13().with(&handle(serial)).gives_hidden(1).ends(ends).done();
        }
        assert_eq!(scene.problems(), expected, "{ends:?}");
    }
}

#[test]
fn servers_that_forget_are_no_fleet_though_one_client_visits_them() {
    let mut scene = Scene::default();
    for serial in 0..5 {
        for (server, base) in [(SERVER, 10), ("198.51.100.2", 20)] {
            let visit = scene.visit(CLIENT, server).tls13().gives_hidden(1).ends(Ends::Fin);
            if serial == 0 { visit.done() } else { visit.with(&handle(base + serial)).done() }
        }
    }
    assert_eq!(scene.problems(), ["unclean-close-invalidates"]);
}

#[test]
fn tls13_sessions_that_are_good_once() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).tls13().gives_hidden(1).done();
    for serial in 1..4 {
        scene.visit(CLIENT, SERVER).tls13().with(&handle(serial)).resumed().gives_hidden(1).done();
    }
    scene.visit(CLIENT, SERVER).tls13().with(&handle(2)).gives_hidden(1).done();
    assert!(scene.notes().contains(&"ticket-reused"), "{:?}", scene.notes());
}
