use std::fmt;
use std::time::Duration;

use crate::Moment;
use crate::hexadecimal::digits;

/// A ticket that a server issued (RFC 5077 §3.3, RFC 8446 §4.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicket {
    /// When its last byte was seen.
    pub at: Moment,
    /// The ticket itself: what a client offers to resume.
    pub ticket: Box<[u8]>,
    /// How long the server says it is good for: TLS 1.2's hint, TLS 1.3's lifetime.
    pub lifetime: Duration,
    /// TLS 1.3: what the client adds to the age it shows.
    pub age_add: Option<u32>,
    /// TLS 1.3: how much early data it allows, in bytes.
    pub early_data: Option<u32>,
}

/// The first 16 bytes of a ticket, or all where it is shorter: in most products the name of the key it is sealed under
/// (RFC 5077 §4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    length: u8,
    bytes: [u8; Self::LENGTH],
}

impl KeyName {
    /// The key name of `ticket`, unless that is empty.
    pub fn of(ticket: &[u8]) -> Option<Self> {
        let name = ticket.get(..Self::LENGTH).unwrap_or(ticket);
        let mut bytes = [0; Self::LENGTH];
        bytes[..name.len()].copy_from_slice(name);
        let length = u8::try_from(name.len()).expect("16 at most");
        (length > 0).then_some(Self { length, bytes })
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The part that is constant under one key in every product: Java's has no more.
    pub fn stem(self) -> [u8; Self::STEM] {
        let [a, b, c, d, ..] = self.bytes;
        [a, b, c, d]
    }

    /// How long a [`stem`](Self::stem) is.
    pub const STEM: usize = 4;
    const LENGTH: usize = 16;
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // At once, for a report names the keys of millions of connections.
        let mut text = [0; 2 * Self::LENGTH];
        let (pairs, _) = text.as_chunks_mut();
        pairs.iter_mut().zip(self.bytes).for_each(|(pair, byte)| *pair = digits(byte));
        f.write_str(str::from_utf8(&text[..2 * usize::from(self.length)]).unwrap_or_default())
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
