//! The text of a key file.

use base64::engine::general_purpose::STANDARD;
use base64::{Engine, decoded_len_estimate};
use raincheck_keyring::{Layout, TicketKey};
use zeroize::Zeroizing;

use crate::KeyFileError;

/// The keys in a file's text, oldest first.
///
/// Each line is a key in base64, 48 bytes (name 16 | AES 16 | HMAC 16) or 80 (name 16 | AES 32 | HMAC 32), all of one
/// size. CRLF and empty lines at the end are fine; an empty line elsewhere is not, and there are no comments.
///
/// # Errors
/// The first line that is wrong, and why.
pub fn parse(text: &[u8]) -> Result<Vec<TicketKey>, KeyFileError> {
    let mut keys: Vec<TicketKey> = Vec::new();
    let mut first_size = None;
    for (number, line) in written_lines(text) {
        let raw = decode(line, number)?;
        let first = *first_size.get_or_insert(raw.len());
        if raw.len() != first {
            return Err(KeyFileError::MixedSizes { line: number, bytes: raw.len(), first });
        }
        let key = Layout::HaProxy.decode(&raw).map_err(|fault| KeyFileError::Unusable { line: number, fault })?;
        if let Some(earlier) = keys.iter().position(|other| other.name() == key.name()) {
            return Err(KeyFileError::DuplicateName { line: number, first: earlier + 1, name: key.name() });
        }
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(KeyFileError::Empty);
    }
    Ok(keys)
}

/// The lines up to the last one with anything on it, with their numbers.
fn written_lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..)
        .zip(text.trim_ascii_end().split(|&byte| byte == b'\n'))
        .map(|(number, line)| (number, line.strip_suffix(b"\r").unwrap_or(line)))
        .filter(move |_| !text.trim_ascii_end().is_empty())
}

/// The bytes a line stands for, if they are as many as a key has.
fn decode(line: &[u8], number: usize) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    if line.is_empty() {
        return Err(KeyFileError::EmptyLine { line: number });
    }
    let mut raw = Zeroizing::new(vec![0; decoded_len_estimate(line.len())]);
    let bytes = STANDARD.decode_slice(line, &mut raw).map_err(|_| KeyFileError::NotBase64 { line: number })?;
    raw.truncate(bytes);
    if !matches!(bytes, 48 | 80) {
        return Err(KeyFileError::WrongSize { line: number, bytes });
    }
    Ok(raw)
}

#[cfg(test)]
mod tests;
