//! Ties connections together by the sessions that they issued and offered.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::key::keys;
use super::sessions::{Issued, Records};
use super::{Issue, Offer, Offered, Record, Session};
use crate::Moment;
use crate::buckets::Buckets;
use crate::evidence::{KeyName, Kind};

/// What ties connections together.
pub(super) struct Ties {
    pub(super) sessions: Vec<Session>,
    /// Of each session in turn, in order of time; and so are the offers.
    pub(super) issues: Vec<Issue>,
    pub(super) offers: Vec<Offer>,
}

/// Finds the sessions in what was issued, and in what `records` offered, which are told their numbers in place of digests; and
/// decides which session IDs were offers.
pub(super) fn tie(records: &mut Records, mut issued: Vec<Issued>, key_names: &[KeyName]) -> Ties {
    let mut known = Known::with_room_for(issued.len());
    for Issued { session, at, key_name, .. } in &mut issued {
        *session = known.number(*session, *key_name, Some(*at)).into();
    }
    for record in records.iter_mut().filter(|record| is_surely_offer(record)) {
        // Who resumed a session ID had issued it, though nobody saw that.
        let since = record.hello.filter(|_| record.offered == Offered::SessionId);
        let key_name = record.offered_key_name.filter(|_| !record.offers_handle());
        record.session = record.session.map(|digest| known.number(digest, key_name, since).into());
    }
    for record in records.iter_mut().filter(|record| !is_surely_offer(record)) {
        record.session = record.session.and_then(|digest| known.find(digest, record.hello)).map(u64::from);
        if record.session.is_none() {
            record.offered = Offered::None;
        }
    }
    let count = known.digests.len();
    let issues = issued.iter().map(|issued| (issued.session as u32, Issue::of(issued)));
    let issues = Buckets::of(count, issues);
    let offers = (0..).zip(records.iter()).filter_map(|(connection, record)| {
        let (session, at) = record.session.zip(record.hello)?;
        Some((session as u32, Offer { at, connection }))
    });
    let offers = Buckets::of(count, offers);
    let keys = keys(key_names, known.key_names.iter().copied().flatten());
    let sessions = (0..count).zip(known.key_names).map(|(session, key_name)| Session {
        key: key_name.map(|name| keys[name as usize]),
        issues: issues.range(session),
        offers: offers.range(session),
    });
    let sessions = sessions.collect::<Vec<_>>();
    let (mut issues, mut offers) = (issues.into_values(), offers.into_values());
    for Session { issues: issued, offers: offered, .. } in &sessions {
        issues[issued.start as usize..issued.end as usize].sort_by_key(|issue| issue.at);
        offers[offered.start as usize..offered.end as usize].sort_by_key(|offer| offer.at);
    }
    Ties { sessions, issues, offers }
}

/// Whether a record's session is one. A session ID that was not resumed is one only if a server had issued it.
fn is_surely_offer(record: &Record) -> bool {
    record.offered != Offered::SessionId || record.agreed == Kind::ResumedSessionId
}

/// The sessions that are known of, by their digests: numbered as they come, so that those of one time are near one another.
struct Known {
    numbers: HashTable<u32>,
    digests: Vec<u64>,
    key_names: Vec<Option<u32>>,
    /// Since when each must have been issued, as far as that tells whether its ID was one.
    since: Vec<Option<Moment>>,
}

impl Known {
    fn with_room_for(count: usize) -> Self {
        Self {
            numbers: HashTable::with_capacity(count),
            digests: Vec::with_capacity(count),
            key_names: Vec::with_capacity(count),
            since: Vec::with_capacity(count),
        }
    }

    fn number(&mut self, digest: u64, key_name: Option<u32>, since: Option<Moment>) -> u32 {
        let Self { numbers, digests, key_names, since: all } = self;
        // A digest is as good a hash as any.
        let entry =
            numbers.entry(digest, |number| digests[*number as usize] == digest, |number| digests[*number as usize]);
        match entry {
            Entry::Occupied(known) => {
                let number = *known.get();
                let place = number as usize;
                key_names[place] = key_names[place].or(key_name);
                all[place] = [all[place], since].into_iter().flatten().min();
                number
            }
            Entry::Vacant(place) => {
                let number = u32::try_from(digests.len()).expect("no capture has as many sessions");
                place.insert(number);
                digests.push(digest);
                key_names.push(key_name);
                all.push(since);
                number
            }
        }
    }

    /// The session, if it was issued before `at`.
    fn find(&self, digest: u64, at: Option<Moment>) -> Option<u32> {
        let number = *self.numbers.find(digest, |number| self.digests[*number as usize] == digest)?;
        self.since[number as usize].filter(|since| Some(*since) <= at).map(|_| number)
    }
}
