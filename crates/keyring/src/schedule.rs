//! How long a key seals, a ticket opens and a chain of renewals lasts.

use std::time::Duration;

use thiserror::Error;

use crate::time::UnixTime;

/// The times everything else follows from.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// How long a key seals before the next one does. It is also how far apart the clocks of a
    /// fleet may be, and how late a node may be in learning of a rotation.
    pub rotate: Duration,
    /// How long a ticket opens after it was sealed.
    pub accept: Duration,
    /// How old the first full handshake behind a resumption may be, however often its ticket was
    /// renewed.
    pub chain: Duration,
    /// How long a rotation that is due waits for nodes that do not have the next key yet.
    pub patience: Duration,
}

impl Schedule {
    /// A schedule that can be kept: a rotation of a second or more, tickets that live, but not
    /// beyond the seven days TLS allows them (RFC 9846 §4.6.1), and a chain that is not over before
    /// it begins. The patience is one rotation.
    pub fn new(rotate: Duration, accept: Duration, chain: Duration) -> Result<Self, ScheduleError> {
        if rotate < SHORTEST_ROTATION {
            return Err(ScheduleError::RotateTooShort(rotate));
        }
        if accept.is_zero() {
            return Err(ScheduleError::AcceptZero);
        }
        if accept > LONGEST_LIFETIME {
            return Err(ScheduleError::AcceptTooLong(accept));
        }
        if chain.is_zero() {
            return Err(ScheduleError::ChainZero);
        }
        let schedule = Self { rotate, accept, chain, patience: rotate };
        let retained = schedule.retained();
        if retained >= MOST_RETAINED { Err(ScheduleError::TooManyKeys(retained)) } else { Ok(schedule) }
    }

    /// The same, with a patience other than one rotation.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How many retiring keys a ring keeps: ceil(accept / rotate) + 2.
    ///
    /// A ticket sealed at the very end of its key's rotation opens until accept + rotate later, and
    /// by then keys have rotated ceil(accept / rotate) + 1 times; once more where the opener is one
    /// rotation ahead of the sealer.
    pub fn retained(&self) -> usize {
        let rotations = self.accept.as_nanos().div_ceil(self.rotate.as_nanos().max(1));
        usize::try_from(rotations.saturating_add(2)).unwrap_or(usize::MAX)
    }

    /// How long a ticket sealed `now` may be used: `accept`, or what is left of the chain that
    /// began at `origin`. This is the lifetime hint; zero says that a ticket would be of no use.
    pub fn remaining(&self, origin: UnixTime, now: UnixTime) -> Duration {
        // An origin in the future is a clock that runs ahead: its chain is not longer than any
        // other.
        let left = (origin + self.chain).since(now).min(self.chain);
        self.accept.min(left)
    }

    /// Whether a ticket stamped `sealed_at` is outside its window: `accept` and one rotation for
    /// clocks and lateness behind, one rotation ahead.
    pub fn is_expired(&self, sealed_at: UnixTime, now: UnixTime) -> bool {
        now >= sealed_at + self.accept + self.rotate || sealed_at > now + self.rotate
    }

    /// Whether the first full handshake, at `origin`, is too long ago to be resumed.
    pub fn is_chain_over(&self, origin: UnixTime, now: UnixTime) -> bool {
        now >= origin + self.chain
    }
}

impl Default for Schedule {
    /// Hourly rotation, with an hour's patience, 18 hours of acceptance, a day of renewals.
    fn default() -> Self {
        Self {
            rotate: Duration::from_secs(3600),
            accept: Duration::from_secs(18 * 3600),
            chain: Duration::from_secs(24 * 3600),
            patience: Duration::from_secs(3600),
        }
    }
}

/// A schedule that cannot be kept, and what to set instead. Always the operator's to mend.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum ScheduleError {
    /// Keys cannot spread through a fleet that fast.
    #[error("rotate is {0:?}, which no fleet can follow; set it to \"1s\" or more (\"1h\" is usual)")]
    RotateTooShort(Duration),
    /// Tickets would be dead when sealed.
    #[error("accept is zero, so no ticket would ever open; set how long one opens (\"18h\" is usual)")]
    AcceptZero,
    /// TLS limits the lifetime of a ticket.
    #[error(
        "accept is {0:?}, but TLS allows a ticket no more than seven days (RFC 9846 §4.6.1); \
         set it to \"168h\" or less"
    )]
    AcceptTooLong(Duration),
    /// Sessions would be too old when made.
    #[error(
        "chain is zero, so no session would ever resume; set how old the first full handshake \
         may be (\"24h\" is usual)"
    )]
    ChainZero,
    /// A ring is handed on with a count of 16 bits.
    #[error(
        "accept comes to {0} rotations, and a ring keeps fewer than {MOST_RETAINED} keys; make accept shorter or rotate \
         longer"
    )]
    TooManyKeys(usize),
}

const SHORTEST_ROTATION: Duration = Duration::from_secs(1);
/// With the next key and the issuing one, what 16 bits count.
const MOST_RETAINED: usize = u16::MAX as usize - 2;
const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

#[cfg(test)]
mod tests;
