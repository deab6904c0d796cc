//! What servers that are no edge have in common: the signals that mean something, and the first half of a reload.

use std::fmt::Display;
use std::future::pending;
use std::io;
use std::sync::Arc;

use raincheck_keyring::Schedule;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{KeySource, Keys, Prepared};

/// What a configuration comes to, for one that has keys.
pub(crate) trait Setup: Send + 'static {
    /// Where the keys come from, and how long each serves.
    fn keys(&self) -> (&KeySource, Schedule);
}

/// Reads what a reload brings on a thread of its own: a file system may hang.
pub(crate) struct Reading<S> {
    read: Arc<dyn Fn() -> Result<S, String> + Send + Sync>,
    running: Option<JoinHandle<Result<(S, Prepared), String>>>,
}

impl<S: Setup> Reading<S> {
    pub(crate) fn new<E: Display>(read: impl Fn() -> Result<S, E> + Send + Sync + 'static) -> Self {
        Self { read: Arc::new(move || read().map_err(|error| error.to_string())), running: None }
    }

    /// Whoever asks while it reads is answered by a second reading, once the first is done.
    pub(crate) fn begin(&mut self, keys: &Keys) {
        let (read, keys, before) = (Arc::clone(&self.read), keys.clone(), self.running.take());
        self.running = Some(tokio::spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            let reading = spawn_blocking(move || {
                let setup = read()?;
                let (source, schedule) = setup.keys();
                let keys = keys.prepare(source, schedule).map_err(|error| error.to_string())?;
                Ok((setup, keys))
            });
            reading.await.unwrap_or_else(|error| Err(format!("the reading ended: {error}")))
        }));
    }

    /// What was read, as soon as it is. Until somebody has asked, there is nothing. Can be dropped and called again.
    pub(crate) async fn done(&mut self) -> Result<(S, Prepared), String> {
        let Some(running) = &mut self.running else {
            return pending().await;
        };
        let read = running.await.unwrap_or_else(|error| Err(format!("the reading ended: {error}")));
        self.running = None;
        read
    }
}

/// The signals that mean something.
pub(crate) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

/// What a signal asks for.
pub(crate) enum Asked {
    Reload,
    End,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
        }
    }
}
