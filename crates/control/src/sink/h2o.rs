//! The sink `h2o`: the file of `ssl-session-resumption: {mode: ticket, ticket-store: file, ticket-file: ...}`.
//!
//! h2o seals with the newest key whose `not_before` has come, and opens with all. Which key that is must be decided by
//! whoever rotates and not by a clock, so these are no times but an order: the older keys' and the issuing one's lie in
//! the first seconds of 1970, the next one's never comes. An h2o whose agent is gone stays with the key it has. Nor does
//! `not_after` ever come: it ends sealing, not opening, and an h2o without a key to seal with makes up one that opens
//! nowhere.
//!
//! h2o looks at the file every ten seconds, and takes it for another one if the second of its last change is another.

use std::io::Write;
use std::time::Duration;

use raincheck_keyring::{KeyName, Layout};
use zeroize::Zeroizing;

use super::directory::Clock;
use super::file::lacks;
use super::{Lacks, ProductKeys, Pushed, SecretFile, SinkError};

/// A YAML file.
#[derive(Debug)]
pub struct H2o {
    file: SecretFile,
}

impl H2o {
    /// That file. h2o reads it as the user it runs as, so its directory should be that user's.
    pub fn new(file: SecretFile) -> Self {
        Self { file }
    }

    pub(super) fn file(&self) -> &SecretFile {
        &self.file
    }

    pub(super) fn push(&self, keys: &ProductKeys) -> Result<Pushed, SinkError> {
        let changed = self.file.replace(&document(keys)?, Clock::AnotherSecond)?;
        Ok(if changed { Pushed::all(keys) } else { Pushed::Nothing })
    }

    pub(super) fn lacks(&self, keys: &ProductKeys) -> Result<Lacks, SinkError> {
        lacks(&self.file, &document(keys)?, keys)
    }
}

fn document(keys: &ProductKeys) -> Result<Zeroizing<Vec<u8>>, SinkError> {
    // In its full size from the start: if it grew, a copy would be left behind.
    let mut text = Zeroizing::new(Vec::with_capacity(keys.all().len() * LONGEST_ENTRY));
    let next = keys.all().len() - 1;
    for (position, key) in keys.all().iter().enumerate() {
        let not_before = if position == next { NEVER } else { 1 + position as u64 };
        let bytes = Layout::H2o.encode(key)?;
        let written = write!(text, "- name: {}\n  cipher: aes-256-cbc\n  hash: sha256\n  key: ", key.name())
            .and_then(|()| bytes[KeyName::LEN..].iter().try_for_each(|byte| write!(text, "{byte:02x}")))
            .and_then(|()| write!(text, "\n  not_before: {not_before}\n  not_after: {NEVER}\n"));
        written.expect("a Vec takes all");
    }
    Ok(text)
}

/// The end of the year 9999.
const NEVER: u64 = 253_402_300_799;

/// In bytes; it has 327 with the longest times.
const LONGEST_ENTRY: usize = 400;

pub(super) const LIMIT: &str = "h2o ends a session after two hours, which it takes from OpenSSL and has no setting for \
    (with mode: all it is ssl-session-resumption's lifetime, one hour unless it is set)";
/// Ten seconds, and one for good measure.
pub(super) const LOOKS_EVERY: Duration = Duration::from_secs(11);
pub(super) const DELAY: &str = "h2o looks at its file every ten seconds; keep rotate well above that";
