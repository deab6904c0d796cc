//! Handshakes that go wrong, and data that does.

use crate::evidence::{Description, Version};
use crate::session::scene::{Ends, Scene, ticket};

const CLIENT: &str = "192.0.2.1";
const SERVER: &str = "198.51.100.1";

#[test]
fn handshakes_that_fail() {
    let mut scene = Scene::default();
    for _ in 0..3 {
        scene.visit(CLIENT, SERVER).fails(Description(40));
    }
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    assert_eq!(scene.problems(), ["handshake-failures"]);
}

#[test]
fn a_stranger_among_many_clients() {
    let mut scene = Scene::default();
    scene.visit("203.0.113.9", SERVER).fails(Description(70));
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    for _ in 0..9 {
        scene.visit(CLIENT, SERVER).with(&ticket(1, 1)).resumed().done();
    }
    assert_eq!((scene.problems(), scene.notes()), (vec![], vec!["handshake-failures"]));
}

#[test]
fn a_client_that_falls_back() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).broken_off(None);
    scene.visit(CLIENT, SERVER).version(Version::TLS11).gives(&ticket(1, 1)).done();
    assert_eq!(scene.problems(), ["version-fallback"]);
}

#[test]
fn a_fallback_that_fails_is_no_failure_of_its_own() {
    let mut scene = Scene::default();
    for _ in 0..3 {
        scene.visit(CLIENT, SERVER).broken_off(None);
        scene.visit(CLIENT, SERVER).version(Version::TLS11).fails(Description(70));
    }
    assert_eq!(scene.problems(), ["version-fallback"]);
}

#[test]
fn a_client_that_says_so() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).version(Version::TLS11).fallback().gives(&ticket(1, 1)).done();
    assert_eq!(scene.problems(), ["version-fallback"]);
}

#[test]
fn old_clients_are_old() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).gives(&ticket(1, 1)).done();
    scene.visit(CLIENT, SERVER).version(Version::TLS10).gives(&ticket(1, 2)).done();
    scene.visit(CLIENT, SERVER).version(Version::TLS11).gives(&ticket(1, 3)).done();
    assert_eq!(scene.problems(), [""; 0]);
    // One of them behind the same address came before anything was broken off.
    scene.visit(CLIENT, SERVER).broken_off(None);
    scene.visit(CLIENT, SERVER).version(Version::TLS10).gives(&ticket(1, 4)).done();
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn a_certificate_that_a_client_does_not_trust_is_no_fallback() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).broken_off(Some(Description(48)));
    scene.visit(CLIENT, SERVER).version(Version::TLS11).gives(&ticket(1, 1)).done();
    assert_eq!(scene.problems(), [""; 0]);
}

#[test]
fn a_client_that_only_writes() {
    let mut scene = Scene::default();
    scene.visit(CLIENT, SERVER).tls13().gives_hidden(2).says(60_000, 0).ends(Ends::Reset).done();
    assert_eq!((scene.problems(), scene.notes()), (vec!["write-only-data-lost"], vec!["eager-tickets"]));
}

#[test]
fn a_client_that_writes_before_the_tickets_come() {
    for (hidden, bytes, cut, expected) in [
        (2, 400_000, false, &["write-only-data-lost"][..]),
        (1, 48_000, true, &["write-only-data-lost"]),
        (1, 400_000, false, &[]),
        (2, 48_000, false, &[]),
    ] {
        let mut scene = Scene::default();
        let visit = scene.visit(CLIENT, SERVER).tls13().gives_hidden(hidden).speaks_first().says(bytes, 0);
        let visit = if cut { visit.cut() } else { visit };
        visit.ends(Ends::Reset).done();
        assert_eq!(scene.problems(), expected, "{bytes} bytes, cut: {cut}; requests may have answers of one size");
    }
}

#[test]
fn who_only_writes_and_resets_has_read_no_tickets() {
    let mut scene = Scene::default();
    for _ in 0..4 {
        scene.visit(CLIENT, SERVER).tls13().gives_hidden(2).says(60_000, 0).ends(Ends::Reset).done();
    }
    assert_eq!(scene.problems(), ["write-only-data-lost"], "and could not offer one");
    for (answer, expected) in [(0, &[][..]), (500, &["client-never-offers"])] {
        let mut scene = Scene::default();
        for serial in 0..4 {
            let visit = scene.visit(CLIENT, SERVER).tls13().gives(&ticket(1, serial)).lossy();
            visit.says(60_000, answer).ends(Ends::Reset).done();
        }
        assert_eq!(scene.problems(), expected, "close_notify may be missing; {answer} bytes of answer");
    }
}

#[test]
fn clients_that_lose_nothing() {
    for (hidden, says, ends) in [
        (2, (60_000, 0), Ends::Clean),
        (0, (60_000, 0), Ends::Reset),
        (2, (60_000, 500), Ends::Reset),
        (2, (0, 0), Ends::Reset),
        (2, (60_000, 0), Ends::Not),
    ] {
        let mut scene = Scene::default();
        scene.visit(CLIENT, SERVER).tls13().gives_hidden(hidden).says(says.0, says.1).ends(ends).done();
        assert_eq!(scene.problems(), [""; 0], "{hidden} tickets, {says:?} bytes, {ends:?}");
    }
}
