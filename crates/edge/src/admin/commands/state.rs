//! How a server stands, in HAProxy's words and numbers.

use std::time::Instant;

use crate::upstream::health::{Health, Thresholds};
use crate::upstream::{Standing, Wanted};

/// How a server stands. Pure: of what is known of it at one moment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) operation: Operation,
    pub(super) wanted: Wanted,
    /// How many checks it is away from being down, or up: see [`State::health`]. None if it is not checked.
    checks: Option<(Health, Thresholds)>,
}

/// Whether it takes connections, by HAProxy's numbers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// It is down, or in maintenance.
    Stopped = 0,
    /// It came back, and does not get its full share yet.
    Starting = 1,
    Running = 2,
    /// It takes no new ones unless there is no other: traffic failed, and it was ejected.
    Stopping = 3,
}

impl State {
    /// Of a server that stands so `now`, with its thresholds if it is checked.
    pub(super) fn of(standing: &Standing, checked: Option<Thresholds>, is_starting: bool, now: Instant) -> Self {
        let operation = match standing.wanted {
            Wanted::Maintenance => Operation::Stopped,
            Wanted::Ready | Wanted::Drain if !standing.health.is_up() => Operation::Stopped,
            Wanted::Ready | Wanted::Drain if standing.ejection.is_ejected(now) => Operation::Stopping,
            Wanted::Ready | Wanted::Drain if is_starting => Operation::Starting,
            Wanted::Ready | Wanted::Drain => Operation::Running,
        };
        Self { operation, wanted: standing.wanted, checks: checked.map(|thresholds| (standing.health, thresholds)) }
    }

    /// For the column `status`.
    pub(super) fn status(&self) -> String {
        let word = match (self.wanted, self.operation) {
            (Wanted::Maintenance, _) => return "MAINT".into(),
            (_, Operation::Stopped) => "DOWN",
            (Wanted::Drain, _) => "DRAIN",
            (Wanted::Ready, Operation::Stopping) => "NOLB",
            (Wanted::Ready, _) if self.checks.is_none() => "no check",
            (Wanted::Ready, _) => "UP",
        };
        match self.checks {
            Some((Health::Down { .. }, Thresholds { rise, .. })) if self.health() > 0 => {
                format!("{word} {}/{rise}", self.health())
            }
            Some((Health::Up { .. }, Thresholds { rise, fall })) if self.health() < rise + fall - 1 => {
                format!("{word} {}/{fall}", self.health() + 1 - rise)
            }
            _ => word.into(),
        }
    }

    /// Checks that passed, as HAProxy counts them: it is up from `rise` on, and at most this is `rise + fall - 1`.
    pub(super) fn health(&self) -> u32 {
        match (self.wanted, self.checks) {
            (Wanted::Maintenance, _) => 0,
            (_, None) => UNCHECKED,
            (_, Some((Health::Up { failures }, Thresholds { rise, fall }))) => rise + fall - 1 - failures.min(fall - 1),
            (_, Some((Health::Down { passes }, Thresholds { rise, .. }))) => passes.min(rise - 1),
        }
    }

    /// HAProxy's bits for what an operator wants.
    pub(super) fn admin(&self) -> u8 {
        match self.wanted {
            Wanted::Ready => 0,
            Wanted::Maintenance => 1,
            Wanted::Drain => 8,
        }
    }

    /// HAProxy's bits for how it is checked: can be (2), is (4), is paused (8).
    pub(super) fn check(&self) -> u8 {
        match (self.checks, self.wanted) {
            (None, _) => 0,
            (Some(_), Wanted::Maintenance) => 2 | 4 | 8,
            (Some(_), _) => 2 | 4,
        }
    }
}

/// What HAProxy counts for a server that is not checked: its default `rise`.
const UNCHECKED: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds { rise: 2, fall: 3 };

    fn state(health: Health, wanted: Wanted) -> State {
        let operation = match health {
            Health::Up { .. } if wanted != Wanted::Maintenance => Operation::Running,
            _ => Operation::Stopped,
        };
        State { operation, wanted, checks: Some((health, THRESHOLDS)) }
    }

    #[test]
    fn the_status_is_haproxys() {
        let (up, down) = (|failures| Health::Up { failures }, |passes| Health::Down { passes });
        let cases = [
            (up(0), Wanted::Ready, "UP", 4),
            (up(1), Wanted::Ready, "UP 2/3", 3),
            (up(2), Wanted::Ready, "UP 1/3", 2),
            (Health::FRESH, Wanted::Ready, "UP 1/3", 2),
            (down(0), Wanted::Ready, "DOWN", 0),
            (down(1), Wanted::Ready, "DOWN 1/2", 1),
            (up(0), Wanted::Drain, "DRAIN", 4),
            (up(1), Wanted::Drain, "DRAIN 2/3", 3),
            (down(0), Wanted::Drain, "DOWN", 0),
            (up(0), Wanted::Maintenance, "MAINT", 0),
            (down(1), Wanted::Maintenance, "MAINT", 0),
        ];
        for (health, wanted, status, haproxys) in cases {
            let state = state(health, wanted);
            assert_eq!((state.status().as_str(), state.health()), (status, haproxys), "{health:?} {wanted:?}");
        }
        let unchecked = State { checks: None, ..state(up(0), Wanted::Ready) };
        assert_eq!((unchecked.status().as_str(), unchecked.health()), ("no check", 2));
        let ejected = State { operation: Operation::Stopping, ..unchecked };
        assert_eq!(ejected.status(), "NOLB");
    }

    #[test]
    fn the_numbers_are_haproxys() {
        let up = Health::Up { failures: 0 };
        let numbers = |state: State| (state.operation as u8, state.admin(), state.check());
        assert_eq!(numbers(state(up, Wanted::Ready)), (2, 0, 6));
        assert_eq!(numbers(state(up, Wanted::Drain)), (2, 8, 6));
        assert_eq!(numbers(state(up, Wanted::Maintenance)), (0, 1, 14));
        assert_eq!(numbers(state(Health::Down { passes: 0 }, Wanted::Ready)), (0, 0, 6));
        assert_eq!(numbers(State { checks: None, ..state(up, Wanted::Ready) }), (2, 0, 0));
    }
}
