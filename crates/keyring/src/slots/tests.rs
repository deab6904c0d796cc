use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::key::KeyName;
use crate::time::UnixTime;

#[test]
fn the_first_key_of_each_group_stands_for_it() {
    use KeyState::{Issuing, Next, Retiring};
    for (what, count, stride, born, expected) in [
        ("every key", 3, 1, vec![5, 6, 7, 8], vec![(6, Retiring), (7, Issuing), (8, Next)]),
        ("more keys than there are", 9, 1, vec![7, 8], vec![(7, Issuing), (8, Next)]),
        ("every third", 3, 3, (1..=12).collect(), vec![(6, Retiring), (9, Issuing), (12, Next)]),
        ("in the middle of a group", 3, 3, (1..=14).collect(), vec![(6, Retiring), (9, Issuing), (12, Next)]),
        ("the very first key", 3, 3, vec![1], vec![(1, Issuing)]),
        ("the very first keys", 3, 3, vec![1, 2], vec![(1, Issuing)]),
        ("the second group", 3, 3, vec![1, 2, 3], vec![(1, Issuing), (3, Next)]),
        ("a fleet that begins anew", 3, 3, vec![58, 59], vec![(58, Issuing)]),
        ("and goes on", 3, 3, vec![58, 59, 60, 61], vec![(58, Issuing), (60, Next)]),
        ("the first of a group lost", 3, 3, vec![6, 7, 8, 10, 11, 12], vec![(6, Retiring), (10, Issuing), (12, Next)]),
        ("another lost", 3, 3, vec![6, 8, 9, 11, 12], vec![(6, Retiring), (9, Issuing), (12, Next)]),
        ("a whole group lost", 3, 3, vec![3, 4, 5, 6, 12, 13], vec![(3, Retiring), (6, Issuing), (12, Next)]),
    ] {
        let found = slots(count, stride).fill(&fleet(&born), Product::HaProxy, KeySize::Bits256);
        let found = found.iter().map(|slot| (slot.born.counter, slot.state, slot.key.name()));
        let expected = expected.iter().map(|&(born, state)| (born, state, name(born)));
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{what}");
    }
}

#[test]
fn each_line_of_a_file_counts() {
    let ring = Ring::from_lines([1, 2].map(TicketKey::sample).into(), at(0)).unwrap();
    let (ring, _) = ring.replaced_by([1, 2, 3, 4, 5].map(TicketKey::sample).into(), at(1)).unwrap();
    let filled = slots(4, 1).fill(&ring, Product::HaProxy, KeySize::Bits256);
    assert_eq!(filled.iter().map(|slot| slot.key.name()).collect::<Vec<_>>(), [2, 3, 4, 5].map(name));
}

#[test]
fn keys_of_a_node_that_is_cut_off_are_no_product_s() {
    let mut ring = fleet(&[1, 2, 3]);
    ring.seal_alone(at(9), [8, 9].map(TicketKey::sample), 20).unwrap();
    let filled = slots(3, 1).fill(&ring, Product::HaProxy, KeySize::Bits256);
    assert_eq!(filled.iter().map(|slot| slot.key.name()).collect::<Vec<_>>(), [1, 2, 3].map(name));
}

#[test]
fn a_generation_does_not_change_groups() {
    let ring = fleet(&(1..=14).collect::<Vec<_>>());
    let names = |ring: &Ring| {
        let filled = slots(3, 3).fill(ring, Product::Nginx, KeySize::Bits256);
        filled.iter().map(|slot| slot.key.name()).collect::<Vec<_>>()
    };
    let before = names(&ring);
    let mut ring = ring.in_generation(7);
    assert_eq!(names(&ring), before);
    // `in_generation` was 7.15, so that the next key is the first of a group that lost one.
    ring.advance(at(20), TicketKey::sample(16), 20).unwrap();
    assert_eq!(names(&ring)[..2], before[1..]);
}

#[test]
fn slots_that_a_ring_cannot_fill_are_refused() {
    for (count, stride, retained, error) in [
        (2, 1, 20, Some(SlotsError::TooFew(2))),
        (3, 0, 20, Some(SlotsError::StrideZero)),
        (3, 7, 20, None),
        (3, 7, 19, None),
        (
            3,
            8,
            20,
            Some(SlotsError::RingTooShort { slots: Slots { count: 3, stride: 8 }, needs: 24, has: 22, longest: 7 }),
        ),
        (3, 18, Slots::retained(3, 18), None),
        (22, 1, 20, None),
    ] {
        assert_eq!(Slots::new(count, stride, retained).err(), error, "{count} {stride} {retained}");
    }
    assert!(Slots::new(3, 18, Slots::retained(3, 18) - 1).is_err());
    let refused = Slots::new(3, 8, 20).unwrap_err().to_string();
    assert!(refused.starts_with("3 keys, each for 8 rotations, are made from 24 keys of the ring, and it keeps 22;"));
    assert!(Slots::new(usize::MAX, u64::MAX, 20).is_err());
}

#[test]
fn three_slots_open_for_one_rotation_of_theirs_and_at_most_two() {
    for (count, stride, accept) in [(3, 1, [1, 2]), (3, 7, [7, 14]), (5, 4, [12, 16]), (22, 1, [20, 21])] {
        assert_eq!(slots(count, stride).accept(HOUR), accept.map(|hours| HOUR * hours), "{count} {stride}");
    }
    assert_eq!(Slots { count: usize::MAX, stride: u64::MAX }.accept(HOUR), [Duration::MAX; 2]);
}

proptest! {
    // Each case makes thousands of keys.
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whoever looks at a ring of the fleet, early or late, takes the same key for a group; no
    /// key is taken out of order, and none seals that was not next.
    #[test]
    fn a_group_has_one_key_for_everybody_and_for_good(
        count in 3usize..6,
        stride in 1u64..9,
        more in 0usize..4,
        begins in 1u64..40,
        lost in proptest::collection::btree_set(0u64..80, 0..30),
    ) {
        let retained = Slots::retained(count, stride) + more;
        let slots = Slots::new(count, stride, retained).unwrap();
        let mut known: BTreeMap<u64, KeyName> = BTreeMap::new();
        let mut before: Vec<(u64, KeyState)> = Vec::new();
        let mut history = Vec::new();
        for counter in (begins..begins + 80).filter(|counter| !lost.contains(&(counter - begins))) {
            history.push(counter);
            let kept = history.len().saturating_sub(retained + 2);
            let filled = slots.fill(&fleet(&history[kept..]), Product::H2o, KeySize::Bits256);
            prop_assert!(!filled.is_empty() && filled.len() <= count);
            for slot in &filled {
                let first = *known.entry(slot.born.counter / stride).or_insert(slot.key.name());
                prop_assert_eq!(first, slot.key.name(), "another key for a group");
            }
            let groups: Vec<_> = filled.iter().map(|slot| (slot.born.counter, slot.state)).collect();
            prop_assert!(groups.is_sorted_by_key(|&(born, _)| born));
            let sealing = |groups: &[(u64, KeyState)]| groups.iter().find(|slot| slot.1 == KeyState::Issuing).unwrap().0;
            if !before.is_empty() {
                let (now, then) = (sealing(&groups), sealing(&before));
                prop_assert!(now == then || before.contains(&(now, KeyState::Next)), "seals with what was not next");
                let opens = |&(born, _): &(u64, KeyState)| groups.iter().any(|slot| slot.0 == born);
                prop_assert!(before.iter().rev().take(count - 1).all(opens), "lost early");
            }
            before = groups;
        }
    }
}

fn fleet(born: &[u64]) -> Ring {
    let key = |&counter: &u64| (TicketKey::sample(counter), epoch(counter), at(counter));
    Ring::of_fleet(epoch(*born.last().unwrap()), born.iter().map(key).collect()).unwrap()
}

fn slots(count: usize, stride: u64) -> Slots {
    Slots::new(count, stride, 100).unwrap()
}

/// Of the key of a product that is made from the sample.
fn name(seed: u64) -> KeyName {
    Product::HaProxy.key(&TicketKey::sample(seed), KeySize::Bits256).name()
}

fn epoch(counter: u64) -> Epoch {
    Epoch { generation: 1, counter }
}

fn at(millis: u64) -> UnixTime {
    UnixTime::from_millis(millis)
}

const HOUR: Duration = Duration::from_secs(3600);
