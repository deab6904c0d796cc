//! The source `local`: keys made here, rotated by schedule.

use std::convert::Infallible;
use std::time::Duration;

use raincheck_keyring::{Epoch, KeySize, Ring, UnixTime};
use tokio::time::timeout;

use crate::clock::Moment;
use crate::{Keys, fresh_key};

/// A ring to begin with, newer than `newest`: an issuing key, and the one that follows it.
pub(crate) fn first_ring(newest: Epoch, now: UnixTime) -> Ring {
    let [issuing, next] = [KeySize::Bits256; 2].map(fresh_key);
    let mut ring = Ring::new(issuing, None, now).expect("one key").counted_from(newest);
    ring.advance(now, next, 0).expect("two random key names differ");
    ring
}

/// Rotates the ring whenever that is due.
pub(crate) async fn run(keys: &Keys) -> Infallible {
    loop {
        // A suspended machine's monotonic clock stands still, and a timeout with it, so none is long.
        let _ = timeout(keys.rotate_if_due().min(LONGEST_SLEEP), keys.acknowledgement()).await;
    }
}

/// The first ring that is made where none was before: whoever is started anew makes another of that number.
pub(crate) const FIRST: Epoch = Epoch { generation: 1, counter: 2 };

/// How many rotations should have been since `last`.
pub(crate) fn rotations_due(last: &Moment, now: &Moment, rotate: Duration) -> usize {
    let missed = now.since(last).as_millis() / rotate.as_millis().max(1);
    usize::try_from(missed).unwrap_or(usize::MAX)
}

const LONGEST_SLEEP: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn the_first_ring_has_its_number() {
        assert_eq!(first_ring(Epoch::NONE, UnixTime::from_millis(0)).epoch(), FIRST);
    }

    #[test]
    fn either_clock_makes_a_rotation_due() {
        let hour = Duration::from_secs(3600);
        let start = Moment { monotonic: Instant::now(), wall: UnixTime::from_millis(1_000_000_000_000) };
        let cases = [
            // (monotonic, milliseconds of the wall clock, due)
            (Duration::ZERO, 0, 0),
            (hour - Duration::from_millis(1), 3_599_999, 0),
            (hour, 3_600_000, 1),
            (hour, 0, 1),                                // the wall clock stood still
            (hour, -7_200_000, 1),                       // it was set back
            (Duration::ZERO, 3_600_000, 1),              // suspended for an hour
            (Duration::from_secs(60), 3 * 3_600_000, 3), // for three
        ];
        for (monotonic, wall, due) in cases {
            let now = Moment {
                monotonic: start.monotonic + monotonic,
                wall: UnixTime::from_millis(1_000_000_000_000_u64.wrapping_add_signed(wall)),
            };
            assert_eq!(rotations_due(&start, &now, hour), due, "{monotonic:?} {wall}");
        }
    }
}
