//! A fleet of edges that make their keys together by way of etcd: what they promise, and that they keep it when parts of it
//! fail.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use raincheck_tests::deadline::until;
use raincheck_tests::fleet::{Fleet, Journal, Schedule, Travellers, key};
use raincheck_tests::namespace::{self, Namespace};
use raincheck_tests::site::Site;
use raincheck_tests::{require, require_root};

const SCHEDULE: Schedule = Schedule { rotate: Duration::from_secs(1), accept: Duration::from_secs(5) };

/// Leaves a test that cannot make namespaces, and goes on in one of its own.
macro_rules! in_namespace {
    ($name:literal $(, $program:expr)*) => {
        require_root!();
        require!("etcd", "ip", "nsenter", "unshare", "kill" $(, $program)*);
        if !namespace::is_inside() {
            return Namespace::new().test($name);
        }
    };
}

#[test]
fn no_ticket_is_refused_while_a_fleet_rotates_every_second() {
    in_namespace!("no_ticket_is_refused_while_a_fleet_rotates_every_second");
    let site = Site::new();
    let fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    let (begun, first) = (Instant::now(), fleet.nodes[0].epoch());
    until("twenty seconds have passed", || (begun.elapsed() > Duration::from_secs(20)).then_some(()));
    let rotations = fleet.nodes[0].epoch().counter - first.counter;
    let journal = nobody_was_refused(&fleet, travellers);
    assert_eq!(journal.failed, 0, "{journal}");
    assert!((15..=21).contains(&rotations), "{rotations}");
    // Who leads can say what each has; it changes while it is asked.
    let leader = fleet.expect_leader();
    until("the leader knows that all three have the next key", || {
        let status = fleet.nodes[leader].edge.status();
        let nodes = status["nodes"].as_array().expect("a list").clone();
        let all_have = nodes.iter().all(|node| node["lacking"] == false && node["lapsed"] == false);
        (status["role"] == "leader" && nodes.len() == 3 && all_have).then_some(())
    });
    let followers = fleet.others(leader).into_iter().map(|node| fleet.nodes[node].edge.status());
    assert!(followers.into_iter().all(|status| status["nodes"].is_null() && status["role"].is_null()));
}

#[test]
fn a_fleet_outlives_a_member_of_etcd() {
    in_namespace!("a_fleet_outlives_a_member_of_etcd");
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    // Each in turn, so that one of them is the member that leads the others, and one that which each node asks.
    for member in 0..3 {
        fleet.cluster.members[member].kill();
        fleet.rotates(&fleet.all(), 2);
        fleet.cluster.members[member].restart(&site.scratch);
    }
    fleet.rotates(&fleet.all(), 1);
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn a_fleet_outlives_a_member_of_etcd_that_answers_no_more() {
    in_namespace!("a_fleet_outlives_a_member_of_etcd_that_answers_no_more");
    let site = Site::new();
    let fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 1);
    // Each in turn, so that one of them is that which the nodes ask.
    for member in &fleet.cluster.members {
        member.freeze();
        fleet.rotates(&fleet.all(), 3);
        member.thaw();
    }
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn another_node_leads_when_the_one_that_leads_is_killed() {
    in_namespace!("another_node_leads_when_the_one_that_leads_is_killed");
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 2);
    let (killed, _) = fleet.kill_leader();
    fleet.rotates(&fleet.others(killed), 2);
    fleet.restart(killed);
    fleet.rotates(&fleet.all(), 2);
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn a_leader_that_is_started_again_at_once_is_back() {
    in_namespace!("a_leader_that_is_started_again_at_once_is_back");
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 2);
    let killed = fleet.expect_leader();
    fleet.nodes[killed].edge.kill();
    fleet.restart(killed);
    assert_eq!(fleet.nodes[killed].standing(), "supplied");
    fleet.rotates(&fleet.all(), 2);
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn a_node_that_is_cut_off_for_one_rotation_refuses_nobody() {
    in_namespace!("a_node_that_is_cut_off_for_one_rotation_refuses_nobody");
    let site = Site::new();
    let fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    let leader = fleet.expect_leader();
    for node in [fleet.others(leader)[0], leader] {
        fleet.rotates(&fleet.all(), 2);
        fleet.nodes[node].host.cut_off_from(&fleet.store_addresses());
        let begun = Instant::now();
        until("a rotation has passed", || (begun.elapsed() > SCHEDULE.rotate).then_some(()));
        fleet.nodes[node].host.rejoin(&fleet.store_addresses());
        fleet.rotates(&fleet.all(), 2);
    }
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn clocks_half_a_rotation_apart_do_no_harm() {
    in_namespace!("clocks_half_a_rotation_apart_do_no_harm", FAKETIME);
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 0);
    for offset in ["+0.25", "-0.25", "+0.0"] {
        fleet.join(|mut command| {
            command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", offset).env("DONT_FAKE_MONOTONIC", "1");
            command
        });
    }
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 5);
    // The one whose clock is another's.
    let (killed, _) = fleet.kill_leader();
    fleet.rotates(&fleet.others(killed), 2);
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn nobody_waits_for_a_node_that_was_asked_to_end() {
    in_namespace!("nobody_waits_for_a_node_that_was_asked_to_end");
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 4);
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 1);
    // One that does not lead, and then the one that does.
    let leader = fleet.expect_leader();
    let [other, ..] = fleet.others(leader)[..] else { panic!("four nodes") };
    let left: Vec<usize> = fleet.all().into_iter().filter(|node| ![leader, other].contains(node)).collect();
    for leaving in [other, leader] {
        let begun = Instant::now();
        fleet.nodes[leaving].edge.terminate();
        assert!(fleet.nodes[leaving].edge.ended().success());
        fleet.rotates(&left, 3);
        assert!(begun.elapsed() < SCHEDULE.rotate * 5, "{:?}", begun.elapsed());
    }
    for node in left {
        let log = fleet.nodes[node].edge.log();
        assert!(!log.contains("did not acknowledge"), "{log}");
    }
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn a_reload_leaves_everybody_what_they_are() {
    in_namespace!("a_reload_leaves_everybody_what_they_are");
    let site = Site::new();
    let fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 1);
    // The key is created anew where another leads, or the same one again.
    let office = || fleet.ask(async |etcd| etcd.get(&key("leader")).await.unwrap().0.unwrap().create_revision);
    let term = office();
    for node in &fleet.nodes {
        node.edge.hang_up();
        node.edge.expect_log(0, "reloaded");
    }
    let begun = Instant::now();
    fleet.rotates(&fleet.all(), 3);
    assert!(begun.elapsed() < SCHEDULE.rotate * 5, "{:?}", begun.elapsed());
    assert_eq!(office(), term);
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn a_node_that_joins_late_opens_what_there_is() {
    in_namespace!("a_node_that_joins_late_opens_what_there_is");
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 2);
    let travellers = fleet.travellers();
    travellers.one_window();
    fleet.join(|command| command);
    travellers.visit(&fleet.nodes[2]);
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn a_fleet_outlives_an_etcd_that_restarts_as_a_whole() {
    in_namespace!("a_fleet_outlives_an_etcd_that_restarts_as_a_whole");
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 2);
    fleet.cluster.kill();
    let begun = Instant::now();
    until("rotations are missed", || (begun.elapsed() > SCHEDULE.rotate * 3).then_some(()));
    fleet.cluster.restart(&site.scratch);
    fleet.rotates(&fleet.all(), 3);
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn a_store_that_was_lost_loses_no_keys() {
    in_namespace!("a_store_that_was_lost_loses_no_keys");
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 2);
    let before = fleet.nodes[0].epoch();
    fleet.cluster.kill();
    fleet.cluster.restart_empty(&site.scratch);
    fleet.rotates(&fleet.all(), 3);
    assert!(fleet.nodes[0].epoch() > before);
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn compaction_disturbs_nobody() {
    in_namespace!("compaction_disturbs_nobody");
    let site = Site::new();
    let fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    let end = fleet.nodes[0].epoch().counter + 6;
    let mut compacted = None;
    until("six rotations, and a compaction of all that was between any two looks", || {
        let revision = fleet.ask(async |etcd| etcd.status().await.unwrap().revision);
        if compacted.replace(revision) != Some(revision) {
            fleet.cluster.compact(revision);
        }
        (fleet.nodes[0].epoch().counter >= end).then_some(())
    });
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

#[test]
fn a_store_from_a_backup_brings_no_old_ring_back() {
    in_namespace!("a_store_from_a_backup_brings_no_old_ring_back");
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 3);
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 2);
    fleet.cluster.kill();
    fleet.cluster.back_up();
    fleet.cluster.restart(&site.scratch);
    fleet.rotates(&fleet.all(), 3);
    fleet.cluster.kill();
    let before = fleet.nodes[0].epoch();
    fleet.cluster.restart_from_backup(&site.scratch);
    fleet.rotates(&fleet.all(), 1);
    // As the documentation advises, for a store that has lost more than the nodes can tell.
    fleet.raise_generation(2);
    fleet.rotates(&fleet.all(), 3);
    for node in &fleet.nodes {
        let now = node.epoch();
        assert!(now.generation == 2 && now.counter > before.counter, "{now} after {before}");
    }
    travellers.one_window();
    nobody_was_refused(&fleet, travellers);
}

/// Five minutes of it, with one thing after the other failing.
#[test]
#[ignore = "takes five minutes; `make soak` runs it"]
fn no_ticket_is_refused_in_five_minutes_of_failures() {
    in_namespace!("no_ticket_is_refused_in_five_minutes_of_failures");
    let schedule = Schedule { rotate: Duration::from_secs(2), accept: Duration::from_secs(10) };
    let site = Site::new();
    let mut fleet = Fleet::start(&site, schedule, 3);
    let travellers = fleet.travellers();
    let begun = Instant::now();
    let mut rounds = 0;
    while begun.elapsed() < Duration::from_secs(300) {
        let member = rounds % 3;
        fleet.cluster.members[member].kill();
        fleet.rotates(&fleet.all(), 2);
        fleet.cluster.members[member].restart(&site.scratch);
        fleet.rotates(&fleet.all(), 1);

        fleet.cluster.members[member].freeze();
        fleet.rotates(&fleet.all(), 2);
        fleet.cluster.members[member].thaw();
        fleet.rotates(&fleet.all(), 1);

        let (killed, _) = fleet.kill_leader();
        fleet.rotates(&fleet.others(killed), 1);
        fleet.restart(killed);
        fleet.rotates(&fleet.all(), 1);

        let cut_off = &fleet.nodes[rounds % 3].host;
        cut_off.cut_off_from(&fleet.store_addresses());
        let since = Instant::now();
        until("a rotation has passed", || (since.elapsed() > schedule.rotate).then_some(()));
        cut_off.rejoin(&fleet.store_addresses());
        fleet.rotates(&fleet.all(), 1);

        fleet.cluster.kill();
        if rounds % 2 == 0 {
            fleet.cluster.restart(&site.scratch);
        } else {
            fleet.cluster.restart_empty(&site.scratch);
        }
        fleet.rotates(&fleet.all(), 2);

        let journal = travellers.journal();
        assert!(journal.refused.is_empty(), "round {rounds}: {journal}");
        rounds += 1;
    }
    let journal = travellers.home();
    journal.expect_all_opened();
    eprintln!("{rounds} rounds; {journal}");
}

/// Calls the clients home, and asserts that no ticket was refused, as they say and as the edges say.
fn nobody_was_refused(fleet: &Fleet, travellers: Travellers) -> Journal {
    let journal = travellers.home();
    let refused = fleet.refused();
    if !journal.refused.is_empty() || !refused.is_empty() {
        for node in &fleet.nodes {
            eprintln!("{}, {}:\n{}", node.name, node.host.address, node.edge.log());
        }
    }
    assert!(refused.is_empty(), "{refused:?}: {journal}");
    journal.expect_all_opened();
    eprintln!("{journal}");
    journal
}

/// libfaketime for programs with threads, from Debian's package `faketime`.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
