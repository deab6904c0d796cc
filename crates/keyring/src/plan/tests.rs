use proptest::prelude::*;

use super::*;

#[test]
fn three_slots_are_filled_from_the_new_end() {
    for (keys, filled) in
        [("", None), ("a", Some("aaa")), ("ab", Some("aab")), ("abc", Some("abc")), ("abcd", Some("bcd"))]
    {
        assert_eq!(in_haproxy(&names(keys)), filled.map(slots), "{keys}");
    }
}

#[test]
fn a_haproxy_gets_the_keys_it_lacks() {
    for (what, observed, wanted, keys, promotes) in [
        ("nothing", "abc", "abc", "", None),
        ("a rotation", "abc", "bcd", "d", None),
        ("two that were missed", "abc", "cde", "de", None),
        ("three that were missed", "abc", "def", "def", Some('c')),
        ("a restart with its own", "xyz", "abc", "abc", Some('z')),
        ("the last was lost with its maker", "abx", "abc", "abc", Some('x')),
        ("the same keys in another order", "xyb", "abc", "abc", None),
        ("next at its turn, others not", "xyc", "abc", "abc", Some('c')),
        ("the first of a fleet", "xyz", "aaa", "aaa", Some('z')),
        ("the second", "aaa", "aab", "b", None),
        ("the third", "aab", "abc", "c", None),
        ("the first when two were pushed", "zaa", "aaa", "a", None),
    ] {
        let (observed, wanted) = (slots(observed), slots(wanted));
        let found = pushes(&observed, &wanted);
        assert_eq!((found.keys, found.promotes), (&names(keys)[..], promotes.map(name)), "{what}");
        assert_eq!(found.keys.iter().fold(observed, push), wanted, "{what}");
    }
}

#[test]
fn who_is_furthest_behind_is_pushed_to_first() {
    for (observed, wanted, round) in [
        (vec![], "abc", None),
        (vec!["abc", "abc"], "abc", None),
        (vec!["abc", "abc"], "bcd", Some(('d', vec![0, 1]))),
        (vec!["bcd", "abc"], "bcd", Some(('d', vec![1]))),
        (vec!["abc", "zab"], "bcd", Some(('c', vec![1]))),
        (vec!["abc", "xyz", "zab"], "bcd", Some(('b', vec![1]))),
    ] {
        let observed: Vec<_> = observed.into_iter().map(slots).collect();
        let expected = round.map(|(key, to)| PushRound { key: name(key), to });
        assert_eq!(next_push(&observed, &slots(wanted)), expected, "{observed:?}");
    }
}

#[test]
fn files_are_added_to_then_switched_then_cleared() {
    // The first letter seals.
    for (what, wanted, rounds) in [
        ("nothing", "cbd", vec![vec!["cbd", "cbd"]]),
        ("a rotation", "dce", vec![vec!["cbd", "cbd"], vec!["dce", "dce"]]),
        ("one is late", "dce", vec![vec!["cbd", "dce"], vec!["dce", "dce"]]),
        (
            "two that were missed",
            "edf",
            vec![vec!["cbd", "cbd"], vec!["ccdef", "ccdef"], vec!["edfc", "edfc"], vec!["edf", "edf"]],
        ),
        (
            "a restart with other keys",
            "cbd",
            vec![vec!["cbd", "xy"], vec!["cbd", "xbcd"], vec!["cbd", "cbdx"], vec!["cbd", "cbd"]],
        ),
        ("a node without a file", "cbd", vec![vec!["cbd", ""], vec!["cbd", "cbd"]]),
        ("no file at all", "cbd", vec![vec!["", ""], vec!["cbd", "cbd"]]),
        (
            "no file, and others are not that far",
            "edf",
            vec![vec!["cbd", ""], vec!["cdef", ""], vec!["edfc", ""], vec!["edf", "edf"]],
        ),
    ] {
        let mut rounds = rounds.into_iter().map(|files| files.into_iter().map(file).collect::<Vec<_>>());
        let mut files = rounds.next().unwrap();
        for expected in rounds {
            write(&mut files, &wanted_file(wanted));
            assert_eq!(files, expected, "{what}");
        }
        assert!(next_files(&files, &wanted_file(wanted)).iter().all(Option::is_none), "{what}");
    }
}

proptest! {
    /// From a fleet of HAProxies in any state: none is made to seal with a key that is wanted and
    /// that another lacks, and after three rounds all are there.
    #[test]
    fn haproxies_come_together(observed in proptest::collection::vec("[a-e]{3}", 1..5), wanted in "[a-e]{3}") {
        let mut all: Vec<_> = observed.iter().map(|letters| slots(letters)).collect();
        let wanted = slots(&wanted);
        for _ in 0..3 {
            let Some(round) = next_push(&all, &wanted) else { break };
            for sink in round.to {
                let promoted = all[sink][2];
                all[sink] = push(all[sink], &round.key);
                let foreign = round.key == wanted[0];
                prop_assert!(foreign || all.iter().all(|slots| slots.contains(&promoted)), "{:?}", all);
            }
        }
        prop_assert!(all.iter().all(|slots| *slots == wanted), "{:?}", all);
    }

    /// From files in any state, written in any order: a node begins to seal with no key that another
    /// lacks, none loses a key that another seals with, and after four rounds all are there.
    #[test]
    fn files_come_together(observed in proptest::collection::vec("[a-e]{0,4}", 1..5), wanted in "[a-e]{1,4}", seed: u64) {
        let mut files: Vec<_> = observed.iter().map(|letters| file(letters)).collect();
        let wanted = wanted_file(&wanted);
        for round in 0..4 {
            let next = next_files(&files, &wanted);
            let mut order: Vec<_> = (0..files.len()).collect();
            order.sort_by_key(|&node| (node as u64 + 1).wrapping_mul(seed.rotate_left(round) | 1));
            for node in order {
                let Some(next) = &next[node] else { continue };
                let others = || files.iter().enumerate().filter(|&(other, _)| other != node).filter_map(|(_, file)| file.as_ref());
                prop_assert!(next.opening.contains(&next.sealing));
                if files[node].as_ref().is_none_or(|file| file.sealing != next.sealing) {
                    prop_assert!(others().all(|other| other.opening.contains(&next.sealing)), "seals early: {:?}", files);
                }
                for gone in files[node].iter().flat_map(|file| file.opening.difference(&next.opening)) {
                    prop_assert!(others().all(|other| other.sealing != *gone), "gone early: {:?}", files);
                }
                files[node] = Some(next.clone());
            }
        }
        prop_assert!(files.iter().all(|file| file.as_ref() == Some(&wanted)), "{:?}", files);
    }
}

fn push([_, issuing, next]: HaProxySlots, key: &KeyName) -> HaProxySlots {
    [issuing, next, *key]
}

fn write(files: &mut [Option<FileKeys>], wanted: &FileKeys) {
    let next = next_files(files, wanted);
    for (file, next) in files.iter_mut().zip(next) {
        *file = next.or(file.take());
    }
}

/// The first letter seals; none is no file.
fn file(letters: &str) -> Option<FileKeys> {
    let opening = names(letters);
    Some(FileKeys { sealing: *opening.first()?, opening: opening.into_iter().collect() })
}

fn wanted_file(letters: &str) -> FileKeys {
    file(letters).unwrap()
}

fn slots(letters: &str) -> HaProxySlots {
    names(letters).try_into().unwrap()
}

fn names(letters: &str) -> Vec<KeyName> {
    letters.chars().map(name).collect()
}

fn name(letter: char) -> KeyName {
    KeyName::from([letter as u8; KeyName::LEN])
}
