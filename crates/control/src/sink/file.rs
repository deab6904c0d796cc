//! The sink `file`: base64 ticket keys, one a line, oldest first, as HAProxy's `tls-ticket-keys` and `raincheck edge`
//! read them.

use std::sync::Arc;

use base64::engine::general_purpose::STANDARD;
use base64::{Engine, encoded_len};
use raincheck_keyring::{Layout, TicketKey};
use zeroize::Zeroizing;

use super::directory::Clock;
use super::{Lacks, ProductKeys, Pushed, SecretFile, SinkError};

/// A file of lines, with all keys.
#[derive(Debug)]
pub struct KeyFile {
    file: SecretFile,
}

impl KeyFile {
    /// That file. Whoever reads it has to notice that it changed.
    pub fn new(file: SecretFile) -> Self {
        Self { file }
    }

    pub(super) fn file(&self) -> &SecretFile {
        &self.file
    }

    pub(super) fn push(&self, keys: &ProductKeys) -> Result<Pushed, SinkError> {
        let changed = self.file.replace(&lines(keys.all())?, Clock::True)?;
        Ok(if changed { Pushed::all(keys) } else { Pushed::Nothing })
    }

    pub(super) fn lacks(&self, keys: &ProductKeys) -> Result<Lacks, SinkError> {
        lacks(&self.file, &lines(keys.all())?, keys)
    }
}

/// All of them, unless the file is just as it should be.
pub(super) fn lacks(file: &SecretFile, content: &[u8], keys: &ProductKeys) -> Result<Lacks, SinkError> {
    Ok(if file.holds(content)? { Lacks::Nothing } else { Lacks::Keys(keys.names().collect()) })
}

/// A line for each key, in this order: secret, and wiped when dropped.
pub(super) fn lines(keys: &[Arc<TicketKey>]) -> Result<Zeroizing<Vec<u8>>, SinkError> {
    // In its full size from the start: if it grew, a copy would be left behind.
    let mut text = Zeroizing::new(Vec::with_capacity(keys.len() * (LONGEST_BASE64 + 1)));
    for key in keys {
        push_base64(&mut text, &Layout::HaProxy.encode(key)?);
        text.push(b'\n');
    }
    Ok(text)
}

/// Encodes in place, where there must be room for [`LONGEST_BASE64`].
pub(super) fn push_base64(text: &mut Vec<u8>, bytes: &[u8]) {
    let (start, length) = (text.len(), encoded_len(bytes.len(), true).expect("a key is short"));
    text.resize(start + length, 0);
    STANDARD.encode_slice(bytes, &mut text[start..]).expect("there is as much room as it takes");
}

/// 80 bytes in base64.
pub(super) const LONGEST_BASE64: usize = 108;

pub(super) const LIMIT: &str = "whoever reads the file must read it again when it changes; \
    a HAProxy that only reads it accepts tickets for one to two rotations, as it keeps three keys";
