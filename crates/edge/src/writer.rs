//! Text that a thread of its own writes. Nobody else ever waits for whoever reads it: text is handed over, and what finds
//! the queue full is refused.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// The thread that writes. It ends when the last [`Outlet`] is gone.
#[derive(Debug)]
pub struct Writer {
    /// Nothing comes from here but the end.
    ended: Receiver<Infallible>,
}

impl Writer {
    /// A thread called `name` that writes to `out`, with room for `queue` texts that wait for it.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(name: &str, queue: usize, out: impl Write + Send + 'static) -> io::Result<(Outlet, Self)> {
        let (texts, waiting) = sync_channel(queue);
        let (running, ended) = mpsc::channel();
        thread::Builder::new().name(name.into()).spawn(move || {
            write_all(&waiting, out);
            drop::<mpsc::Sender<Infallible>>(running);
        })?;
        Ok((Outlet(texts), Self { ended }))
    }

    /// Waits, for `limit` at most, until everything handed over is written and no [`Outlet`] is left.
    pub fn finish(self, limit: Duration) {
        let _ = self.ended.recv_timeout(limit);
    }
}

/// Where text is handed over. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outlet(SyncSender<String>);

/// The queue is full, or the writer is gone: the text will not be written.
#[derive(Debug)]
pub struct Refused;

impl Outlet {
    /// Hands `text` over, and does not wait.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn hand_over(&self, text: String) -> Result<(), Refused> {
        self.0.try_send(text).map_err(|_| Refused)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full")
    }
}

impl std::error::Error for Refused {}

fn write_all(waiting: &Receiver<String>, mut out: impl Write) {
    while let Ok(text) = waiting.recv() {
        // An output that cannot be written (a closed pipe, a full disk) must not end the service.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
