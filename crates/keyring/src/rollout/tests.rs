use proptest::prelude::*;

use super::*;

#[test]
fn a_ring_is_out_for_a_rotation_before_the_next_is_made() {
    let mut rollout = rollout(&["a", "b"]);
    acknowledge(&mut rollout, &["a", "b"]);
    for (now, decision) in [
        (0, Decision::NotDue { due: at(HOUR) }),
        (HOUR - 1, Decision::NotDue { due: at(HOUR) }),
        (HOUR, rotate_without(&[])),
        (100 * HOUR, rotate_without(&[])),
    ] {
        assert_eq!(decide(&mut rollout, now), decision, "{now}");
    }
    rollout.rotated(FIRST.next(), at(100 * HOUR));
    assert_eq!(decide(&mut rollout, 100 * HOUR), Decision::NotDue { due: at(101 * HOUR) });
    assert_eq!(decide(&mut rollout, 101 * HOUR), wait_for(&["a", "b"], 102));
}

#[test]
fn nobody_to_wait_for_is_no_reason_to_wait() {
    assert_eq!(decide(&mut rollout(&[]), HOUR), rotate_without(&[]));
}

#[test]
fn rotation_waits_for_every_node_until_patience_is_over() {
    let mut rollout = rollout(&["a", "b", "c"]);
    acknowledge(&mut rollout, &["b"]);
    assert_eq!(decide(&mut rollout, HOUR), wait_for(&["a", "c"], 2));
    acknowledge(&mut rollout, &["c"]);
    assert_eq!(decide(&mut rollout, 2 * HOUR - 1), wait_for(&["a"], 2));
    assert_eq!(decide(&mut rollout, 2 * HOUR), rotate_without(&["a"]));
    acknowledge(&mut rollout, &["a"]);
    assert_eq!(decide(&mut rollout, HOUR), rotate_without(&[]));
}

#[test]
fn patience_is_as_long_as_it_is_said_to_be() {
    let mut rollout = rollout(&["a"]);
    let hour = Duration::from_millis(HOUR);
    for (patience, now, decision) in [
        (Duration::ZERO, HOUR - 1, Decision::NotDue { due: at(HOUR) }),
        (Duration::ZERO, HOUR, rotate_without(&["a"])),
        (hour / 4, HOUR, Decision::Wait { until: at(HOUR + HOUR / 4), lacking: vec![node("a")] }),
        (hour * 4, 5 * HOUR - 1, wait_for(&["a"], 5)),
        (hour * 4, 5 * HOUR, rotate_without(&["a"])),
        (Duration::MAX, 100 * HOUR, Decision::Wait { until: at(u64::MAX), lacking: vec![node("a")] }),
    ] {
        assert_eq!(rollout.decide(at(now), hour, patience), decision, "{patience:?} {now}");
    }
}

#[test]
fn who_joins_late_is_waited_for_too() {
    let mut rollout = rollout(&["a"]);
    acknowledge(&mut rollout, &["a"]);
    rollout.registered(node("late"), Epoch::NONE);
    assert_eq!(decide(&mut rollout, HOUR), wait_for(&["late"], 2));
    rollout.registered(node("later"), FIRST);
    acknowledge(&mut rollout, &["late"]);
    assert_eq!(decide(&mut rollout, HOUR), rotate_without(&[]));
}

#[test]
fn an_acknowledgement_never_goes_back_but_a_restart_does() {
    let mut rollout = rollout(&["a"]);
    acknowledge(&mut rollout, &["a"]);
    rollout.acknowledged(&node("a"), Epoch::NONE);
    assert_eq!(decide(&mut rollout, HOUR), rotate_without(&[]));
    rollout.registered(node("a"), Epoch::NONE);
    assert_eq!(decide(&mut rollout, HOUR), wait_for(&["a"], 2));
}

#[test]
fn an_acknowledgement_of_an_older_ring_is_not_enough() {
    let mut rollout = rollout(&["a"]);
    acknowledge(&mut rollout, &["a"]);
    rollout.rotated(FIRST.next_in(2), at(HOUR));
    acknowledge(&mut rollout, &["a"]);
    rollout.acknowledged(&node("a"), FIRST.next());
    assert_eq!(decide(&mut rollout, 2 * HOUR), wait_for(&["a"], 3));
    rollout.acknowledged(&node("a"), FIRST.next_in(2));
    assert_eq!(decide(&mut rollout, 2 * HOUR), rotate_without(&[]));
}

#[test]
fn a_stranger_has_no_say() {
    let mut rollout = rollout(&[]);
    acknowledge(&mut rollout, &["x"]);
    rollout.lapsed(&node("x"));
    rollout.left(&node("x"));
    assert_eq!(rollout.nodes().len(), 0);
}

#[test]
fn a_node_that_lapsed_is_waited_for_once_and_then_forgotten() {
    let mut rollout = rollout(&["a", "lapsed", "silent"]);
    acknowledge(&mut rollout, &["a", "lapsed", "silent"]);
    rollout.lapsed(&node("lapsed"));
    // It has this ring, so it may seal with the next key: the next ring is for it too.
    assert_eq!(decide(&mut rollout, HOUR), rotate_without(&[]));
    rollout.rotated(FIRST.next(), at(HOUR));
    rollout.acknowledged(&node("a"), FIRST.next());
    assert_eq!(decide(&mut rollout, 2 * HOUR), wait_for(&["lapsed", "silent"], 3));
    assert_eq!(decide(&mut rollout, 3 * HOUR), rotate_without(&["lapsed", "silent"]));
    rollout.rotated(FIRST.next().next(), at(3 * HOUR));
    assert_eq!(names(&rollout), ["a", "silent"]);
    rollout.registered(node("lapsed"), Epoch::NONE);
    assert_eq!(decide(&mut rollout, 4 * HOUR), wait_for(&["a", "lapsed", "silent"], 5));
}

#[test]
fn a_node_that_is_back_in_time_is_kept() {
    let mut rollout = rollout(&["a"]);
    rollout.lapsed(&node("a"));
    assert_eq!(decide(&mut rollout, 2 * HOUR), rotate_without(&["a"]));
    rollout.registered(node("a"), Epoch::NONE);
    rollout.rotated(FIRST.next(), at(2 * HOUR));
    assert_eq!(names(&rollout), ["a"]);
}

#[test]
fn a_node_that_said_goodbye_is_not_waited_for() {
    let mut rollout = rollout(&["a"]);
    rollout.left(&node("a"));
    assert_eq!(decide(&mut rollout, HOUR), rotate_without(&[]));
}

#[test]
fn whom_the_maker_before_made_the_ring_for_is_waited_for() {
    let mut rollout = rollout(&["a"]);
    acknowledge(&mut rollout, &["a"]);
    for name in ["a", "gone"] {
        rollout.expected(node(name));
    }
    assert_eq!(decide(&mut rollout, HOUR), wait_for(&["gone"], 2));
    let holding = |name| *rollout.nodes().find(|&(other, _)| *other == node(name)).unwrap().1;
    assert_eq!(holding("a"), Holding { epoch: FIRST, lapsed: false });
    assert_eq!(holding("gone"), Holding { epoch: Epoch::NONE, lapsed: true });
    rollout.rotated(FIRST.next(), at(2 * HOUR));
    assert_eq!(names(&rollout), ["a"]);
}

#[test]
fn a_clock_that_is_wrong_neither_stops_rotation_nor_hurries_it() {
    let made = 100 * HOUR;
    let rollout = |now| {
        let mut rollout = Rollout::new(FIRST, at(made));
        let decision = rollout.decide(at(now), Duration::from_millis(HOUR), Duration::ZERO);
        (rollout, decision)
    };
    // As far apart as clocks may be: the clock of the maker before counts, so that two makers who
    // take turns do not rotate twice as often.
    for now in [made, made - 1, made - HOUR] {
        assert_eq!(rollout(now).1, Decision::NotDue { due: at(made + HOUR) });
    }
    for now in [0, made - HOUR - 1] {
        let (mut rollout, decision) = rollout(now);
        assert_eq!(decision, Decision::NotDue { due: at(now + HOUR) });
        assert_eq!(decide(&mut rollout, now + HOUR - 1), Decision::NotDue { due: at(now + HOUR) });
        assert_eq!(decide(&mut rollout, now + HOUR), rotate_without(&[]));
    }
}

/// One clock is a rotation ahead of the other, and whoever has made a ring hands over.
#[test]
fn makers_who_take_turns_rotate_no_more_often_than_one_does() {
    let hour = Duration::from_millis(HOUR);
    let mut rollout = Rollout::new(FIRST, at(0));
    let (mut rotations, mut ahead) = (0, 0);
    for minute in 0..60 * 100 {
        let now = at(minute * HOUR / 60 + ahead);
        if let Decision::Rotate { .. } = rollout.decide(now, hour, hour) {
            rollout = Rollout::new(rollout.epoch().next(), now);
            rotations += 1;
            ahead = HOUR - ahead;
        }
    }
    assert!((99..=100).contains(&rotations), "{rotations}");
}

proptest! {
    /// Whatever happens, in whatever order: a ring is made a rotation after the one before, with
    /// the nodes that count either in possession of that one or out of patience.
    #[test]
    fn no_ring_is_early(events in proptest::collection::vec((0u8..7, 0u8..4, 0u64..HOUR), 1..200)) {
        let mut rollout = Rollout::new(FIRST, at(0));
        let (mut now, mut made) = (0, 0);
        for (event, who, passes) in events {
            now += passes / 4;
            let who = node(&format!("node-{who}"));
            let epoch = rollout.epoch();
            match event {
                0 => rollout.registered(who, Epoch::NONE),
                1 => rollout.acknowledged(&who, epoch),
                2 => rollout.lapsed(&who),
                3 => rollout.expected(who),
                4 => rollout.left(&who),
                _ => {}
            }
            match decide(&mut rollout, now) {
                Decision::NotDue { due } => prop_assert!(now < due.as_millis() && due == at(made + HOUR)),
                Decision::Wait { until, lacking } => {
                    prop_assert!(until == at(made + 2 * HOUR) && (made + HOUR..made + 2 * HOUR).contains(&now));
                    prop_assert!(!lacking.is_empty() && lacking.iter().eq(rollout.lacking()));
                }
                Decision::Rotate { without } => {
                    prop_assert!(now >= made + HOUR);
                    prop_assert!(without.is_empty() || now >= made + 2 * HOUR);
                    prop_assert!(without.iter().eq(rollout.lacking()));
                    rollout.rotated(epoch.next(), at(now));
                    made = now;
                }
            }
        }
    }
}

fn rollout(nodes: &[&str]) -> Rollout {
    let mut rollout = Rollout::new(FIRST, at(0));
    for name in nodes {
        rollout.registered(node(name), Epoch::NONE);
    }
    rollout
}

fn acknowledge(rollout: &mut Rollout, nodes: &[&str]) {
    for name in nodes {
        rollout.acknowledged(&node(name), FIRST);
    }
}

/// With a rotation of an hour, and as much patience.
fn decide(rollout: &mut Rollout, now: u64) -> Decision {
    let hour = Duration::from_millis(HOUR);
    rollout.decide(at(now), hour, hour)
}

fn rotate_without(nodes: &[&str]) -> Decision {
    Decision::Rotate { without: nodes.iter().map(|name| node(name)).collect() }
}

fn wait_for(nodes: &[&str], until_hour: u64) -> Decision {
    Decision::Wait { until: at(until_hour * HOUR), lacking: nodes.iter().map(|name| node(name)).collect() }
}

fn names(rollout: &Rollout) -> Vec<&str> {
    rollout.nodes().map(|(node, _)| node.as_str()).collect()
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn at(millis: u64) -> UnixTime {
    UnixTime::from_millis(millis)
}

const HOUR: u64 = 3_600_000;
const FIRST: Epoch = Epoch { generation: 1, counter: 2 };
