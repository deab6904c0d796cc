//! The time, as evidence has it.

use std::time::{SystemTime, UNIX_EPOCH};

use raincheck_diagnosis::{Moment, Timestamp};

/// Now, on this machine's clock.
pub(super) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanoseconds = since.as_nanos().try_into().unwrap_or(u64::MAX);
    Moment { time: Timestamp::from_nanoseconds(nanoseconds), packet: 0 }
}
