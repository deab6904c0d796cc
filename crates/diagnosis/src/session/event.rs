use std::ops::Range;
use std::time::Duration;

use super::Key;
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
#[derive(Clone, Copy, Debug)]
pub struct Issue {
    /// When.
    pub at: Moment,
    /// On which connection.
    pub connection: usize,
    /// How long it is good for, if the server said so.
    pub lifetime: Option<Duration>,
}

/// That a client offered a session.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// When.
    pub at: Moment,
    /// On which connection.
    pub connection: usize,
}
