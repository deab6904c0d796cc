//! When something was seen.

use std::num::NonZeroU64;
use std::time::Duration;

/// A time on the clock of whoever saw it: nanoseconds since the Unix epoch, until the year 2554.
///
/// Kept as one more than that, so that an `Option` of it takes no more room: a connection has a dozen of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// The time `nanoseconds` after the Unix epoch.
    pub fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanoseconds))
    }

    /// Nanoseconds since the Unix epoch.
    pub fn nanoseconds(self) -> u64 {
        self.0.get() - 1
    }

    /// How long after `earlier` this is; nothing where clocks went back.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanoseconds().saturating_sub(earlier.nanoseconds()))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::from_nanoseconds(0)
    }
}

/// When something was seen, and in which packet of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// The time.
    pub time: Timestamp,
    /// The packet's number, from 1 as tshark counts; 0 where nothing was captured.
    pub packet: u64,
}
