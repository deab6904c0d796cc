use std::collections::BTreeMap;

use super::case::Case;
use crate::Moment;
use crate::evidence::{Kind, Version};
use crate::session::{Key, Record};

/// What seals tickets under keys of its own: a server, for one name and one generation of the protocol, which some products
/// give keys of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Listener {
    pub(super) server: u32,
    server_name: Option<u32>,
    is_tls13: bool,
}

impl Listener {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            server: record.server,
            server_name: record.server_name,
            is_tls13: record.version >= Some(Version::TLS13),
        }
    }
}

/// What each listener did with each key.
#[derive(Debug, Default)]
pub(super) struct Timelines {
    uses: BTreeMap<(Listener, Key), Uses>,
    /// The key of the ticket that a connection was given, where that is known.
    sealed: Vec<Option<Key>>,
    sealing: BTreeMap<Listener, Sealing>,
}

/// When a listener first sealed or opened under a key, and when it last did.
#[derive(Clone, Copy, Debug)]
struct Uses {
    first: Moment,
    last: Moment,
}

/// When a listener last sealed, and under which key; and when it last did under any other.
#[derive(Clone, Copy, Debug)]
struct Sealing {
    last: Moment,
    key: Key,
    last_otherwise: Option<Moment>,
}

impl Timelines {
    pub(super) fn of(case: &Case<'_>) -> Self {
        let mut timelines = Self { sealed: vec![None; case.graph.connections().len()], ..Self::default() };
        for (place, session) in case.graph.sessions().iter().enumerate() {
            let Some(key) = session.key else { continue };
            for (connection, at) in case.origins(place) {
                let listener = case.listener(connection);
                timelines.use_key(listener, key, at);
                timelines.seal(listener, key, at);
                timelines.sealed[connection] = Some(key);
            }
            for connection in case.offers(session) {
                let record = case.record(connection);
                if let (Kind::ResumedTicket | Kind::ResumedPsk, Some(at)) = (record.agreed, record.hello) {
                    timelines.use_key(case.listener(connection), key, at);
                }
            }
        }
        timelines
    }

    fn use_key(&mut self, listener: Listener, key: Key, at: Moment) {
        let uses = self.uses.entry((listener, key)).or_insert(Uses { first: at, last: at });
        *uses = Uses { first: uses.first.min(at), last: uses.last.max(at) };
    }

    fn seal(&mut self, listener: Listener, key: Key, at: Moment) {
        let sealing = self.sealing.entry(listener).or_insert(Sealing { last: at, key, last_otherwise: None });
        if sealing.key == key {
            sealing.last = sealing.last.max(at);
        } else if sealing.last < at {
            *sealing = Sealing { last: at, key, last_otherwise: Some(sealing.last) };
        } else {
            sealing.last_otherwise = sealing.last_otherwise.max(Some(at));
        }
    }

    /// The key of the ticket that a connection was given, where that is known.
    pub(super) fn sealed(&self, connection: usize) -> Option<Key> {
        self.sealed.get(connection).copied().flatten()
    }

    /// Whether `listener` sealed or opened under `key` before `at`.
    pub(super) fn used_before(&self, listener: Listener, key: Key, at: Moment) -> bool {
        self.uses.get(&(listener, key)).is_some_and(|uses| uses.first < at)
    }

    /// Whether it did after.
    pub(super) fn used_after(&self, listener: Listener, key: Key, at: Moment) -> bool {
        self.uses.get(&(listener, key)).is_some_and(|uses| uses.last > at)
    }

    /// Whether it sealed under another key from `at` on.
    pub(super) fn seals_otherwise_from(&self, listener: Listener, key: Key, at: Moment) -> bool {
        let Some(sealing) = self.sealing.get(&listener) else { return false };
        let last = if sealing.key == key { sealing.last_otherwise } else { Some(sealing.last) };
        last >= Some(at)
    }
}
