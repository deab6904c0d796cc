//! Keys, values and what numbers them.

use std::fmt;

/// A state of the whole store; they count up, and the first is 1.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Revision(pub u64);

impl Revision {
    /// The one after this.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The name of a lease; never 0.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct LeaseId(pub i64);

/// A key with its value. Shows how long the value is, and no more.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The whole key, its prefix included.
    pub key: Vec<u8>,
    /// What was put.
    pub value: Vec<u8>,
    /// When the key came to be.
    pub create_revision: Revision,
    /// When it was put last.
    pub mod_revision: Revision,
    /// What it is bound to.
    pub lease: Option<LeaseId>,
}

impl fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, create_revision, mod_revision, lease } = self;
        write!(f, "{} = {} bytes, of {}, ", Key(key), value.len(), create_revision.0)?;
        write!(f, "put at {}, {lease:?}", mod_revision.0)
    }
}

/// A key as it is shown.
pub(super) struct Key<'a>(pub(super) &'a [u8]);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}
