//! When something was seen.

use std::time::Duration;

/// A time on the clock of whoever saw it: nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time `nanoseconds` after the Unix epoch.
    pub fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the Unix epoch.
    pub fn nanoseconds(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; nothing where clocks went back.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
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
