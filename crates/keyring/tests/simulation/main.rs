//! A fleet that rotates while its clocks, its messages and its nodes fail, again and again, from
//! seeds.
//!
//! Nodes join, leave, crash, start again with no ring or with a peer's, and are cut off from the
//! store while clients still reach them. Messages are late, or lost until a node asks again. Clocks
//! are up to a rotation apart, and are set. Now and then another node makes the rings: one that has
//! the newest, or can open it. What a store does as one step is one step. A ticket is the name of its
//! key and its time, and what `ticket::open` asks of them is asked here.
//!
//! Two rules hold, for whoever has a ring and has not been *left behind*:
//!
//! - A ticket opens at all of them, for as long as it is accepted.
//! - None seals with a key that another lacks.
//!
//! A node is left behind when rotation has gone on without it, which the maker of the rings says: it
//! lacks the newest ring (or has it, has lapsed, and could not say so) when patience is over. So it is
//! from then on until it has the newest ring again. No node is left behind that has been without the
//! newest ring for less than a rotation and patience, less what clocks are apart: that holds too. With
//! patience of a rotation, the default, that is a rotation or more.

#![allow(clippy::unwrap_used)]

mod fleet;
mod random;

use std::time::Duration;

use raincheck_keyring::Schedule;

use fleet::{Breach, Counts, Settings, run};
use random::Random;

#[test]
fn tickets_open_and_nobody_is_ahead_of_a_peer() {
    all_hold(50, 0..1000);
}

#[test]
fn so_they_do_in_a_fleet_of_ten_thousand() {
    all_hold(10_000, 0..10);
}

/// A simulation that finds nothing where a rule is broken proves nothing.
#[test]
fn each_rule_is_needed() {
    for (breach, harm) in [
        (Breach::AcknowledgementsIgnored, "lacks the key"),
        (Breach::PromotedAtOnce, "lacks the key"),
        (Breach::OneKeyLess, "does not open a ticket"),
        (Breach::SkewIgnored, "is expired"),
        (Breach::LapsedForgotten, "lacks the key"),
        (Breach::RecipientsIgnored, "lacks the key"),
        (Breach::Hurried, "does not open a ticket"),
    ] {
        let fails = |seed| {
            let broken = run(&Settings { breach: Some(breach), ..settings(50, seed) }, seed);
            broken.is_err_and(|broken| broken.contains(harm))
        };
        assert!((0..1000).any(fails), "{breach:?} harms nobody");
    }
}

/// How many messages a fleet costs, for each node and each rotation. Run with `--nocapture`.
#[test]
#[expect(clippy::disallowed_macros, reason = "what it prints is for a table")]
fn messages_grow_with_nodes_and_no_faster() {
    println!("| nodes | goes wrong | rings | acknowledgements | registrations |");
    for (what, calm) in [("nothing", 1_000_000), ("little", 100), ("much", 1)] {
        for nodes in [10, 100, 1000, 10_000] {
            let hour = Duration::from_secs(3600);
            let schedule = Schedule { accept: 4 * hour, ..Schedule::default() };
            let skew = Duration::from_secs(1);
            let settings = Settings { nodes, schedule, patience: hour, skew, rotations: 16, calm, breach: None };
            let counts = run(&settings, 7).unwrap();
            let each = |messages: u64| messages as f64 / (counts.rotations * nodes as u64) as f64;
            let messages = [counts.rings, counts.acknowledgements, counts.registrations].map(each);
            println!("| {nodes} | {what} | {:.2} | {:.2} | {:.2} |", messages[0], messages[1], messages[2]);
            assert!(messages.iter().sum::<f64>() < 6.0, "{counts:?}");
        }
    }
}

fn all_hold(nodes: usize, seeds: std::ops::Range<u64>) {
    let mut total = Counts::default();
    for seed in seeds {
        let settings = settings(nodes, seed);
        match run(&settings, seed) {
            Ok(counts) => total += counts,
            Err(broken) => panic!("seed {seed}: {broken}: {settings:#?}"),
        }
    }
    assert!(total.left_behind > 0 && total.makers > 0, "nothing went wrong: {total:?}");
}

/// What of a fleet is not the same in each run.
fn settings(nodes: usize, seed: u64) -> Settings {
    let mut random = Random::new(!seed);
    let rotate = Duration::from_secs(3600);
    let accept = match random.below(3) {
        0 => random.up_to(4 * rotate).max(Duration::from_secs(1)),
        _ => rotate * (1 + random.below(4) as u32),
    };
    let patience = rotate * [1, 2, 4, 4, 4, 8][random.below(6)] / 4;
    let most_skew = rotate - Duration::from_millis(1);
    let skew = if random.one_in(2) { most_skew } else { random.up_to(most_skew) };
    let schedule = Schedule::new(rotate, accept, 24 * rotate).unwrap();
    let calm = [1, 10, 100][random.below(3)];
    Settings { nodes, schedule, patience, skew, rotations: 16, calm, breach: None }
}
