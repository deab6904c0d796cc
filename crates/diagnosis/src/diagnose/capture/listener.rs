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
    uses: BTreeMap<(Listener, Key), Vec<Use>>,
    /// The key of the ticket that a connection was given, where that is known.
    sealed: Vec<Option<Key>>,
    /// What each listener sealed under, in order of time.
    sealing: BTreeMap<Listener, Vec<(Moment, Key)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    at: Moment,
    connection: usize,
}

impl Timelines {
    pub(super) fn of(case: &Case<'_>) -> Self {
        let mut timelines = Self { sealed: vec![None; case.graph.connections().len()], ..Self::default() };
        for (place, session) in case.graph.sessions().iter().enumerate() {
            let Some(key) = session.key else { continue };
            for (connection, at) in case.origins(place) {
                let listener = case.listener(connection);
                timelines.uses.entry((listener, key)).or_default().push(Use { at, connection });
                timelines.sealing.entry(listener).or_default().push((at, key));
                timelines.sealed[connection] = Some(key);
            }
            for connection in case.offers(session) {
                let record = case.record(connection);
                if let (Kind::ResumedTicket | Kind::ResumedPsk, Some(at)) = (record.agreed, record.hello) {
                    let key = (case.listener(connection), key);
                    timelines.uses.entry(key).or_default().push(Use { at, connection });
                }
            }
        }
        timelines.uses.values_mut().for_each(|uses| uses.sort_unstable());
        timelines.sealing.values_mut().for_each(|sealing| sealing.sort_unstable());
        timelines
    }

    /// The key of the ticket that a connection was given, where that is known.
    pub(super) fn sealed(&self, connection: usize) -> Option<Key> {
        self.sealed.get(connection).copied().flatten()
    }

    /// Whether `listener` sealed or opened under `key` before `at`.
    pub(super) fn used_before(&self, listener: Listener, key: Key, at: Moment) -> bool {
        self.uses(listener, key).first().is_some_and(|used| used.at < at)
    }

    /// Whether it did after.
    pub(super) fn used_after(&self, listener: Listener, key: Key, at: Moment) -> bool {
        self.uses(listener, key).last().is_some_and(|used| used.at > at)
    }

    /// Whether it sealed under another key from `at` on.
    pub(super) fn seals_otherwise_from(&self, listener: Listener, key: Key, at: Moment) -> bool {
        let sealing = self.sealing.get(&listener).map_or(&[][..], Vec::as_slice);
        sealing.iter().any(|(when, sealed)| *when >= at && *sealed != key)
    }

    fn uses(&self, listener: Listener, key: Key) -> &[Use] {
        self.uses.get(&(listener, key)).map_or(&[][..], Vec::as_slice)
    }
}
