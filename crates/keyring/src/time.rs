//! Points in time, handed in by whoever has a clock.

use std::ops::Add;
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z, on the clock of whoever made it.
///
/// Wall-clock time, because it travels inside tickets from one node to another; arithmetic
/// saturates, because a time read from elsewhere may be anything.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The point `millis` milliseconds after the beginning of 1970.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the beginning of 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is before it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This time, `span` earlier, but never before 1970.
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(span)))
    }
}

/// Saturates at the end of time; what is less than a millisecond is dropped.
impl Add<Duration> for UnixTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(span)))
    }
}

fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let at = UnixTime::from_millis;
        assert_eq!(at(5_000).since(at(2_000)), Duration::from_secs(3));
        assert_eq!(at(2_000).since(at(5_000)), Duration::ZERO);
        assert_eq!(at(5_000) + Duration::from_micros(1_999), at(5_001));
        assert_eq!(at(u64::MAX - 1) + Duration::from_secs(1), at(u64::MAX));
        assert_eq!(at(1) + Duration::MAX, at(u64::MAX));
        assert_eq!(at(5_000).saturating_sub(Duration::from_secs(1)), at(4_000));
        assert_eq!(at(5_000).saturating_sub(Duration::MAX), at(0));
    }
}
