//! The sessions of one server, shared by all workers.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::UnixTime;

/// A bounded store. TLS 1.3 tickets are used once, the newest first, and several are kept; of TLS 1.2 there is one session,
/// a value that any number of connections may offer at once.
pub struct Sessions {
    capacity: usize,
    kept: Mutex<Kept>,
}

/// A session with what rustls does not tell of it.
#[derive(Clone)]
pub(super) struct Entry<V> {
    pub(super) value: V,
    pub(super) bounds: Bounds,
    pub(super) id: Id,
}

/// What limits a session, apart from what its server said.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// How many bytes it takes, at most.
    pub(super) size: usize,
    /// When the certificate behind it ends, where that matters: a resumption does not show it.
    pub(super) certificate_ends: Option<UnixTime>,
}

/// Which session; none is called like another.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Id(u64);

/// A session as rustls hands it over.
pub(super) enum Gained {
    Tls12(Tls12ClientSessionValue),
    Tls13(Box<Tls13ClientSessionValue>),
}

#[derive(Default)]
struct Kept {
    /// The newest last.
    tls13: VecDeque<Entry<Box<Tls13ClientSessionValue>>>,
    tls12: Option<Entry<Tls12ClientSessionValue>>,
    group: Option<NamedGroup>,
    ids: u64,
}

impl Sessions {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, kept: Mutex::default() }
    }

    /// How many sessions there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        let kept = self.kept();
        kept.tls13.len() + usize::from(kept.tls12.is_some())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a session. One that is too large is not kept, and of those that are too many the oldest goes.
    pub(super) fn insert(&self, gained: Gained, bounds: Bounds) -> Option<Id> {
        if self.capacity == 0 || bounds.size > LARGEST_SESSION {
            return None;
        }
        let mut kept = self.kept();
        kept.ids += 1;
        let id = Id(kept.ids);
        match gained {
            Gained::Tls12(value) => kept.tls12 = Some(Entry { value, bounds, id }),
            Gained::Tls13(value) => {
                kept.tls13.push_back(Entry { value, bounds, id });
                while kept.tls13.len() > self.capacity || kept.bytes() > MOST_BYTES {
                    kept.tls13.pop_front();
                }
            }
        }
        Some(id)
    }

    /// A TLS 1.3 ticket, which nobody else gets.
    pub(super) fn take_tls13(&self, now: UnixTime) -> Option<Entry<Box<Tls13ClientSessionValue>>> {
        let mut kept = self.kept();
        std::iter::from_fn(|| kept.tls13.pop_back()).find(|entry| entry.bounds.hold(now))
    }

    /// The TLS 1.2 session.
    pub(super) fn tls12(&self, now: UnixTime) -> Option<Entry<Tls12ClientSessionValue>> {
        let mut kept = self.kept();
        kept.tls12.take_if(|entry| !entry.bounds.hold(now));
        kept.tls12.clone()
    }

    /// Drops the session called `id`, if it is still there.
    pub(super) fn forget(&self, id: Id) {
        let mut kept = self.kept();
        kept.tls12.take_if(|entry| entry.id == id);
        kept.tls13.retain(|entry| entry.id != id);
    }

    /// Drops what there is of TLS 1.2.
    pub(super) fn forget_tls12(&self) {
        self.kept().tls12 = None;
    }

    pub(super) fn set_group(&self, group: NamedGroup) {
        self.kept().group = Some(group);
    }

    /// The group to make a key share of, where there is a better guess than the first of ours: what the server chose last
    /// in TLS 1.3. A session of TLS 1.2 most likely needs none, so the cheapest will do.
    pub(super) fn group(&self) -> Option<NamedGroup> {
        let kept = self.kept();
        kept.group.or(kept.tls12.as_ref().map(|_| NamedGroup::X25519))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bounds {
    fn hold(&self, now: UnixTime) -> bool {
        self.certificate_ends.is_none_or(|end| now <= end)
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.tls13.iter().map(|entry| entry.bounds.size).sum()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("capacity", &self.capacity).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A server may send a ticket of 64 KiB. It would come back in every ClientHello, where hardly any server takes it.
const LARGEST_SESSION: usize = 32 * 1024;

/// How much the TLS 1.3 tickets of one server take.
const MOST_BYTES: usize = 256 * 1024;
