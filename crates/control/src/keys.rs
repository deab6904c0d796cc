//! The published ring, and the one place where it changes.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use raincheck_keyring::{Change, Epoch, Ring, RingError, Rollout, Schedule, TicketKey};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::clock::Moment;
use crate::source::file::{Fingerprint, KeyFile};
use crate::source::{KeySource, Source, local};
use crate::task::joined;
use crate::{Error, Event};

mod fleet;
mod rotation;
mod solitude;
mod taking;

pub use fleet::{CannotPromote, Member, Role, Withheld};
pub(crate) use rotation::Due;
pub use solitude::Standing;

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
    /// The epoch of the ring, for whoever waits for the next.
    published: watch::Sender<Epoch>,
    /// The newest epoch with which everybody behind this node can open.
    held: watch::Sender<Epoch>,
    standing: watch::Sender<Standing>,
    /// The source or the schedule is another one now.
    replaced: Notify,
    /// A node has acknowledged a ring.
    acknowledged: Notify,
    observer: Box<dyn Fn(Event) + Send + Sync>,
}

/// What decides how the ring goes on.
struct Control {
    source: Arc<Source>,
    /// Of the file text the ring was last made from; none while the source is local. What was pushed since then stays
    /// until the file says something else.
    fingerprint: Option<Fingerprint>,
    /// The file on a disk that was last warned of.
    on_disk: Option<PathBuf>,
    last_rotation: Moment,
    /// Who else has this ring, and which of it.
    fleet: Rollout,
    /// Another server makes the fleet's rings, as of this epoch.
    superseded: Option<Epoch>,
    /// This node makes the rings of a fleet that has no server.
    leads: bool,
    /// When the source was last heard of, or else when the node began to wait for it.
    heard: Moment,
    has_heard: bool,
    /// Whether products hold the keys, each in its own time, rather than this process.
    has_sinks: bool,
    /// What was last said of the source, lest it be said twice.
    complaint: Option<String>,
    refused: u64,
}

impl Keys {
    /// Takes the first keys from `source` and publishes them. The caller spawns [`run`](Self::run).
    ///
    /// A source that is asked over the network has no keys to give yet: until it has, the node has keys of its own, and
    /// its [`standing`](Self::standing) says so.
    ///
    /// `observer` is told of everything that happens, from the first file read on. It is called on the thread where it
    /// happens, and must not block.
    ///
    /// # Errors
    /// A file that cannot be used: nothing starts without a key that was checked.
    pub fn start(
        source: &KeySource,
        schedule: Schedule,
        observer: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let now = Moment::now();
        let (source, file) = source.open(&schedule)?;
        let mut control = Control::new(Arc::new(source), now);
        let (ring, standing, events) = match (&*control.source, file) {
            (Source::File(path), Some(file)) => {
                let path = path.clone();
                let warning = control.note(&path, &file);
                let loaded = Event::FileLoaded { path, keys: file.keys.len(), changes: Vec::new() };
                let ring = Ring::from_lines(file.keys, now.wall).expect(FILE_IS_CHECKED);
                (ring, Standing::Supplied, [loaded].into_iter().chain(warning).collect())
            }
            (source, _) => match source.is_remote() {
                false => (local::first_ring(Epoch::NONE, now.wall), Standing::Supplied, Vec::new()),
                true => (solitude::first_ring(now.wall), Standing::Waiting, Vec::new()),
            },
        };
        control.fleet = Rollout::new(ring.epoch(), now.wall);
        let keys = Self {
            shared: Arc::new(Shared {
                published: watch::Sender::new(ring.epoch()),
                held: watch::Sender::new(ring.epoch()),
                standing: watch::Sender::new(standing),
                ring: ArcSwap::from_pointee(ring),
                schedule: ArcSwap::from_pointee(schedule),
                control: Mutex::new(control),
                replaced: Notify::new(),
                acknowledged: Notify::new(),
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

    /// Changes with the ring: for whoever hands it on.
    pub fn published(&self) -> watch::Receiver<Epoch> {
        self.shared.published.subscribe()
    }

    /// The source's name, as the configuration file has it.
    pub fn source_name(&self) -> &'static str {
        self.control().source.name()
    }

    /// Advances the ring with a key from an operator: it becomes `next`, and the old `next` seals (what HAProxy's
    /// `set ssl tls-key` does). This holds until the source says something else.
    ///
    /// # Errors
    /// [`RingError::DuplicateName`] if the ring has a key of that name; nothing is changed then.
    pub fn push(&self, key: TicketKey) -> Result<Vec<Change>, RingError> {
        let changes = {
            let control = self.control();
            let mut ring = Ring::clone(&self.ring());
            let (now, retained) = (Moment::now().wall, self.schedule().retained());
            // Whoever else counts the epochs has not made this ring: it must be taken for none of theirs.
            let changes = match control.source.is_remote() {
                true => ring.advance_alone(now, key, retained),
                false => ring.advance(now, key, retained),
            }?;
            self.publish(&control, ring);
            changes
        };
        self.report([Event::Pushed { changes: changes.clone() }]);
        Ok(changes)
    }

    /// The first half of a reload: reads what the source has to give, and changes nothing.
    ///
    /// # Errors
    /// A file that cannot be used; the ring stays as it is.
    pub fn prepare(&self, source: &KeySource, schedule: Schedule) -> Result<Prepared, Error> {
        let (source, file) = source.open(&schedule)?;
        Ok(Prepared { keys: self.clone(), source, schedule, file })
    }

    /// Follows the source for as long as the future is polled: rotates by schedule, watches the file, or asks whoever has
    /// the keys. Belongs on the admin thread's tokio runtime, once. A reload that brings another source takes effect here
    /// by itself.
    pub async fn run(&self) -> Infallible {
        loop {
            let source = Arc::clone(&self.control().source);
            tokio::select! {
                never = source.follow(self) => match never {},
                never = solitude::watch(self), if source.is_remote() => match never {},
                () = self.shared.replaced.notified() => {}
            }
        }
    }

    /// Tells whoever else has the ring, as far as the source knows of others, that this node serves no more: no rotation
    /// waits for it then. Takes two seconds at most; the ring opens as before, and nothing is brought any more.
    pub async fn leave(&self) {
        let source = Arc::clone(&self.control().source);
        if let Ok(Err(error)) = timeout(GOODBYE, source.leave()).await {
            self.complain(error);
        }
    }

    /// Follows the source on the tokio runtime this is called on, until it is dropped.
    pub fn follow(&self) -> Following {
        let keys = self.clone();
        Following::new(async move { keys.run().await })
    }

    /// The only place where a ring is swapped in. `control` is locked by whoever made it of the one before.
    fn publish(&self, control: &Control, ring: Ring) {
        let epoch = ring.epoch();
        self.shared.ring.store(Arc::new(ring));
        if !control.has_sinks {
            self.shared.held.send_replace(epoch);
        }
        self.shared.published.send_replace(epoch);
    }

    /// Tells of something that happened to the keys elsewhere.
    pub(crate) fn tell(&self, event: Event) {
        self.report([event]);
    }

    fn report(&self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(&self.shared.observer);
    }

    /// A panic elsewhere cannot have left the ring half changed: it is only ever swapped in whole.
    fn control(&self) -> MutexGuard<'_, Control> {
        self.shared.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is followed in the background: by keys their source, or the keys by products. Ends when dropped.
#[derive(Debug)]
pub struct Following(JoinHandle<Infallible>);

impl Following {
    pub(crate) fn new(follow: impl Future<Output = Infallible> + Send + 'static) -> Self {
        Self(tokio::spawn(follow))
    }

    /// Panics where following did: keys that nobody rotates must not look as though all were well. Else it never ends. Can
    /// be dropped and called again.
    pub async fn ended(&mut self) -> Infallible {
        joined(&mut self.0).await
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Names and states, never keys.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("source", &self.control().source.name()).field("ring", &*self.ring()).finish()
    }
}

/// A reload that cannot fail any more: keys that were read and checked, not yet applied.
#[derive(Debug)]
pub struct Prepared {
    keys: Keys,
    source: Source,
    schedule: Schedule,
    file: Option<KeyFile>,
}

impl Prepared {
    /// The second half of a reload: the source and the schedule are the new ones from now on.
    ///
    /// The ring goes on where nothing is new: a ring that is not from a file as it is, and one from a file as long as the
    /// file's text is the same, with what was pushed since. Where somebody else is to bring keys, it goes on until then.
    pub fn apply(mut self) {
        let shared = &self.keys.shared;
        let events = {
            let mut control = self.keys.control();
            self.source.succeed(&control.source);
            shared.schedule.store(Arc::new(self.schedule));
            // A server that was promoted goes on making keys, whatever it followed before.
            let stays = control.source.is_promoted() && self.source.is_remote();
            let source = if stays { Arc::clone(&control.source) } else { Arc::new(self.source) };
            let was = std::mem::replace(&mut control.source, Arc::clone(&source));
            control.leads = false;
            match (&*source, self.file) {
                (Source::File(path), Some(file)) => {
                    control.superseded = None;
                    self.keys.take_file(&mut control, path, file)
                }
                _ => {
                    if !was.is_remote() && source.is_remote() {
                        control.fingerprint = None;
                        self.keys.disown(&mut control);
                    } else if !was.is_local() {
                        control.fingerprint = None;
                        if !source.is_remote() {
                            self.keys.own(&control);
                        }
                        control.begin_to_rotate(Moment::now(), self.keys.ring().epoch());
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
    fn new(source: Arc<Source>, now: Moment) -> Self {
        Self {
            source,
            fingerprint: None,
            on_disk: None,
            last_rotation: now,
            fleet: Rollout::new(Epoch::NONE, now.wall),
            superseded: None,
            leads: false,
            heard: now,
            has_heard: false,
            has_sinks: false,
            complaint: None,
            refused: 0,
        }
    }
}

/// How long to take leave may take: who waits for this process to end has better to do.
const GOODBYE: Duration = Duration::from_secs(2);

const FILE_IS_CHECKED: &str = "a key file that was parsed has a key, and no name twice";

#[cfg(test)]
mod tests;
