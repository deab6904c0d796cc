//! Sessions kept by ID, for TLS 1.2 clients that speak no tickets. All workers of a node share
//! one cache; an entry carries what a ticket carries.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_keyring::Session;

/// A bounded cache. When it is full the oldest session makes room: all live equally long.
pub struct SessionCache {
    capacity: usize,
    entries: Mutex<Entries>,
    lookups: AtomicU64,
    misses: AtomicU64,
}

#[derive(Default)]
struct Entries {
    by_id: HashMap<Vec<u8>, Arc<Session>>,
    oldest_first: VecDeque<Vec<u8>>,
}

impl SessionCache {
    /// A cache for `capacity` sessions; 0 keeps none.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::default(), lookups: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// How many sessions there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether sessions are kept at all.
    pub fn is_enabled(&self) -> bool {
        self.capacity > 0
    }

    /// Keeps `session` under `id`, unless it is too large, and drops the oldest as long as they are `expired`.
    pub fn insert(&self, id: Vec<u8>, session: Session, expired: impl Fn(&Session) -> bool) {
        let length = session.state.len() + session.client_chain.iter().map(Vec::len).sum::<usize>();
        if !self.is_enabled() || length > LARGEST_SESSION {
            return;
        }
        let mut entries = self.entries();
        if entries.by_id.insert(id.clone(), Arc::new(session)).is_none() {
            entries.oldest_first.push_back(id);
        }
        while let Some(oldest) = entries.oldest_first.front() {
            let over =
                entries.by_id.len() > self.capacity || entries.by_id.get(oldest).is_none_or(|kept| expired(kept));
            if !over {
                break;
            }
            let oldest = entries.oldest_first.pop_front().expect("it has a front");
            entries.by_id.remove(&oldest);
        }
    }

    /// The session kept under `id`. Counts the look-up, and the miss if there is none.
    pub fn find(&self, id: &[u8]) -> Option<Arc<Session>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let found = self.entries().by_id.get(id).cloned();
        if found.is_none() {
            self.misses.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// How many times a session was looked for, and how many times in vain.
    pub fn lookups_and_misses(&self) -> (u64, u64) {
        (self.lookups.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCache")
            .field("capacity", &self.capacity)
            .field("sessions", &self.entries().by_id.len())
            .finish()
    }
}

/// A session takes some 200 bytes, and with a client's chain a few thousand.
const LARGEST_SESSION: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use raincheck_keyring::{PolicyDigest, UnixTime};

    use super::*;

    fn session(state: u8) -> Session {
        Session {
            policy: PolicyDigest([0; 32]),
            origin: UnixTime::from_millis(1),
            sealed_at: UnixTime::from_millis(1),
            client_chain: vec![],
            state: vec![state].into(),
        }
    }

    #[test]
    fn the_oldest_makes_room() {
        let cache = SessionCache::new(2);
        for id in 1..=3 {
            cache.insert(vec![id], session(id), |_| false);
        }
        assert!(cache.find(&[1]).is_none());
        assert_eq!(*cache.find(&[2]).unwrap().state, vec![2]);
        assert_eq!(*cache.find(&[3]).unwrap().state, vec![3]);
        assert_eq!(cache.lookups_and_misses(), (3, 1));
    }

    #[test]
    fn a_cache_of_none_keeps_none() {
        let cache = SessionCache::new(0);
        cache.insert(vec![1], session(1), |_| false);
        assert!(cache.find(&[1]).is_none());
    }

    #[test]
    fn the_expired_go_and_the_large_never_come() {
        let cache = SessionCache::new(10);
        cache.insert(vec![1], session(1), |_| false);
        cache.insert(vec![2], session(2), |kept| *kept.state == [1]);
        assert!(cache.find(&[1]).is_none());
        assert!(cache.find(&[2]).is_some());
        let large = Session { client_chain: vec![vec![0; LARGEST_SESSION]], ..session(3) };
        cache.insert(vec![3], large, |_| false);
        assert!(cache.find(&[3]).is_none());
    }
}
