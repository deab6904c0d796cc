use super::*;

#[test]
fn it_takes_some_checks_in_a_row_to_fall_and_to_rise() {
    let (up, down) = (|failures| Health::Up { failures }, |passes| Health::Down { passes });
    for (before, passed, after) in [
        (up(0), true, up(0)),
        (up(0), false, up(1)),
        (up(1), false, up(2)),
        (up(1), true, up(0)),
        (up(2), true, up(0)),
        (up(2), false, down(0)),
        (down(0), false, down(0)),
        (down(0), true, down(1)),
        (down(1), false, down(0)),
        (down(1), true, up(0)),
        // The thresholds were higher when it got there.
        (up(9), false, down(0)),
        (down(9), true, up(0)),
        (down(u32::MAX), true, up(0)),
    ] {
        assert_eq!(before.after(passed, &Thresholds { rise: 2, fall: 3 }), after, "{before:?} {passed}");
    }
}

#[test]
fn the_lowest_thresholds_take_one_check() {
    for lowest in [0, 1] {
        let thresholds = Thresholds { rise: lowest, fall: lowest };
        let down = Health::Up { failures: 0 }.after(false, &thresholds);
        assert_eq!(down, Health::Down { passes: 0 });
        assert_eq!(down.after(true, &thresholds), Health::Up { failures: 0 });
    }
}

#[test]
fn the_first_check_of_a_fresh_server_decides() {
    let thresholds = Thresholds { rise: 2, fall: 3 };
    assert!(Health::FRESH.is_up());
    assert!(!Health::FRESH.is_settled());
    assert_eq!(Health::FRESH.after(true, &thresholds), Health::Up { failures: 0 });
    assert_eq!(Health::FRESH.after(false, &thresholds), Health::Down { passes: 0 });
    assert_eq!(Health::FRESH.after(false, &Thresholds { rise: 2, fall: u32::MAX }), Health::Down { passes: 0 });
}

#[test]
fn up_is_up_until_it_is_down_and_unsettled_in_between() {
    for (health, is_up, is_settled) in [
        (Health::Up { failures: 0 }, true, true),
        (Health::Up { failures: 1 }, true, false),
        (Health::Down { passes: 0 }, false, true),
        (Health::Down { passes: 1 }, false, false),
    ] {
        assert_eq!((health.is_up(), health.is_settled()), (is_up, is_settled), "{health:?}");
    }
}

#[test]
fn failures_in_a_row_eject_for_a_period() {
    let start = Instant::now();
    let mut ejection = Ejection::default();
    for _ in 0..2 {
        ejection = ejection.after_failure(start, &RULES);
        assert!(!ejection.is_ejected(start));
    }
    // A success in between begins a new row.
    let interrupted = ejection.after_success().after_failure(start, &RULES);
    assert!(!interrupted.is_ejected(start));
    assert_eq!(ejected_for(ejection.after_failure(start, &RULES), start), RULES.period);
}

#[test]
fn the_period_doubles_up_to_8_times_the_first() {
    let mut now = Instant::now();
    let mut ejection = ejected(now);
    for times in [1, 2, 4, 8, 8, 8] {
        assert_eq!(ejected_for(ejection, now), times * RULES.period);
        // Back again, and one failure is enough.
        now += times * RULES.period;
        ejection = ejection.after_failure(now, &RULES);
    }
}

#[test]
fn failures_while_it_is_ejected_change_nothing() {
    let start = Instant::now();
    let before = ejected(start);
    let mut ejection = before;
    for second in 0..10 {
        ejection = ejection.after_failure(start + Duration::from_secs(second), &RULES);
    }
    assert_eq!(ejection, before);
}

#[test]
fn a_success_forgets_all() {
    let start = Instant::now();
    let once = ejected(start);
    let twice = once.after_failure(start + RULES.period, &RULES);
    for ejection in [once, twice] {
        let well = ejection.after_success();
        assert!(!well.is_ejected(start));
        let later = start + 20 * RULES.period;
        assert!(!well.after_failure(later, &RULES).is_ejected(later));
        let again = (0..3).fold(well, |ejection, _| ejection.after_failure(later, &RULES));
        assert_eq!(ejected_for(again, later), RULES.period);
    }
}

#[test]
fn after_0_is_never() {
    let now = Instant::now();
    let never = EjectionRules { after: 0, ..RULES };
    let ejection = (0..100).fold(Ejection::default(), |ejection, _| ejection.after_failure(now, &never));
    assert_eq!(ejection, Ejection::default());
}

#[test]
fn no_period_overflows() {
    let now = Instant::now();
    let longest = EjectionRules { after: 1, period: Duration::MAX };
    let ejection = Ejection { failures: u32::MAX, last: None }.after_failure(now, &longest);
    assert!(ejection.is_ejected(now + Duration::from_secs(1 << 40)));
}

#[test]
fn a_server_that_came_up_has_a_tenth_of_its_weight_and_more_by_and_by() {
    let secs = Duration::from_secs;
    for (weight, since, period, effective) in [
        (1, 0, 30, 25),
        (10, 0, 30, 256),
        (10, 10, 30, 1024),
        (10, 15, 30, 1408),
        (10, 30, 30, 2560),
        (10, 31, 30, 2560),
        (10, 0, 0, 2560),
        (0, 0, 30, 0),
        (0, 30, 30, 0),
        (u32::MAX, 0, 30, u32::MAX / 10),
        (u32::MAX, 30, 30, u32::MAX),
        (10, 0, u64::MAX, 256),
    ] {
        assert_eq!(slow_start(weight, secs(since), secs(period)), effective, "{weight} {since} {period}");
    }
    let nearly = slow_start(10, secs(30) - Duration::from_nanos(1), secs(30));
    assert_eq!(nearly, 2559, "not the whole before its time");
}

#[test]
fn checks_come_fast_while_something_changes_give_or_take_a_tenth() {
    let (every, fast) = (Duration::from_secs(10), Duration::from_secs(1));
    for (health, interval) in [
        (Health::Up { failures: 0 }, every),
        (Health::Up { failures: 1 }, fast),
        (Health::Down { passes: 0 }, every),
        (Health::Down { passes: 1 }, fast),
        (Health::FRESH, fast),
    ] {
        let next = |random| next_check(every, fast, health, random);
        assert_eq!(next(0), interval * 9 / 10, "{health:?}");
        assert_eq!(next(u64::MAX / 2 + 1), interval, "{health:?}");
        assert_eq!(next(u64::MAX), interval * 11 / 10, "{health:?}");
    }
    assert_eq!(next_check(Duration::MAX, fast, Health::Down { passes: 0 }, u64::MAX), Duration::MAX);
    assert_eq!(next_check(Duration::ZERO, fast, Health::Down { passes: 0 }, u64::MAX), Duration::ZERO);
}

#[test]
fn first_checks_are_spread_over_the_interval_or_two_seconds() {
    let ms = Duration::from_millis;
    for (every, last) in [(0, 0), (500, 500), (2000, 2000), (60_000, 2000)] {
        assert_eq!(first_check(ms(every), 0), Duration::ZERO);
        assert_eq!(first_check(ms(every), 1 << 62), ms(last) / 4, "{every}");
        assert_eq!(first_check(ms(every), u64::MAX), ms(last), "{every}");
    }
    assert_eq!(first_check(Duration::MAX, u64::MAX), ms(2000));
}

/// A server that was just ejected for the first time.
fn ejected(now: Instant) -> Ejection {
    (0..RULES.after).fold(Ejection::default(), |ejection, _| ejection.after_failure(now, &RULES))
}

/// For how long, from `now` on; in seconds that are whole.
fn ejected_for(ejection: Ejection, now: Instant) -> Duration {
    let after = |seconds| now + Duration::from_secs(seconds);
    let seconds = (0..).find(|&seconds| !ejection.is_ejected(after(seconds))).expect("it ends");
    assert!(!ejection.is_ejected(after(seconds + 1)));
    Duration::from_secs(seconds)
}

const RULES: EjectionRules = EjectionRules { after: 3, period: Duration::from_secs(10) };

#[test]
fn checks_that_are_due_at_about_the_same_time_are_made_together() {
    let (every, ms) = (Duration::from_secs(1), Duration::from_millis);
    for (due, made) in [(0, 0), (1, 20), (19, 20), (20, 20), (21, 40), (86_400_001, 86_400_020)] {
        assert_eq!(together(ms(due), every), ms(made), "{due}");
    }
    assert_eq!(together(ms(3), Duration::from_nanos(1)), ms(3));
}
