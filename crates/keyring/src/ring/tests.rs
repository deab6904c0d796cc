use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::schedule::Schedule;
use crate::ticket::{self, Opened, PolicyDigest, Session};

#[test]
fn the_lines_of_a_file_are_oldest_first() {
    use KeyState::{Issuing, Next, Retiring};
    for (lines, expected) in [
        (1, vec![(0, Issuing)]),
        (2, vec![(1, Next), (0, Issuing)]),
        (3, vec![(2, Next), (1, Issuing), (0, Retiring)]),
        (5, vec![(4, Next), (3, Issuing), (2, Retiring), (1, Retiring), (0, Retiring)]),
    ] {
        let ring = Ring::from_lines(keys(0..lines), at(7)).unwrap();
        assert_eq!(states(&ring), named(&expected));
        assert_eq!(ring.len(), expected.len());
        assert!(ring.entries().all(|entry| entry.since == at(7)));
    }
}

#[test]
fn a_ring_needs_a_key_and_tells_them_apart_by_name() {
    assert_eq!(Ring::from_lines(vec![], at(0)).unwrap_err(), RingError::Empty);
    let twice = Ring::from_lines(keys([1, 2, 3, 1]), at(0)).unwrap_err();
    assert_eq!(twice, RingError::DuplicateName(name(1)));
    let twice = Ring::new(TicketKey::sample(1), Some(TicketKey::sample(1)), at(0)).unwrap_err();
    assert_eq!(twice, RingError::DuplicateName(name(1)));
}

#[test]
fn a_rotation_moves_every_key_on() {
    use Change::{Introduced, Issuing, Retired, Wiped};
    let mut ring = ring(&[0, 1]);
    let mut rotate = |key, retained| {
        let changes = ring.advance(at(key), TicketKey::sample(key), retained).unwrap();
        let since = ring.entries().map(|entry| entry.since.as_millis()).collect::<Vec<_>>();
        (changes, since)
    };
    let (changes, since) = rotate(2, 2);
    assert_eq!(changes, [Introduced(name(2)), Issuing(name(1)), Retired(name(0))]);
    assert_eq!(since, [2, 2, 2]);
    let (changes, since) = rotate(3, 2);
    assert_eq!(changes, [Introduced(name(3)), Issuing(name(2)), Retired(name(1))]);
    assert_eq!(since, [3, 3, 3, 2]);
    let (changes, since) = rotate(4, 2);
    assert_eq!(changes, [Introduced(name(4)), Issuing(name(3)), Retired(name(2)), Wiped(name(0))]);
    assert_eq!(since, [4, 4, 4, 3]);
    // Fewer are retained from now on: all that are too many go at once, newest first.
    let (changes, _) = rotate(5, 0);
    assert_eq!(changes, [Introduced(name(5)), Issuing(name(4)), Wiped(name(3)), Wiped(name(2)), Wiped(name(1))]);
}

#[test]
fn a_key_that_no_peer_can_have_yet_does_not_seal() {
    let mut ring = ring(&[0]);
    let changes = ring.advance(at(1), TicketKey::sample(1), 20).unwrap();
    assert_eq!(changes, [Change::Introduced(name(1))]);
    assert_eq!(states(&ring), named(&[(1, KeyState::Next), (0, KeyState::Issuing)]));
    assert_eq!(ring.find(name(0)).unwrap().since, at(0));
}

#[test]
fn only_a_newer_ring_of_the_fleet_is_taken() {
    let fleet = |epoch: &str, numbers: Vec<u64>| {
        let born = |number| Epoch { generation: 1, counter: number };
        let keys = numbers.into_iter().map(|number| (TicketKey::sample(number), born(number), at(number)));
        Ring::of_fleet(epoch.parse().unwrap(), keys.collect()).unwrap()
    };
    let held = fleet("1.3", vec![1, 2, 3]);
    for older in ["1.3", "1.2", "0.9"] {
        let refused = held.succeeded_by(fleet(older, vec![7, 8])).unwrap_err();
        assert_eq!(refused, Outdated { offered: older.parse().unwrap(), held: held.epoch() });
    }
    let (ring, changes) = held.succeeded_by(fleet("1.4", vec![2, 3, 4])).unwrap();
    use Change::{Introduced, Issuing, Retired, Wiped};
    assert_eq!(changes, [Introduced(name(4)), Issuing(name(3)), Retired(name(2)), Wiped(name(1))]);
    assert_eq!(ring.epoch(), "1.4".parse().unwrap());
    assert!(Arc::ptr_eq(&ring.find(name(3)).unwrap().key, &held.find(name(3)).unwrap().key), "a second copy");
    assert_eq!(ring.entries().map(|entry| entry.since).collect::<Vec<_>>(), [at(4), at(3), at(2)]);
    // Of a later generation the counter does not matter.
    assert!(ring.succeeded_by(fleet("2.0", vec![4])).is_ok());
    assert!(held.clone().in_generation(2).succeeded_by(fleet("1.99", vec![4])).is_err());
}

#[test]
fn each_ring_is_newer_than_the_one_before() {
    let mut ring = ring(&[0, 1]);
    let mut last = ring.epoch();
    for key in 2..9 {
        ring.advance(at(key), TicketKey::sample(key), 3).unwrap();
        assert!(ring.epoch() > last);
        assert_eq!(ring.find(name(key)).unwrap().born, ring.epoch());
        last = ring.epoch();
    }
    let (same, _) = ring.replaced_by(keys(4..9), at(9)).unwrap();
    assert_eq!(same.epoch(), last);
    let (other, _) = ring.replaced_by(keys(5..10), at(9)).unwrap();
    assert!(other.epoch() > last);
    assert_eq!(other.find(name(8)).unwrap().born, ring.find(name(8)).unwrap().born);
}

#[test]
fn a_node_that_is_cut_off_seals_with_keys_of_its_own_and_opens_what_it_could() {
    let mut ring = ring(&[0, 1, 2]);
    let epoch = ring.epoch();
    ring.seal_alone(at(9), [8, 9].map(TicketKey::sample), 2).unwrap();
    use KeyState::{Issuing, Next, Retiring};
    assert_eq!(states(&ring), named(&[(9, Next), (8, Issuing), (2, Retiring), (1, Retiring)]));
    ring.advance_alone(at(10), TicketKey::sample(10), 2).unwrap();
    assert_eq!(states(&ring), named(&[(10, Next), (9, Issuing), (8, Retiring), (2, Retiring)]));
    assert_eq!(ring.epoch(), epoch);
    let shared = ring.shared().unwrap();
    assert_eq!((states(&shared), shared.epoch()), (named(&[(2, Issuing)]), epoch));
    // The source is back, and has not rotated meanwhile.
    let (back, _) = ring.succeeded_by(shared.clone()).unwrap();
    assert_eq!(states(&back), named(&[(2, Issuing)]));
    assert!(back.succeeded_by(shared).is_err());
    ring.seal_alone(at(11), [11, 12].map(TicketKey::sample), 0).unwrap();
    assert!(ring.shared().is_none());
}

#[test]
fn a_ring_counts_on_from_what_it_has_missed() {
    let mut ring = ring(&[0, 1]).counted_from("3.7".parse().unwrap());
    ring.advance(at(9), TicketKey::sample(9), 2).unwrap();
    assert_eq!(ring.epoch(), "3.8".parse().unwrap());
    assert_eq!(ring.counted_from("1.99".parse().unwrap()).epoch(), "3.8".parse().unwrap());
}

#[test]
fn an_error_changes_nothing() {
    let mut ring = ring(&[0, 1, 2]);
    let before = states(&ring);
    for known in [0, 1, 2] {
        let refused = ring.advance(at(9), TicketKey::sample(known), 20).unwrap_err();
        assert_eq!(refused, RingError::DuplicateName(name(known)));
        assert_eq!(states(&ring), before);
    }
    assert!(ring.replaced_by(vec![], at(9)).is_err());
    assert_eq!(states(&ring), before);
}

#[test]
fn a_new_file_says_what_it_changes() {
    use Change::{Introduced, Issuing, Retired, Wiped};
    for (what, before, after, changes) in [
        ("nothing", vec![0, 1, 2], vec![0, 1, 2], vec![]),
        (
            "a rotation",
            vec![0, 1, 2],
            vec![1, 2, 3],
            vec![Introduced(name(3)), Issuing(name(2)), Retired(name(1)), Wiped(name(0))],
        ),
        ("an old key dropped", vec![0, 1, 2], vec![1, 2], vec![Wiped(name(0))]),
        (
            "a rotation taken back",
            vec![1, 2, 3],
            vec![0, 1, 2],
            vec![Introduced(name(2)), Issuing(name(1)), Introduced(name(0)), Retired(name(0)), Wiped(name(3))],
        ),
        (
            "all of it",
            vec![0],
            vec![5, 6],
            vec![Introduced(name(6)), Introduced(name(5)), Issuing(name(5)), Wiped(name(0))],
        ),
    ] {
        let (replaced, found) = ring(&before).replaced_by(keys(after.clone()), at(9)).unwrap();
        assert_eq!(found, changes, "{what}");
        assert_eq!(states(&replaced), states(&ring(&after)), "{what}");
    }
}

#[test]
fn a_key_that_stays_as_it_was_is_the_same_and_as_old() {
    let before = ring(&[0, 1, 2, 3]);
    let (after, _) = before.replaced_by(keys([1, 2, 3, 4]), at(9)).unwrap();
    let since = |key| after.find(name(key)).unwrap().since;
    assert_eq!([since(4), since(3), since(2), since(1)], [at(9), at(9), at(9), at(0)]);
    for key in [1, 2, 3] {
        let [old, new] = [&before, &after].map(|ring| &ring.find(name(key)).unwrap().key);
        assert!(Arc::ptr_eq(old, new), "a second copy of the secret");
    }
}

#[test]
fn the_same_name_with_other_bytes_is_another_key() {
    let old = TicketKey::sample(0);
    let (after, changes) = ring(&[0]).replaced_by(vec![swapped(0)], at(9)).unwrap();
    let name = old.name();
    assert_eq!(changes, [Change::Wiped(name), Change::Introduced(name), Change::Issuing(name)]);
    assert_eq!(after.issuing().expose_cipher(), old.expose_mac());
    assert_eq!(after.find(name).unwrap().since, at(9));
}

#[test]
fn a_wiped_key_is_gone_from_memory() {
    let mut ring = ring(&[0, 1]);
    let handshake = ring.clone();
    let old = Arc::downgrade(ring.issuing());
    for key in 2..5 {
        ring.advance(at(key), TicketKey::sample(key), 1).unwrap();
    }
    assert!(ring.find(name(0)).is_none());
    assert!(old.upgrade().is_some(), "a handshake under way still has it");
    drop(handshake);
    assert!(old.upgrade().is_none());
}

#[test]
fn names_that_look_alike_are_told_apart() {
    let alike = |i: u8| {
        let mut name = *b"prod-web-key-000";
        name[15] = i;
        let key = TicketKey::sample(i.into());
        TicketKey::new(name.into(), key.expose_cipher(), key.expose_mac()).unwrap()
    };
    let ring = Ring::from_lines((0..=255).map(alike).collect(), at(0)).unwrap();
    for i in 0..=255 {
        let key = alike(i);
        assert!(ring.find(key.name()).unwrap().key.is_same(&key));
    }
    let hashes = ring.entries().map(|entry| {
        let mut hasher = NameHasher::default();
        hasher.write(entry.name().as_bytes());
        // The table looks at the low bits first, and at the top seven.
        (hasher.finish() & 0xff, hasher.finish() >> 57)
    });
    let distinct = hashes.collect::<std::collections::BTreeSet<_>>().len();
    assert!(distinct > 240, "only {distinct} of 256 are told apart");
}

proptest! {
    #[test]
    fn rotation_never_loses_its_order(
        with_next: bool,
        retained in proptest::collection::vec(0usize..6, 1..40),
    ) {
        let mut ring = ring(if with_next { &[0, 1] } else { &[0] });
        let mut lives: BTreeMap<KeyName, Vec<&str>> = BTreeMap::new();
        let mut wiped = Vec::new();
        for entry in ring.entries() {
            lives.entry(entry.name()).or_default().push(entry.state.as_str());
        }
        for (seed, retained) in (2..).zip(retained) {
            let changes = ring.advance(at(seed), TicketKey::sample(seed), retained).unwrap();
            assert_whole(&ring);
            prop_assert!(ring.len() <= retained + 2);
            prop_assert_eq!(ring.entries().next().unwrap().name(), name(seed));
            let mut just_wiped = Vec::new();
            for change in changes {
                let word = match change {
                    Change::Introduced(_) => "next",
                    Change::Issuing(_) => "issuing",
                    Change::Retired(_) => "retiring",
                    Change::Wiped(name) => {
                        just_wiped.insert(0, name);
                        "wiped"
                    }
                };
                lives.entry(change.name()).or_default().push(word);
            }
            wiped.extend(just_wiped);
        }
        for (name, life) in &lives {
            let whole = ["next", "issuing", "retiring", "wiped"];
            let from = usize::from(*name == self::name(0));
            // A key that sealed until the moment it was too many retires and is wiped in one.
            let brief = ["next", "issuing", "wiped"];
            let in_order = |order: &[&str]| order[from..].starts_with(life);
            prop_assert!(in_order(&whole) || in_order(&brief), "{:?}", life);
        }
        let order = (0..).map(name).filter(|name| lives.contains_key(name));
        prop_assert_eq!(&wiped, &order.take(wiped.len()).collect::<Vec<_>>(), "oldest first");
    }

    #[test]
    fn the_changes_of_a_new_file_are_all_there_is_to_know(
        files in proptest::collection::vec(
            (proptest::sample::subsequence((0..8).collect::<Vec<u64>>(), 1..8).prop_shuffle(), 0u64..3),
            2..10,
        ),
    ) {
        // Now and then a key is another one under its old name.
        let keys = |(seeds, other): &(Vec<u64>, u64)| {
            seeds.iter().map(|&seed| if seed == *other { swapped(seed) } else { TicketKey::sample(seed) }).collect()
        };
        let mut ring = Ring::from_lines(keys(&files[0]), at(0)).unwrap();
        let mut known: BTreeMap<_, _> = states(&ring).into_iter().collect();
        for (time, file) in (1..).zip(&files[1..]) {
            let before = ring.clone();
            let (replaced, changes) = ring.replaced_by(keys(file), at(time)).unwrap();
            ring = replaced;
            assert_whole(&ring);
            prop_assert_eq!(states(&ring), states(&self::ring(&file.0)));
            for (entry, key) in ring.entries().zip(keys(file).iter().rev()) {
                prop_assert!(entry.key.is_same(key));
            }
            for change in changes {
                let held = match change {
                    Change::Introduced(name) => known.insert(name, KeyState::Next),
                    Change::Issuing(name) => known.insert(name, KeyState::Issuing),
                    Change::Retired(name) => known.insert(name, KeyState::Retiring),
                    Change::Wiped(name) => known.remove(&name),
                };
                let new = matches!(change, Change::Introduced(_));
                prop_assert!(held.is_some() || new, "{:?} of an unknown key", change);
            }
            prop_assert_eq!(&known, &states(&ring).into_iter().collect());
            for entry in ring.entries() {
                let same = |old: &&Entry| old.state == entry.state && old.key.is_same(&entry.key);
                let old = before.find(entry.name()).filter(same);
                prop_assert_eq!(entry.since, old.map_or(at(time), |old| old.since));
            }
        }
    }

    /// Rule 1 of the design: for the whole window, on a node that is up to one rotation ahead or
    /// behind, whatever the lengths of it.
    #[test]
    fn a_ticket_opens_through_every_rotation_of_its_window(
        rotate in 50u64..2000,
        accept in 1u64..20_000,
        sealed_within in 0.0f64..1.0,
        opened_within in 0.0f64..1.0,
        skew in -1i64..=1,
    ) {
        let ms = Duration::from_millis;
        let schedule = Schedule { rotate: ms(rotate), accept: ms(accept), chain: ms(100_000), patience: ms(rotate) };
        let share = |of: u64, share: f64| ((of as f64 * share) as u64).min(of - 1);
        // The first key seals during the first rotation, which begins at one rotation.
        let sealed_at = rotate + share(rotate, sealed_within);
        let opened_at = sealed_at + share(accept + rotate, opened_within);
        let ticket = ticket::seal(&TicketKey::sample(0), &[7; 32], &session(sealed_at)).unwrap();

        let rotations = (opened_at / rotate - 1).checked_add_signed(skew);
        prop_assume!(rotations.is_some());
        let mut ring = ring(&[0, 1]);
        for seed in 2..2 + rotations.unwrap() {
            ring.advance(at(seed), TicketKey::sample(seed), schedule.retained()).unwrap();
        }
        let opened = ticket::open(&ring, &schedule, at(opened_at), &POLICY, &ticket);
        prop_assert!(matches!(opened, Opened::Accepted { .. }), "{:?}", opened);
    }
}

#[test]
fn no_more_keys_are_kept_than_the_window_needs() {
    // Sealed in the last millisecond of its key's hour, opened in the last of its window, where
    // the opener has rotated early: one key less, and it would not open.
    let schedule = Schedule::default();
    let hour = 3_600_000;
    let ticket = ticket::seal(&TicketKey::sample(0), &[7; 32], &session(hour - 1)).unwrap();
    let opened_at = hour - 1 + 19 * hour - 1;
    let rotations = opened_at / hour + 1;
    for (retained, opens) in [(schedule.retained(), true), (schedule.retained() - 1, false)] {
        let mut ring = ring(&[0, 1]);
        for seed in 2..2 + rotations {
            ring.advance(at(seed), TicketKey::sample(seed), retained).unwrap();
        }
        let opened = ticket::open(&ring, &schedule, at(opened_at), &POLICY, &ticket);
        assert_eq!(matches!(opened, Opened::Accepted { .. }), opens, "{opened:?}");
    }
}

/// One key issuing, at most one next and that in front, all found by name.
fn assert_whole(ring: &Ring) {
    let states: Vec<_> = ring.entries().map(|entry| entry.state).collect();
    let issuing = states.iter().position(|&state| state == KeyState::Issuing).unwrap();
    assert!(issuing <= 1);
    assert!(states[..issuing].iter().all(|&state| state == KeyState::Next));
    assert!(states[issuing + 1..].iter().all(|&state| state == KeyState::Retiring));
    assert_eq!(ring.issuing().name(), ring.entries().nth(issuing).unwrap().name());
    for entry in ring.entries() {
        assert!(Arc::ptr_eq(&ring.find(entry.name()).unwrap().key, &entry.key));
    }
    assert_eq!(ring.len(), states.len());
    assert_eq!(ring.positions.len(), states.len());
}

fn ring(seeds: &[u64]) -> Ring {
    Ring::from_lines(keys(seeds.iter().copied()), at(0)).unwrap()
}

fn keys(seeds: impl IntoIterator<Item = u64>) -> Vec<TicketKey> {
    seeds.into_iter().map(TicketKey::sample).collect()
}

/// Another key under the name of the sample.
fn swapped(seed: u64) -> TicketKey {
    let key = TicketKey::sample(seed);
    TicketKey::new(key.name(), key.expose_mac(), key.expose_cipher()).unwrap()
}

fn states(ring: &Ring) -> Vec<(KeyName, KeyState)> {
    ring.entries().map(|entry| (entry.name(), entry.state)).collect()
}

fn named(seeds: &[(u64, KeyState)]) -> Vec<(KeyName, KeyState)> {
    seeds.iter().map(|&(seed, state)| (name(seed), state)).collect()
}

fn name(seed: u64) -> KeyName {
    TicketKey::sample(seed).name()
}

fn session(sealed_at: u64) -> Session {
    Session {
        policy: POLICY,
        origin: at(sealed_at),
        sealed_at: at(sealed_at),
        client_chain: vec![],
        state: Zeroizing::new(b"state".to_vec()),
    }
}

fn at(millis: u64) -> UnixTime {
    UnixTime::from_millis(millis)
}

const POLICY: PolicyDigest = PolicyDigest([3; 32]);

#[test]
fn a_maker_that_has_forgotten_its_rings_goes_on_after_them() {
    let ring = Ring::new(TicketKey::sample(1), Some(TicketKey::sample(2)), UnixTime::from_millis(0)).unwrap();
    for (held, expected) in [("1.57", "1.58"), ("2.1", "2.2"), ("1.1", "1.3")] {
        let following = ring.clone().following(held.parse().unwrap());
        assert_eq!(following.epoch().to_string(), expected, "{held}");
        assert_eq!(following.issuing().name(), ring.issuing().name());
    }
}
