//! The thread that watches servers: checks them, and looks up their names.
//!
//! It is none of the workers', so that no check waits for a busy one; and not the admin side's, which has to answer
//! whatever the checks of a thousand servers are at.

use std::sync::Arc;
use std::{io, thread};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::notice::Notices;
use crate::upstream::Upstream;

/// The handle of the thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Watcher {
    upstreams: mpsc::UnboundedSender<Vec<Arc<Upstream>>>,
}

impl Watcher {
    /// Starts the thread, which has nothing to watch yet.
    ///
    /// # Errors
    /// The system's, if there can be no thread or no runtime.
    pub fn start(notices: Notices) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (upstreams, commands) = mpsc::unbounded_channel();
        thread::Builder::new().name("watcher".into()).spawn(move || runtime.block_on(run(commands, notices)))?;
        Ok(Self { upstreams })
    }

    /// Watches the servers of `upstreams`, and those it watched before no more.
    pub fn watch(&self, upstreams: &[Arc<Upstream>]) {
        // A thread that is gone has said why.
        let _ = self.upstreams.send(upstreams.to_vec());
    }
}

async fn run(mut commands: mpsc::UnboundedReceiver<Vec<Arc<Upstream>>>, notices: Notices) {
    let mut stop = watch::Sender::new(false);
    let mut tasks = JoinSet::new();
    let origin = Instant::now();
    loop {
        tokio::select! {
            command = commands.recv() => {
                stop.send_replace(true);
                let Some(upstreams) = command else { break };
                stop = watch::Sender::new(false);
                for upstream in &upstreams {
                    upstream.watch(&mut tasks, &stop.subscribe(), &notices, origin);
                }
            }
            // A panic has been printed already.
            Some(_) = tasks.join_next() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}
