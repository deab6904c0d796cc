use proptest::prelude::*;

use super::*;

#[test]
fn a_schedule_that_cannot_be_kept_is_refused() {
    let refused = |rotate, accept, chain| Schedule::new(rotate, accept, chain).unwrap_err();
    assert_eq!(
        refused(Duration::from_millis(999), HOUR, DAY),
        ScheduleError::RotateTooShort(Duration::from_millis(999))
    );
    assert_eq!(refused(HOUR, Duration::ZERO, DAY), ScheduleError::AcceptZero);
    let beyond = 7 * DAY + Duration::from_nanos(1);
    assert_eq!(refused(HOUR, beyond, 9 * DAY), ScheduleError::AcceptTooLong(beyond));
    assert_eq!(refused(HOUR, HOUR, Duration::ZERO), ScheduleError::ChainZero);

    let least = Schedule::new(Duration::from_secs(1), Duration::from_nanos(1), Duration::from_nanos(1));
    assert!(least.is_ok());
    assert!(Schedule::new(HOUR, 7 * DAY, DAY).is_ok());
    let second = Duration::from_secs(1);
    assert!(Schedule::new(second, 18 * HOUR, DAY).is_ok());
    assert_eq!(Schedule::new(second, DAY, DAY), Err(ScheduleError::TooManyKeys(86_402)));
    assert_eq!(Schedule::new(HOUR, 18 * HOUR, DAY), Ok(Schedule::default()));
}

#[test]
fn the_ring_keeps_ceil_of_accept_by_rotate_and_two() {
    let ms = Duration::from_millis;
    for (rotate, accept, retained) in [
        (HOUR, 18 * HOUR, 20),
        (HOUR, 18 * HOUR + ms(1), 21),
        (HOUR, 18 * HOUR - ms(1), 20),
        (HOUR, ms(1), 3),
        (DAY, HOUR, 3),
        (ms(1000), DAY, 86_402),
        (Duration::ZERO, DAY, 86_400_000_000_002),
    ] {
        let schedule = Schedule { rotate, accept, chain: DAY, patience: rotate };
        assert_eq!(schedule.retained(), retained, "{schedule:?}");
    }
}

#[test]
fn a_ticket_lives_as_long_as_it_is_accepted_or_its_chain_has_left() {
    let schedule = Schedule::default();
    for (origin, now, remaining) in [
        (0, 0, 18 * HOUR),
        (0, 6, 18 * HOUR),
        (0, 7, 17 * HOUR),
        (0, 23, HOUR),
        (0, 24, Duration::ZERO),
        (0, 1000, Duration::ZERO),
        (1, 0, 18 * HOUR),
    ] {
        assert_eq!(schedule.remaining(at(origin), at(now)), remaining, "{origin} {now}");
    }
    let short = Schedule { chain: 2 * HOUR, ..schedule };
    assert_eq!(short.remaining(at(5), at(1)), 2 * HOUR, "an origin ahead of the clock adds nothing");
}

#[test]
fn the_window_is_accept_and_a_rotation_behind_and_a_rotation_ahead() {
    let schedule = Schedule::default();
    let ms = Duration::from_millis(1);
    let sealed = at(100);
    for (now, expired) in [
        (sealed, false),
        ((sealed + 19 * HOUR).saturating_sub(ms), false),
        (sealed + 19 * HOUR, true),
        (sealed + 1000 * DAY, true),
        (sealed.saturating_sub(HOUR), false),
        (sealed.saturating_sub(HOUR + ms), true),
        (at(0), true),
    ] {
        assert_eq!(schedule.is_expired(sealed, now), expired, "{now:?}");
    }
}

#[test]
fn a_chain_is_over_at_its_age() {
    let schedule = Schedule::default();
    let ms = Duration::from_millis(1);
    assert!(!schedule.is_chain_over(at(1), at(0)));
    assert!(!schedule.is_chain_over(at(1), at(25).saturating_sub(ms)));
    assert!(schedule.is_chain_over(at(1), at(25)));
}

proptest! {
    #[test]
    fn what_remains_is_inside_the_window_and_the_chain(
        rotate in 1u64..10_000_000,
        accept in 1u64..100_000_000,
        chain in 1u64..100_000_000,
        origin: u32,
        age in 0u64..200_000_000,
    ) {
        let ms = Duration::from_millis;
        let schedule = Schedule { rotate: ms(rotate), accept: ms(accept), chain: ms(chain), patience: ms(rotate) };
        let origin = UnixTime::from_millis(origin.into());
        let sealed = origin + ms(age);
        let remaining = schedule.remaining(origin, sealed);
        prop_assert!(remaining <= schedule.accept);
        // As long as it was said to live it does, on every clock that is not a rotation off.
        if let Some(last) = remaining.checked_sub(ms(1)) {
            prop_assert!(!schedule.is_expired(sealed, sealed + last));
            prop_assert!(!schedule.is_expired(sealed, sealed + last + ms(rotate)));
            prop_assert!(!schedule.is_chain_over(origin, sealed + last));
        } else {
            prop_assert!(schedule.is_chain_over(origin, sealed));
        }
    }

    #[test]
    fn no_time_overflows(rotate: u64, accept: u64, chain: u64, a: u64, b: u64) {
        let schedule = Schedule {
            rotate: Duration::from_secs(rotate),
            accept: Duration::from_secs(accept),
            chain: Duration::from_secs(chain),
            patience: Duration::MAX,
        };
        let (a, b) = (UnixTime::from_millis(a), UnixTime::from_millis(b));
        prop_assert!(schedule.retained() >= 2);
        prop_assert!(schedule.remaining(a, b) <= schedule.chain);
        prop_assert_eq!(schedule.is_chain_over(a, b), b >= a + schedule.chain);
        prop_assert!(schedule.is_expired(a, b) || b <= a + schedule.accept + schedule.rotate);
    }
}

fn at(hour: u32) -> UnixTime {
    UnixTime::from_millis(0) + hour * HOUR
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
