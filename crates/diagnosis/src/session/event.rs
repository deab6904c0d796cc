use std::ops::Range;
use std::time::Duration;

use super::Key;
use super::sessions::Issued;
use crate::Moment;

/// A session, by what was seen of it.
#[derive(Clone, Debug)]
pub struct Session {
    /// The key it is sealed under, unless the server kept it.
    pub key: Option<Key>,
    pub(super) issues: Range<u32>,
    pub(super) offers: Range<u32>,
}

/// That a server issued a session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Issue {
    /// When.
    pub at: Moment,
    connection: u32,
    /// In seconds; 0 where the server did not say.
    lifetime: u32,
}

impl Issue {
    pub(super) fn of(issued: &Issued) -> Self {
        Self { at: issued.at, connection: issued.record, lifetime: issued.lifetime }
    }

    /// On which connection.
    pub fn connection(&self) -> usize {
        self.connection as usize
    }

    /// How long it is good for, if the server said so.
    pub fn lifetime(&self) -> Option<Duration> {
        (self.lifetime > 0).then(|| Duration::from_secs(self.lifetime.into()))
    }
}

/// That a client offered a session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer {
    /// When.
    pub at: Moment,
    /// On which connection.
    pub connection: usize,
}
