//! A fleet of edges that make their keys together by way of etcd: what they promise, and that they keep it when parts of it
//! fail.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use raincheck_tests::deadline::until;
use raincheck_tests::fleet::{Fleet, Schedule};
use raincheck_tests::namespace::{self, Namespace};
use raincheck_tests::site::Site;
use raincheck_tests::{require, require_root};

const SCHEDULE: Schedule = Schedule { rotate: Duration::from_secs(1), accept: Duration::from_secs(5) };

#[test]
fn no_ticket_is_refused_while_a_fleet_rotates_every_second() {
    require_root!();
    require!("etcd", "ip", "nsenter", "unshare", "kill");
    if !namespace::is_inside() {
        return Namespace::new().test("no_ticket_is_refused_while_a_fleet_rotates_every_second");
    }
    let site = Site::new();
    let fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    let (begun, first) = (Instant::now(), fleet.nodes[0].epoch());
    until("twenty seconds have passed", || (begun.elapsed() > Duration::from_secs(20)).then_some(()));
    let rotations = fleet.nodes[0].epoch().counter - first.counter;
    let journal = travellers.home();
    journal.expect_all_opened();
    assert_eq!((fleet.refused().len(), journal.failed), (0, 0), "{journal} {:?}", fleet.refused());
    assert!((18..=21).contains(&rotations), "{rotations}");
    eprintln!("{rotations} rotations; {journal}");
}
