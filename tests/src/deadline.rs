//! Waiting for a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take before a test gives up: far longer than it ever needs, so that a slow machine fails
/// no test.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks `condition` until it gives something, and panics with `what` after [`PATIENCE`].
pub fn until<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    match within(PATIENCE, condition) {
        Some(found) => found,
        None => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// Asks `condition` until it gives something or `limit` has passed. It is asked at least once.
pub fn within<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return Some(found);
        }
        if start.elapsed() > limit {
            return None;
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
