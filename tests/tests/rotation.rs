//! Local keys rotate by themselves.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use raincheck_tests::client::Version;
use raincheck_tests::config::quoted;
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

const KEYS: &str = "raincheck_ticket_keys";

#[test]
fn a_ticket_opens_across_rotations_and_a_key_never_seals_before_it_was_next() {
    let site = Site::new();
    let app = Upstream::http();
    let config = site.web(app.address()).keys("rotate", quoted("1s")).keys("accept", quoted("5s"));
    let edge = Edge::start(&site.scratch, config);
    let raw = site.raw(Version::Tls12);
    assert!(!raw.visit(edge.address("web"), NAME).resumed);
    // The ring from time to time, until three keys have retired. No two looks are further apart than a rotation.
    let mut been_next = BTreeSet::new();
    let mut issued = BTreeSet::new();
    until("three rotations", || {
        let status = edge.status();
        let named = |state: &str| -> BTreeSet<String> {
            let ring = status["keys"]["ring"].as_array().expect("the ring");
            let of_state = ring.iter().filter(|key| key["state"] == state);
            of_state.map(|key| key["name"].as_str().expect("a key's name").to_owned()).collect()
        };
        been_next.extend(named("next"));
        issued.extend(named("issuing"));
        (edge.sum(KEYS, &[("state", "retiring")]) >= 3.0).then_some(())
    });
    assert!(raw.visit(edge.address("web"), NAME).resumed, "under a retiring key");
    edge.expect_sum("raincheck_tickets_opened_total", &[("state", "retiring")], 1.0);
    // All but the very first key were next before they issued.
    assert!(issued.len() >= 3, "{issued:?}");
    assert!(issued.difference(&been_next).count() <= 1, "{issued:?} {been_next:?}");
    // ceil(accept / rotate) + 2 retiring keys and no more.
    until("the oldest is wiped", || (edge.sum(KEYS, &[]) >= 9.0).then_some(()));
    let names = edge.sum(KEYS, &[("state", "retiring")]);
    assert!(names <= 7.0, "{names}");
}
