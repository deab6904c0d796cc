//! Waiting for work that runs elsewhere.

use std::future::{Future, pending};
use std::panic::resume_unwind;

use tokio::task::JoinError;

/// What a task gave. Its panic goes on here; one that the runtime has ended, because it goes down itself, gives nothing any
/// more.
pub(crate) async fn joined<T>(task: impl Future<Output = Result<T, JoinError>>) -> T {
    match task.await {
        Ok(given) => given,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_cancelled) => pending().await,
        },
    }
}
