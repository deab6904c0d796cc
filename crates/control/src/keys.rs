//! The published ring, and the one place where it changes.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use raincheck_keyring::{Change, KeySize, Ring, RingError, Schedule, TicketKey};
use tokio::sync::Notify;

use crate::clock::Moment;
use crate::source::file::{self, Fingerprint, KeyFile, Verdict};
use crate::source::{KeySource, local};
use crate::{Error, Event, fresh_key};

/// The node's ticket keys: a handle, cheap to clone, of which all clones are one.
///
/// Workers read ([`ring`](Self::ring), [`schedule`](Self::schedule)) without a lock. Whatever changes the ring builds a
/// new one and swaps it in whole, so a reader sees the old ring or the new one and nothing between.
#[derive(Clone)]
pub struct Keys {
    shared: Arc<Shared>,
}

struct Shared {
    ring: ArcSwap<Ring>,
    schedule: ArcSwap<Schedule>,
    /// Held by whoever changes the ring.
    control: Mutex<Control>,
    /// The source or the schedule is another one now.
    replaced: Notify,
    observer: Box<dyn Fn(Event) + Send + Sync>,
}

/// What decides how the ring goes on.
struct Control {
    source: KeySource,
    /// Of the file text the ring was last made from; none while the source is local. What was pushed since then stays
    /// until the file says something else.
    fingerprint: Option<Fingerprint>,
    /// The file on a disk that was last warned of.
    on_disk: Option<PathBuf>,
    last_rotation: Moment,
}

impl Keys {
    /// Takes the first keys from `source` and publishes them. The caller spawns [`run`](Self::run).
    ///
    /// `observer` is told of everything that happens, from the first file read on. It is called on the thread where it
    /// happens, and must not block.
    ///
    /// # Errors
    /// [`Error::KeyFile`]: nothing starts without a key that was checked.
    pub fn start(
        source: KeySource,
        schedule: Schedule,
        observer: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let now = Moment::now();
        let mut control = Control { source: source.clone(), fingerprint: None, on_disk: None, last_rotation: now };
        let (ring, events) = match &source {
            KeySource::Local => (local::first_ring(now.wall), Vec::new()),
            KeySource::File(path) => {
                let file = file::load(path)?;
                let warning = control.note(path, &file);
                let loaded = Event::FileLoaded { path: path.clone(), keys: file.keys.len(), changes: Vec::new() };
                let ring = Ring::from_lines(file.keys, now.wall).expect(FILE_IS_CHECKED);
                (ring, [loaded].into_iter().chain(warning).collect())
            }
        };
        let keys = Self {
            shared: Arc::new(Shared {
                ring: ArcSwap::from_pointee(ring),
                schedule: ArcSwap::from_pointee(schedule),
                control: Mutex::new(control),
                replaced: Notify::new(),
                observer: Box::new(observer),
            }),
        };
        keys.report(events);
        Ok(keys)
    }

    /// The ring as it is now. Lock-free; hold the guard for a moment only.
    pub fn ring(&self) -> Guard<Arc<Ring>> {
        self.shared.ring.load()
    }

    /// The ring as it is now, to keep for as long as a handshake needs it. Lock-free.
    pub fn load_full(&self) -> Arc<Ring> {
        self.shared.ring.load_full()
    }

    /// The schedule tickets are judged by. Lock-free.
    pub fn schedule(&self) -> Schedule {
        **self.shared.schedule.load()
    }

    /// The source's name, as the configuration file has it: `local` or `file`.
    pub fn source_name(&self) -> &'static str {
        self.control().source.name()
    }

    /// Advances the ring with a key from an operator: it becomes `next`, and the old `next` seals (what HAProxy's
    /// `set ssl tls-key` does). With the source `file` this holds until the file changes.
    ///
    /// # Errors
    /// [`RingError::DuplicateName`] if the ring has a key of that name; nothing is changed then.
    pub fn push(&self, key: TicketKey) -> Result<Vec<Change>, RingError> {
        let changes = {
            let _writing = self.control();
            let mut ring = Ring::clone(&self.ring());
            let changes = ring.advance(Moment::now().wall, key, self.schedule().retained())?;
            self.shared.ring.store(Arc::new(ring));
            changes
        };
        self.report([Event::Pushed { changes: changes.clone() }]);
        Ok(changes)
    }

    /// The first half of a reload: reads what the source has to give, and changes nothing.
    ///
    /// # Errors
    /// [`Error::KeyFile`]; the ring stays as it is.
    pub fn prepare(&self, source: KeySource, schedule: Schedule) -> Result<Prepared, Error> {
        let file = match &source {
            KeySource::Local => None,
            KeySource::File(path) => Some(file::load(path)?),
        };
        Ok(Prepared { keys: self.clone(), source, schedule, file })
    }

    /// Follows the source for as long as the future is polled: rotates by schedule, or watches the file. Belongs on the
    /// admin thread's tokio runtime, once. A reload that brings another source takes effect here by itself.
    pub async fn run(&self) -> Infallible {
        loop {
            let source = self.control().source.clone();
            let follow = async {
                match &source {
                    KeySource::Local => local::run(self).await,
                    KeySource::File(path) => file::run(self, path).await,
                }
            };
            tokio::select! {
                never = follow => match never {},
                () = self.shared.replaced.notified() => {}
            }
        }
    }

    /// Time left until the local source rotates.
    pub(crate) fn until_rotation(&self) -> Duration {
        let elapsed = Moment::now().since(&self.control().last_rotation);
        self.schedule().rotate.saturating_sub(elapsed)
    }

    /// Rotates if that is due.
    ///
    /// Once, however many rotations were missed: keys that would never have sealed are not worth making. But of the
    /// retiring keys only those stay that had stayed if none had been missed.
    pub(crate) fn rotate_if_due(&self) {
        let changes = {
            let mut control = self.control();
            let now = Moment::now();
            let schedule = self.schedule();
            let due = local::rotations_due(&control.last_rotation, &now, schedule.rotate);
            if due == 0 {
                return;
            }
            let retained = schedule.retained().saturating_sub(due - 1);
            let mut ring = Ring::clone(&self.ring());
            let changes =
                ring.advance(now.wall, fresh_key(KeySize::Bits256), retained).expect("a random key name is a new one");
            self.shared.ring.store(Arc::new(ring));
            control.last_rotation = now;
            changes
        };
        self.report([Event::Rotated { changes }]);
    }

    /// Acts on what the watch has to say of the file at `path`.
    pub(crate) fn judge(&self, path: &Path, verdict: Verdict) {
        let events = match verdict {
            Verdict::Nothing => return,
            Verdict::Faulty(fault) => {
                vec![Event::FileRejected { error: Error::KeyFile { path: path.to_owned(), fault } }]
            }
            Verdict::Sound(file) => self.take(&mut self.control(), path, file),
        };
        self.report(events);
    }

    /// Makes the ring what the file says, unless it was made from the same text already. Returns what there is to report
    /// once the lock is free.
    fn take(&self, control: &mut Control, path: &Path, file: KeyFile) -> Vec<Event> {
        let is_new = control.fingerprint != Some(file.fingerprint);
        let warning = control.note(path, &file);
        let loaded = is_new.then(|| {
            let keys = file.keys.len();
            let replaced = self.ring().replaced_by(file.keys, Moment::now().wall);
            let (ring, changes) = replaced.expect(FILE_IS_CHECKED);
            self.shared.ring.store(Arc::new(ring));
            Event::FileLoaded { path: path.to_owned(), keys, changes }
        });
        loaded.into_iter().chain(warning).collect()
    }

    fn report(&self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(&self.shared.observer);
    }

    /// A panic elsewhere cannot have left the ring half changed: it is only ever swapped in whole.
    fn control(&self) -> MutexGuard<'_, Control> {
        self.shared.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names and states, never keys.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("source", &self.control().source).field("ring", &*self.ring()).finish()
    }
}

/// A reload that cannot fail any more: keys that were read and checked, not yet applied.
#[derive(Debug)]
pub struct Prepared {
    keys: Keys,
    source: KeySource,
    schedule: Schedule,
    file: Option<KeyFile>,
}

impl Prepared {
    /// The second half of a reload: the source and the schedule are the new ones from now on.
    ///
    /// The ring goes on where nothing is new: a local ring as it is, and a ring from a file as long as the file's text is
    /// the same, with what was pushed since.
    pub fn apply(self) {
        let shared = &self.keys.shared;
        let events = {
            let mut control = self.keys.control();
            shared.schedule.store(Arc::new(self.schedule));
            let was = std::mem::replace(&mut control.source, self.source.clone());
            match (&self.source, self.file) {
                (KeySource::File(path), Some(file)) => self.keys.take(&mut control, path, file),
                _ => {
                    if was != KeySource::Local {
                        control.fingerprint = None;
                        control.last_rotation = Moment::now();
                    }
                    Vec::new()
                }
            }
        };
        shared.replaced.notify_one();
        self.keys.report(events);
    }
}

impl Control {
    /// Remembers which file the ring is made from. Warns, once for each path, of keys on a disk.
    fn note(&mut self, path: &Path, file: &KeyFile) -> Option<Event> {
        self.fingerprint = Some(file.fingerprint);
        let on_disk = (!file.in_memory).then(|| path.to_owned());
        let known = self.on_disk == on_disk;
        self.on_disk.clone_from(&on_disk);
        on_disk.filter(|_| !known).map(|path| Event::FileOnDisk { path })
    }
}

const FILE_IS_CHECKED: &str = "a key file that was parsed has a key, and no name twice";

#[cfg(test)]
mod tests;
