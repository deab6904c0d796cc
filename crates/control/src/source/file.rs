//! The source `file`: base64 ticket keys, one a line, oldest first, as HAProxy's `tls-ticket-keys` reads them.
//!
//! The file decides when keys change; the schedule's `rotate` is ignored for that, while a ticket's age stays limited by
//! `accept`. One line: issuing. Two: issuing, next. Three or more: the last is next, the one before it issuing, the rest
//! retiring.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::Keys;
use crate::task::joined;

mod lines;
mod read;
mod watch;

pub use lines::parse;
pub(crate) use read::{Fingerprint, in_memory};
pub use read::{KeyFile, LARGEST, load};
pub(crate) use watch::Verdict;
use watch::Watch;

/// Follows the file: what is put in its place reaches the ring within half a second.
pub(crate) async fn run(keys: &Keys, path: &Path) -> Infallible {
    let mut watch = Watch::new(path);
    let mut polls = interval(POLL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        polls.tick().await;
        // Off this thread: a file system that hangs must not keep the admin page from answering.
        let polled = tokio::task::spawn_blocking(move || {
            let verdict = watch.poll();
            (watch, verdict)
        });
        let (same, verdict) = joined(polled).await;
        watch = same;
        keys.judge(path, verdict);
    }
}

const POLL: Duration = Duration::from_millis(200);
