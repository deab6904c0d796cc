use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use Balance::{LeastConnections, RandomTwo, RoundRobin, SourceHash};

#[test]
fn the_fewest_come_first() {
    let servers = with_open([3, 1, 2]);
    assert_eq!(pick(LeastConnections, &servers, &turn(0), &[]), Some(1));
    assert_eq!(pick(LeastConnections, &servers, &turn(0), &[1]), Some(2));
}

#[test]
fn the_fewest_for_their_weight_come_first() {
    for (open, weights, picked) in [
        ([0, 0], [1, 2], 1),
        ([0, 1], [1, 3], 1),
        ([0, 3], [1, 3], 0),
        ([9, 100], [1, 10], 0),
        ([9, 98], [1, 10], 1),
        // Equal, and the heavier is first.
        ([9, 99], [1, 10], 1),
        ([1, 0], [2, 1], 0),
        ([usize::MAX, usize::MAX - 1], [1, 1], 1),
    ] {
        let servers = [0, 1].map(|index| Candidate { open: open[index], ..server(index, weights[index]) });
        for turn_of in 0..4 {
            let choice = turn(turn_of);
            assert_eq!(pick(LeastConnections, &servers, &choice, &[]), Some(picked), "{open:?} {weights:?} {turn_of}");
        }
    }
}

#[test]
fn an_idle_upstream_takes_turns() {
    let mut servers = weighing(&[1, 1, 1, 1]);
    servers[1].backup = true;
    let picks = (0..6).map(|at| pick(LeastConnections, &servers, &turn(at), &[]));
    assert_eq!(picks.collect::<Vec<_>>(), [0, 2, 3, 0, 2, 3].map(Some), "the backup's turns are nobody's");
    assert_eq!(pick(LeastConnections, &servers, &turn(5), &[3]), Some(2));
}

#[test]
fn turns_lie_as_far_apart_as_weights_allow() {
    for (weights, period) in [
        (&[1, 1, 1][..], &[0, 1, 2][..]),
        (&[7], &[0]),
        (&[4, 4], &[0, 1]),
        (&[2, 1, 1], &[0, 1, 0, 2]),
        (&[1, 1, 2], &[0, 1, 2, 2]),
        (&[5, 1, 1], &[0, 0, 1, 0, 0, 2, 0]),
        (&[4, 1, 1, 1, 1], &[0, 1, 0, 2, 0, 3, 0, 4]),
    ] {
        assert_eq!(turns(&weighing(weights), 0, period.len()), period, "{weights:?}");
        assert_eq!(turns(&weighing(weights), 3 * period.len(), period.len()), period, "{weights:?}");
    }
}

#[test]
fn a_period_may_begin_anywhere() {
    // Many events fall together here, and must be in the same order in each period.
    let weights = [49, 33, 42, 9, 49, 7, 7];
    let servers = weights.map(|weight| Candidate { weight: weight * 9, ..server(0, 1) });
    let period = weights.iter().sum::<u32>() as usize;
    for start in 0..period {
        let turns = turns(&servers, start, period);
        let taken = [0, 1, 2, 3, 4, 5, 6].map(|place| turns.iter().filter(|turn| **turn == place).count() as u32);
        assert_eq!(taken, weights, "from {start} on");
    }
}

#[test]
fn the_turns_of_a_failed_server_fall_to_the_others_by_weight() {
    let servers = weighing(&[2, 1, 1]);
    let mut taken = [0; 3];
    for at in (0..20_000).filter(|&at| pick(RoundRobin, &servers, &turn(at), &[]) == Some(0)) {
        let choice = Choice { turn: at, random: at as u64, source: 0 };
        taken[pick(RoundRobin, &servers, &choice, &[0]).unwrap()] += 1;
    }
    assert_eq!(taken[0], 0);
    assert_near(taken[1], 5000);
    assert_near(taken[2], 5000);
}

#[test]
fn of_two_the_less_loaded_is_taken() {
    for (open, picked) in [([3, 2], 1), ([2, 3], 0), ([0, usize::MAX], 0)] {
        for choice in choices(100) {
            assert_eq!(pick(RandomTwo, &with_open(open), &choice, &[]), Some(picked), "{open:?} {choice:?}");
        }
    }
    // One that is more loaded than all others loses to whichever is drawn with it.
    let mut taken = [0; 5];
    for choice in choices(40_000) {
        taken[pick(RandomTwo, &with_open([1, 1, 9, 1, 1]), &choice, &[]).unwrap()] += 1;
    }
    assert_eq!(taken[2], 0);
    [0, 1, 3, 4].iter().for_each(|&index| assert_near(taken[index], 10_000));
}

#[test]
fn two_are_drawn_by_weight() {
    // All are equally loaded, so the first one drawn is taken.
    let servers = [1, 2, 3, 4].map(|weight| Candidate { open: weight as usize - 1, ..server(0, weight) });
    let mut taken = [0; 4];
    choices(40_000).for_each(|choice| taken[pick(RandomTwo, &servers, &choice, &[]).unwrap()] += 1);
    (0..4).for_each(|index| assert_near(taken[index], 4000 * (index + 1)));

    // A server less loaded than all others is taken when it is drawn, first or second.
    let servers = with_open([1, 1, 0, 1]);
    let taken = choices(40_000).filter(|choice| pick(RandomTwo, &servers, choice, &[]) == Some(2)).count();
    assert_near(taken, 20_000);
}

#[test]
fn after_a_failure_two_are_drawn_anew() {
    let servers = weighing(&[1, 1, 1, 1, 1]);
    let mut taken = [0; 5];
    for choice in choices(50_000).filter(|choice| pick(RandomTwo, &servers, choice, &[]) == Some(1)) {
        taken[pick(RandomTwo, &servers, &choice, &[1]).unwrap()] += 1;
    }
    [0, 2, 3, 4].iter().for_each(|&index| assert_near(taken[index], 2500));
}

#[test]
fn a_client_comes_back_to_its_server_by_weight() {
    let servers = weighing(&[1, 2, 3, 4]);
    let mut taken = [0; 4];
    for source in 0..40_000 {
        let picked = pick(SourceHash, &servers, &from(source), &[]);
        let later = Choice { turn: 17, random: 29, source };
        assert_eq!(pick(SourceHash, &servers, &later, &[]), picked);
        taken[picked.unwrap()] += 1;
    }
    (0..4).for_each(|index| assert_near(taken[index], 4000 * (index + 1)));
}

#[test]
fn a_server_that_goes_or_comes_moves_only_its_share() {
    let all = weighing(&[1, 2, 3, 4, 5]);
    for gone in 0..5 {
        let left: Vec<_> = all.iter().copied().filter(|server| *server != all[gone]).collect();
        for source in 0..2000 {
            let picked = pick(SourceHash, &all, &from(source), &[]).unwrap();
            let without = pick(SourceHash, &left, &from(source), &[]).unwrap();
            assert!(picked == gone || left[without] == all[picked], "{gone} {source}");
            // It makes no difference why the server cannot have it, nor in which order the others stand.
            assert_eq!(pick(SourceHash, &all, &from(source), &[gone]).map(|place| all[place]), Some(left[without]));
            let reversed: Vec<_> = left.iter().rev().copied().collect();
            let without = pick(SourceHash, &reversed, &from(source), &[]).map(|place| reversed[place]);
            assert!(picked == gone || without == Some(all[picked]));
        }
    }
}

#[test]
fn a_server_that_grows_takes_from_others_and_moves_nothing_between_them() {
    let before = weighing(&[1, 2, 3]);
    let after = weighing(&[1, 5, 3]);
    for source in 0..2000 {
        let picked = [&before, &after].map(|servers| pick(SourceHash, servers, &from(source), &[]));
        assert!(picked[0] == picked[1] || picked[1] == Some(1), "{source} {picked:?}");
    }
}

#[test]
fn hashes_are_the_same_in_every_version() {
    // splitmix64 seeded with 1234567, as on https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64.
    let choice = Choice { random: 1_234_567, ..turn(0) };
    assert_eq!(
        [0, 1, 2].map(|nth| choice.draw(nth)),
        [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
    );
    let servers = [11, 22, 33, 44].map(|key| Candidate { key, ..server(0, 1) });
    let picks = (0..12).map(|source| pick(SourceHash, &servers, &from(source), &[]).unwrap());
    assert_eq!(picks.collect::<Vec<_>>(), [1, 2, 2, 3, 1, 0, 1, 3, 1, 3, 0, 1]);
}

#[test]
fn one_client_alone_cannot_fill_a_server_beyond_its_bound() {
    let mut servers = weighing(&[1, 2, 3, 4]);
    for connections in 1..=2000 {
        let picked = pick(SourceHash, &servers, &from(1), &[]).unwrap();
        servers[picked].open += 1;
        assert!(servers[picked].open <= bound(&servers, picked, connections), "{connections} {servers:?}");
    }
    // Its own server is as full as it may be.
    let own = pick(SourceHash, &weighing(&[1, 2, 3, 4]), &from(1), &[]).unwrap();
    assert_eq!(servers[own].open, bound(&servers, own, 2000));
}

#[test]
fn a_backup_serves_when_no_other_is_left() {
    let mut servers = weighing(&[1, 1, 1, 1]);
    servers[0].backup = true;
    servers[2].backup = true;
    servers[2].open = 5;
    let none_but_backups = [Candidate { weight: 0, ..servers[1] }, servers[2]];
    for balance in ALL {
        for choice in choices(20) {
            let picked = |tried: &[usize]| pick(balance, &servers, &choice, tried).unwrap();
            assert!([1, 3].contains(&picked(&[])), "{balance:?}");
            assert_eq!(picked(&[3]), 1, "{balance:?}");
            assert!([0, 2].contains(&picked(&[3, 1])), "{balance:?}");
            assert_eq!(picked(&[3, 1, 0]), 2, "{balance:?}");
            assert_eq!(pick(balance, &none_but_backups, &choice, &[]), Some(1), "{balance:?}");
        }
    }
}

#[test]
fn there_may_be_none_left() {
    for balance in ALL {
        assert_eq!(pick(balance, &[], &turn(3), &[]), None, "{balance:?}");
        assert_eq!(pick(balance, &weighing(&[1, 1]), &turn(3), &[0, 1]), None, "{balance:?}");
        assert_eq!(pick(balance, &weighing(&[0, 1, 0]), &turn(3), &[1]), None, "{balance:?}");
    }
}

proptest! {
    #[test]
    fn in_a_period_each_has_as_many_turns_as_its_weight(
        weights in vec(0u32..50, 1..12),
        scale in 1u32..300,
        start: u32,
    ) {
        let scaled = |weight: &u32| Candidate { weight: weight * scale, ..server(0, 1) };
        let servers: Vec<_> = weights.iter().map(scaled).collect();
        let period = weights.iter().sum::<u32>() as usize;
        let turns = turns(&servers, start as usize, period);
        for (place, weight) in weights.iter().enumerate() {
            prop_assert_eq!(turns.iter().filter(|turn| **turn == place).count(), *weight as usize, "{:?}", turns);
        }
    }

    #[test]
    fn nobody_has_more_turns_in_a_row_than_the_next_heaviest_leaves_room_for(weights in vec(1u32..50, 2..12)) {
        let period = weights.iter().sum::<u32>() as usize;
        let turns = turns(&weighing(&weights), 0, 2 * period);
        for row in turns.chunk_by(|one, next| one == next) {
            let others = weights.iter().enumerate().filter(|(place, _)| *place != row[0]);
            let heaviest = others.map(|(_, weight)| *weight).max().unwrap();
            prop_assert!(row.len() <= weights[row[0]].div_ceil(heaviest) as usize, "{:?}", turns);
        }
    }

    #[test]
    fn the_first_in_order_that_has_room_is_taken(
        loads in vec((0usize..60, 1u32..2000), 1..10),
        source: u64,
    ) {
        let servers = (0..).zip(&loads).map(|(key, &(open, weight))| Candidate { open, weight, ..server(key, 1) });
        let servers: Vec<_> = servers.collect();
        let idle: Vec<_> = servers.iter().map(|server| Candidate { open: 0, ..*server }).collect();
        // Idle servers have room, so whom the tried ones leave the client to is the next one in its order.
        let mut order = Vec::new();
        for _ in &idle {
            order.extend(pick(SourceHash, &idle, &from(source), &order));
        }
        let connections = 1 + loads.iter().map(|(open, _)| open).sum::<usize>();
        let room = |place: &&usize| servers[**place].open < bound(&servers, **place, connections);
        prop_assert_eq!(pick(SourceHash, &servers, &from(source), &[]), order.iter().find(room).copied());
    }

    #[test]
    fn whatever_the_numbers_are_one_is_picked_if_any_is_left(
        servers in vec(any::<(usize, u32, bool, u64)>(), 0..8),
        extreme in vec(prop_oneof![Just(None), Just(Some(0)), Just(Some(u32::MAX))], 8),
        (turn, random, source) in any::<(usize, u64, u64)>(),
        tried in vec(0usize..8, 0..5),
    ) {
        let servers = servers.into_iter().zip(extreme).map(|((open, weight, backup, key), extreme)| {
            Candidate { open, weight: extreme.unwrap_or(weight), backup, key }
        });
        let servers: Vec<_> = servers.collect();
        let left = |backup| {
            let servers = servers.iter().enumerate();
            let left = servers.filter(move |(_, server)| server.weight > 0 && server.backup == backup);
            left.map(|(place, _)| place).filter(|place| !tried.contains(place)).collect::<Vec<_>>()
        };
        let left = if left(false).is_empty() { left(true) } else { left(false) };
        for balance in ALL {
            match pick(balance, &servers, &Choice { turn, random, source }, &tried) {
                None => prop_assert!(left.is_empty(), "{:?}", balance),
                Some(place) => prop_assert!(left.contains(&place), "{:?}", balance),
            }
        }
    }
}

/// The places of those whose turns begin with `start`.
fn turns(servers: &[Candidate], start: usize, count: usize) -> Vec<usize> {
    (start..start + count).filter_map(|at| pick(RoundRobin, servers, &turn(at), &[])).collect()
}

/// 5/4 of the share of the server at `place`, rounded up, as the paper has it.
fn bound(servers: &[Candidate], place: usize, connections: usize) -> usize {
    let weights: usize = servers.iter().map(|server| server.weight as usize).sum();
    (5 * connections * servers[place].weight as usize).div_ceil(4 * weights)
}

fn assert_near(count: usize, expected: usize) {
    assert!(count.abs_diff(expected) < expected / 10, "{count} is not near {expected}");
}

fn weighing(weights: &[u32]) -> Vec<Candidate> {
    (0..).zip(weights).map(|(index, weight)| server(index, *weight)).collect()
}

fn with_open<const N: usize>(open: [usize; N]) -> [Candidate; N] {
    let mut index = 0;
    open.map(|open| {
        index += 1;
        Candidate { open, ..server(index, 1) }
    })
}

fn server(index: usize, weight: u32) -> Candidate {
    Candidate { open: 0, weight: weight * WEIGHT_OF_ONE, backup: false, key: index as u64 }
}

fn choices(count: u64) -> impl Iterator<Item = Choice> {
    (0..count).map(|random| Choice { random, ..turn(0) })
}

fn turn(turn: usize) -> Choice {
    Choice { turn, random: 0, source: 0 }
}

fn from(source: u64) -> Choice {
    Choice { source, ..turn(0) }
}

const ALL: [Balance; 4] = [LeastConnections, RoundRobin, RandomTwo, SourceHash];
