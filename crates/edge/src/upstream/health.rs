//! Whether a server is up, by checks and by what traffic meets, and how far it is trusted after that: pure rules.

use std::time::{Duration, Instant};

use super::balance::WEIGHT_OF_ONE;

/// How many checks in a row change a server's [`Health`]. 0 counts as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Checks that pass, to bring it up.
    pub rise: u32,
    /// Checks that fail, to take it down.
    pub fall: u32,
}

/// What checks make of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It takes connections.
    Up {
        /// Checks in a row that have failed.
        failures: u32,
    },
    /// It takes none.
    Down {
        /// Checks in a row that have passed.
        passes: u32,
    },
}

impl Health {
    /// A server that was never checked: up, but the first check decides. If it fails, the server is down, as though all
    /// before it had failed too.
    pub const FRESH: Self = Self::Up { failures: u32::MAX };

    /// Its health after one more check.
    #[must_use]
    pub fn after(self, passed: bool, thresholds: &Thresholds) -> Self {
        match (self, passed) {
            (Self::Up { .. }, true) => Self::Up { failures: 0 },
            (Self::Up { failures }, false) if failures.saturating_add(1) >= thresholds.fall => Self::Down { passes: 0 },
            (Self::Up { failures }, false) => Self::Up { failures: failures + 1 },
            (Self::Down { .. }, false) => Self::Down { passes: 0 },
            (Self::Down { passes }, true) if passes.saturating_add(1) >= thresholds.rise => Self::Up { failures: 0 },
            (Self::Down { passes }, true) => Self::Down { passes: passes + 1 },
        }
    }

    /// Whether it takes connections.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Up { .. })
    }

    /// Whether no change is under way; else the next checks should come soon, to see how it ends.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Up { failures: 0 } | Self::Down { passes: 0 })
    }
}

/// When failures of traffic eject a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EjectionRules {
    /// Failures in a row that it takes; 0: it is never ejected.
    pub after: u32,
    /// How long it is out the first time.
    pub period: Duration,
}

/// What traffic makes of a server: one that fails connections or handshakes again and again is left out for a while,
/// checked or not.
///
/// Once back it is out again at the first failure, for twice as long each time, until a success shows that it is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ejection {
    /// Failures in a row, without those while it was ejected.
    failures: u32,
    /// When it was last ejected, and for how long.
    last: Option<(Instant, Duration)>,
}

impl Ejection {
    /// After a connection that failed.
    ///
    /// While the server is ejected that changes nothing: such connections began before, or had nowhere else to go, and
    /// a hundred that fail at once must not double the period a hundred times.
    #[must_use]
    pub fn after_failure(self, now: Instant, rules: &EjectionRules) -> Self {
        if rules.after == 0 || self.is_ejected(now) {
            return self;
        }
        let failures = self.failures.saturating_add(1);
        let last = match failures.checked_sub(rules.after) {
            None => self.last,
            Some(ejections) => Some((now, rules.period.saturating_mul(1 << ejections.min(MOST_DOUBLINGS)))),
        };
        Self { failures, last }
    }

    /// After a connection that succeeded. All is forgotten; if it was ejected, it is no longer.
    #[must_use]
    pub fn after_success(self) -> Self {
        Self::default()
    }

    /// Whether it is left out `now`.
    pub fn is_ejected(self, now: Instant) -> bool {
        self.last.is_some_and(|(since, period)| now.saturating_duration_since(since) < period)
    }
}

/// The weight for [`Candidate::weight`](super::balance::Candidate::weight) of a server that came up `since_up` ago,
/// whose caches are cold still: it grows from a tenth to the whole of `weight` over `period`.
///
/// A tenth of a weight of 1 is 25 of its units, so a server with any weight takes some connections from the beginning.
pub fn slow_start(weight: u32, since_up: Duration, period: Duration) -> u32 {
    let whole = weight.saturating_mul(WEIGHT_OF_ONE);
    if since_up >= period {
        return whole;
    }
    (f64::from(whole) * (0.1 + 0.9 * since_up.div_duration_f64(period))) as u32
}

/// How long until a server is checked again: `every` while it is settled, else `fast`, give or take a tenth, lest many
/// servers' checks fall into step.
pub fn next_check(every: Duration, fast: Duration, health: Health, random: u64) -> Duration {
    let interval = if health.is_settled() { every } else { fast };
    (interval - interval / 10).saturating_add(part_of(interval / 5, random))
}

/// How long until a new server is checked for the first time: anywhere in the first interval, so that a thousand new
/// servers are not checked at once; but within two seconds, for until then it takes connections unseen.
pub fn first_check(every: Duration, random: u64) -> Duration {
    part_of(every.min(LATEST_FIRST_CHECK), random)
}

/// The moment for a check that is due at `due`, both since a time that all checks share: a little later, so that checks that
/// are due within a fiftieth of their interval are made together. Who has woken up for one is warm for the others.
pub fn together(due: Duration, every: Duration) -> Duration {
    let step = (every / 50).max(Duration::from_nanos(1));
    let nanos = due.as_nanos().next_multiple_of(step.as_nanos());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Anywhere from nothing to `whole`, as `random` says.
fn part_of(whole: Duration, random: u64) -> Duration {
    whole.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}

/// How often the period of an ejection doubles: to 8 times the first.
const MOST_DOUBLINGS: u32 = 3;

/// With a thousand servers a check every two milliseconds; and what HAProxy has between two checks of one.
const LATEST_FIRST_CHECK: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
