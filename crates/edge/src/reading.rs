//! The first half of a reload: everything is read, nothing is changed.
//!
//! On a thread of its own, because a name server may not answer, a file system may hang, and a FIFO may have no writer.
//! Meanwhile the admin side answers, keys rotate, and signals count.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::Arc;

use raincheck_control::{Keys, Prepared};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::config::{Config, ConfigErrors};
use crate::notice::ReloadError;

/// What was read.
pub(crate) struct Fresh {
    pub(crate) config: Config,
    pub(crate) keys: Prepared,
}

/// Reads when asked to, one time after the other.
pub(crate) struct Reading {
    read: Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>,
    keys: Keys,
    running: Option<JoinHandle<Result<Fresh, ReloadError>>>,
    /// Somebody asked while it read, and may have changed before that what had been read by then.
    again: bool,
}

impl Reading {
    pub(crate) fn new(read: impl Fn() -> Result<Config, ConfigErrors> + Send + Sync + 'static, keys: Keys) -> Self {
        Self { read: Arc::new(read), keys, running: None, again: false }
    }

    /// Begins to read; where it reads already, it will once more.
    pub(crate) fn ask(&mut self) {
        if self.running.is_some() {
            self.again = true;
            return;
        }
        let (read, keys) = (Arc::clone(&self.read), self.keys.clone());
        self.running = Some(spawn_blocking(move || {
            let config = read().map_err(ReloadError::Config)?;
            let keys = keys.prepare(&config.keys.source, config.keys.schedule).map_err(ReloadError::Keys)?;
            Ok(Fresh { config, keys })
        }));
    }

    /// What was read, as soon as it is. Until somebody has asked, there is nothing. Can be dropped and called again.
    pub(crate) async fn done(&mut self) -> Result<Fresh, ReloadError> {
        if self.running.is_none() && std::mem::take(&mut self.again) {
            self.ask();
        }
        let Some(running) = &mut self.running else {
            return pending().await;
        };
        let read = match running.await {
            Ok(read) => read,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_cancelled) => return pending().await, // the runtime is going down
            },
        };
        self.running = None;
        read
    }
}
