//! How often one host is called upon.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Lets connections to one host begin one after the other, a few a second. Whoever shares it waits for the others.
#[derive(Debug)]
pub struct Pace {
    between: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// A pace of one connection in each `between`.
    pub fn new(between: Duration) -> Self {
        Self { between, next: Mutex::new(None) }
    }

    /// Waits until the next connection may begin.
    pub async fn step(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.between);
            turn
        };
        sleep_until(turn).await;
    }
}

impl Default for Pace {
    /// Five connections a second.
    fn default() -> Self {
        Self::new(Duration::from_millis(200))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_shares_a_pace_takes_turns() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let pace = Pace::new(Duration::from_millis(20));
            let begin = Instant::now();
            tokio::join!(pace.step(), pace.step(), pace.step());
            assert!(begin.elapsed() >= Duration::from_millis(40));
            // What was not used is not saved up.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let begin = Instant::now();
            tokio::join!(pace.step(), pace.step());
            assert!(begin.elapsed() >= Duration::from_millis(20));
        });
    }
}
