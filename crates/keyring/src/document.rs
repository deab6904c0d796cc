//! A ring as bytes, to be handed from one node to another.

use thiserror::Error;
use zeroize::Zeroizing;

use crate::epoch::Epoch;
use crate::key::{KeyError, KeyName, TicketKey};
use crate::ring::{Ring, RingError};
use crate::time::UnixTime;

// All integers are big-endian:
//
//     0           1          17        19
//     +-----------+----------+---------+---------------------------+
//     | version 1 | epoch 16 | count 2 | count x key, oldest first |
//     +-----------+----------+---------+---------------------------+
//
//     key:
//     0         16        24           25        26        42
//     +---------+---------+------------+---------+---------+------------+---------+
//     | born 16 | since 8 | c length 1 | m length| name 16 | cipher key | MAC key |
//     +---------+---------+------------+---------+---------+------------+---------+
//
//     epoch, born: generation 8 | counter 8
//     since:       milliseconds since 1970 on the clock of whoever made the ring

impl Ring {
    /// The ring in bytes that [`decode`](Self::decode) reads: secret, and wiped when dropped.
    pub fn expose_encoded(&self) -> Zeroizing<Vec<u8>> {
        let length = HEAD_LEN + self.entries().map(|entry| KEY_HEAD_LEN + entry.key.expose_all().len()).sum::<usize>();
        // In its full size from the start: if it grew, a copy would be left behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.epoch().to_bytes());
        let count = u16::try_from(self.len()).expect("no schedule retains that many keys");
        bytes.extend_from_slice(&count.to_be_bytes());
        for entry in self.entries().rev() {
            let (cipher, mac) = (entry.key.expose_cipher(), entry.key.expose_mac());
            bytes.extend_from_slice(&entry.born.to_bytes());
            bytes.extend_from_slice(&entry.since.as_millis().to_be_bytes());
            bytes.extend([cipher, mac].map(|part| u8::try_from(part.len()).expect("64 bytes at most")));
            bytes.extend_from_slice(entry.key.name().as_bytes());
            bytes.extend_from_slice(cipher);
            bytes.extend_from_slice(mac);
        }
        bytes
    }

    /// The ring that [`expose_encoded`](Self::expose_encoded) wrote. Every key is vetted again.
    pub fn decode(bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(DocumentError::Version(version));
        }
        let epoch = Epoch::from_bytes(take(&mut rest)?);
        let count = u16::from_be_bytes(take(&mut rest)?);
        // No more than there is room for, whatever the count says.
        let mut keys = Vec::with_capacity(usize::from(count).min(rest.len() / KEY_HEAD_LEN));
        for _ in 0..count {
            let born = Epoch::from_bytes(take(&mut rest)?);
            let since = UnixTime::from_millis(u64::from_be_bytes(take(&mut rest)?));
            let [cipher_len, mac_len] = take(&mut rest)?.map(usize::from);
            let name = KeyName::from(take(&mut rest)?);
            let secret = rest.split_off(..cipher_len + mac_len).ok_or(DocumentError::CutShort)?;
            let (cipher, mac) = secret.split_at(cipher_len);
            keys.push((TicketKey::new(name, cipher, mac)?, born, since));
        }
        if !rest.is_empty() {
            return Err(DocumentError::TooLong(rest.len()));
        }
        Ok(Self::of_fleet(epoch, keys)?)
    }
}

/// Bytes that are no ring. The fault of whoever wrote them; the node goes on with the ring it has.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DocumentError {
    /// Written by another version of raincheck.
    #[error("a ring in format {0}, and this raincheck reads format {VERSION}; run the same release on every node")]
    Version(u8),
    /// Bytes are missing at the end.
    #[error("a ring that is cut short")]
    CutShort,
    /// Bytes follow that do not belong to it.
    #[error("{0} bytes behind the ring")]
    TooLong(usize),
    /// A key in it cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its keys make no ring.
    #[error(transparent)]
    Ring(#[from] RingError),
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], DocumentError> {
    let (taken, left) = rest.split_first_chunk().ok_or(DocumentError::CutShort)?;
    *rest = left;
    Ok(*taken)
}

const VERSION: u8 = 1;
const HEAD_LEN: usize = 1 + Epoch::LEN + 2;
const KEY_HEAD_LEN: usize = Epoch::LEN + 8 + 2 + KeyName::LEN;

#[cfg(test)]
mod tests;
