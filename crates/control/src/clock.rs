//! The two clocks a rotation goes by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use raincheck_keyring::UnixTime;
use tokio::time::Instant;

/// One moment, on both clocks.
///
/// The monotonic clock cannot be set, but it stands still while a machine is suspended; the wall clock does not stand
/// still, but can be set back. What is due is due as soon as either says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) monotonic: Instant,
    pub(crate) wall: UnixTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { monotonic: Instant::now(), wall: wall_clock() }
    }

    /// Time passed since `earlier`, by whichever clock saw more of it.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        monotonic.max(self.wall.since(earlier.wall))
    }
}

/// The wall clock; 1970 if it stands before that.
fn wall_clock() -> UnixTime {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}
