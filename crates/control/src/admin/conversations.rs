//! Who asks at the moment.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

/// Connections that ask, no more than so many at once. All end when this is dropped.
///
/// A newcomer beyond that ends the oldest: an answer takes a moment, so the oldest is one that does not ask. Whoever holds
/// connections open and says nothing keeps nobody else from asking.
#[derive(Debug)]
pub struct Conversations {
    most: usize,
    tasks: JoinSet<()>,
    oldest_first: VecDeque<AbortHandle>,
}

impl Conversations {
    /// `most` at once.
    pub fn with_room(most: usize) -> Self {
        Self { most, tasks: JoinSet::new(), oldest_first: VecDeque::new() }
    }

    /// Begins one.
    pub fn begin(&mut self, conversation: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.oldest_first.retain(|task| !task.is_finished());
        while self.oldest_first.len() >= self.most {
            self.oldest_first.pop_front().inspect(AbortHandle::abort);
        }
        self.oldest_first.push_back(self.tasks.spawn(conversation));
    }
}

impl Default for Conversations {
    /// As many as people and their machines may have.
    fn default() -> Self {
        Self::with_room(MOST)
    }
}

/// Waits a moment after an accept failed: out of descriptors, for one, is over when connections end.
pub async fn pause_after(_error: io::Error) {
    sleep(ACCEPT_AGAIN).await;
}

const MOST: usize = 64;

const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn the_oldest_makes_room() {
        let mut conversations = Conversations::default();
        let held: Vec<Arc<()>> = (0..MOST + 3).map(|_| Arc::default()).collect();
        for holder in &held {
            let holder = Arc::clone(holder);
            conversations.begin(async move {
                let _holder = holder;
                pending().await
            });
        }
        for _ in 0..3 {
            let ended = conversations.tasks.join_next().await.unwrap();
            assert!(ended.unwrap_err().is_cancelled());
        }
        let open: Vec<bool> = held.iter().map(|holder| Arc::strong_count(holder) > 1).collect();
        assert_eq!(open, [vec![false; 3], vec![true; MOST]].concat());
    }
}
