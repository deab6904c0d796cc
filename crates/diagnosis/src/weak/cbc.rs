//! AES-CBC, where the plaintext tells whether the key is right.
//!
//! ```text
//!     0              iv        iv+16                       -pad          -MAC
//!     +--------------+---------+------------------------------------+-------+
//!     | key name     | IV      | SSL_SESSION in DER, padding        | MAC   |
//!     +--------------+---------+------------------------------------+-------+
//! ```
//!
//! A session of OpenSSL's, BoringSSL's or AWS-LC's begins with eleven bytes of which only a length and the low byte of a version
//! vary, and that length has to go with the ticket's. With the padding (RFC 5652 §6.3) that is 2^-80 by chance at the very least:
//! 8 + 48 + 5 + 16 bits of the beginning, and 8 of one byte of padding, less the 2 or 3 that several lengths of MACs give away.

use aws_lc_rs::cipher::{AES_128, AES_256, Algorithm, DecryptingKey, DecryptionContext, UnboundCipherKey};

use super::{Guess, Layout};

/// The ciphers that a guess makes.
pub(super) struct Keys([Option<(usize, Aes)>; 2]);

impl Keys {
    pub(super) fn of(guess: Guess) -> Self {
        Self([(&AES_128, 16), (&AES_256, 32)].map(|(algorithm, length)| {
            let aes = guess.key(length).and_then(|key| Aes::new(algorithm, key.as_bytes()))?;
            Some((8 * length, aes))
        }))
    }

    /// How `ticket` is sealed, if it can be read with one of them.
    pub(super) fn read(&self, ticket: &[u8]) -> Option<Layout> {
        let places = IV_AT.into_iter().filter_map(|iv| Some((iv, Ciphertext::at(ticket, iv)?)));
        self.0.iter().flatten().find_map(|(bits, aes)| {
            let (iv, _) = places.clone().find(|(_, ciphertext)| ciphertext.is_session(aes))?;
            Some(Layout::Cbc { bits: *bits, iv })
        })
    }
}

/// An IV and what follows it: blocks, and perhaps a MAC.
#[derive(Clone, Copy)]
struct Ciphertext<'a> {
    iv: &'a [u8; BLOCK],
    bytes: &'a [u8],
}

impl<'a> Ciphertext<'a> {
    fn at(ticket: &'a [u8], iv: usize) -> Option<Self> {
        let (iv, bytes) = ticket.get(iv..)?.split_first_chunk()?;
        Some(Self { iv, bytes })
    }

    /// Whether it decrypts to a session, and nothing before or after it but padding.
    fn is_session(&self, aes: &Aes) -> bool {
        let Some(session) = self.block(aes, 0).and_then(|first| session_length(&first)) else {
            return false;
        };
        let padding = BLOCK - session % BLOCK;
        let blocks = (session + padding) / BLOCK;
        let Some(mac) = self.bytes.len().checked_sub(blocks * BLOCK) else {
            return false;
        };
        let Some(last) = self.block(aes, blocks - 1) else {
            return false;
        };
        MACS.contains(&mac) && last[BLOCK - padding..].iter().all(|byte| usize::from(*byte) == padding)
    }

    /// The plaintext of a block.
    fn block(&self, aes: &Aes, index: usize) -> Option<[u8; BLOCK]> {
        let (blocks, _) = self.bytes.as_chunks();
        let before = if index == 0 { self.iv } else { &blocks[index - 1] };
        let mut plain = aes.decrypt(*blocks.get(index)?)?;
        plain.iter_mut().zip(before).for_each(|(byte, mask)| *byte ^= mask);
        Some(plain)
    }
}

/// How long the SSL_SESSION is that begins with these bytes: SEQUENCE { INTEGER 1, INTEGER 0x03xx, OCTET STRING of 2, .. }
fn session_length(begins: &[u8; BLOCK]) -> Option<usize> {
    let (header, length) = match *begins {
        [0x30, short @ ..=0x7f, ..] => (2, usize::from(short)),
        [0x30, 0x81, length, ..] => (3, usize::from(length)),
        [0x30, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        _ => return None,
    };
    match begins[header..] {
        [2, 1, 1, 2, 2, 3, ..=4, 4, 2, ..] => Some(header + length),
        _ => None,
    }
}

/// A block cipher.
struct Aes(DecryptingKey);

impl Aes {
    fn new(algorithm: &'static Algorithm, key: &[u8]) -> Option<Self> {
        UnboundCipherKey::new(algorithm, key).and_then(DecryptingKey::ecb).ok().map(Self)
    }

    fn decrypt(&self, mut block: [u8; BLOCK]) -> Option<[u8; BLOCK]> {
        self.0.decrypt(&mut block, DecryptionContext::None).ok()?;
        Some(block)
    }
}

const BLOCK: usize = 16;
// Behind a key name of 16 bytes (RFC 5077 §4) and where else the study of 2023 found them.
const IV_AT: [usize; 4] = [16, 0, 4, 28];
// None, and HMAC with SHA-1, SHA-256, SHA-384, SHA-512.
const MACS: [usize; 5] = [0, 20, 32, 48, 64];
