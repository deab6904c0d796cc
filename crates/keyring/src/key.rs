//! A session ticket key and its public name.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::weak::{self, Degenerate};

/// The secret that seals tickets (STEK), known outside by its name.
///
/// Vetted when made, wiped when dropped, and never cloned: share it in an `Arc`. `Debug` shows the
/// name alone.
pub struct TicketKey {
    name: KeyName,
    size: KeySize,
    /// Cipher key | MAC key, made once in the size it needs, so that no copy is left where it grew.
    /// A ticket's own key is derived from all of it, so one key means the same whichever product's
    /// file it came from.
    secret: Zeroizing<Vec<u8>>,
}

impl TicketKey {
    /// A key from its parts: 16 bytes (AES-128) or 32 (AES-256) of `cipher`, 16 to 64 of `mac`.
    ///
    /// Refuses a key that anyone could guess; see [`weak`].
    pub fn new(name: KeyName, cipher: &[u8], mac: &[u8]) -> Result<Self, KeyError> {
        let size = KeySize::of_cipher(cipher)?;
        if !MAC_LENGTHS.contains(&mac.len()) {
            return Err(KeyError::MacLength(mac.len()));
        }
        let mut secret = Zeroizing::new(Vec::with_capacity(cipher.len() + mac.len()));
        secret.extend_from_slice(cipher);
        secret.extend_from_slice(mac);
        vet(name, cipher, mac, &secret)?;
        Ok(Self { name, size, secret })
    }

    /// A fresh key, name and all, from what `fill` writes: that must be the random generator of the
    /// system.
    pub fn generate(size: KeySize, mut fill: impl FnMut(&mut [u8])) -> Result<Self, KeyError> {
        let mut name = [0; KeyName::LEN];
        fill(&mut name);
        let mut secret = Zeroizing::new([0; LONGEST_GENERATED]);
        let secret = &mut secret[..size.cipher_len() + size.mac_len()];
        fill(secret);
        let (cipher, mac) = secret.split_at(size.cipher_len());
        Self::new(KeyName(name), cipher, mac)
    }

    /// What the key is called in tickets, logs and metrics.
    pub fn name(&self) -> KeyName {
        self.name
    }

    /// How strong it is.
    pub fn size(&self) -> KeySize {
        self.size
    }

    /// The secret that goes to the cipher in the products that encrypt tickets by AES-CBC.
    pub fn expose_cipher(&self) -> &[u8] {
        &self.secret[..self.size.cipher_len()]
    }

    /// The secret that goes to HMAC in the products that authenticate tickets by it.
    pub fn expose_mac(&self) -> &[u8] {
        &self.secret[self.size.cipher_len()..]
    }

    /// Cipher key | MAC key: what a ticket's own key is derived from.
    pub(crate) fn expose_all(&self) -> &[u8] {
        &self.secret
    }

    /// Whether `other` is the same key: the same name alone does not make it so.
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.size == other.size
            && verify_slices_are_equal(&self.secret, &other.secret).is_ok()
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketKey({})", self.name)
    }
}

/// What a key is called: 16 bytes that are public, and that begin every ticket sealed under it.
///
/// Displays and parses as 32 hexadecimal digits, lower case when displayed.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName([u8; KeyName::LEN]);

impl KeyName {
    /// Bytes in a name.
    pub const LEN: usize = 16;

    /// The bytes, as they stand in a ticket.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl From<[u8; KeyName::LEN]> for KeyName {
    fn from(bytes: [u8; KeyName::LEN]) -> Self {
        Self(bytes)
    }
}

impl FromStr for KeyName {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        // `from_str_radix` would let a sign pass.
        let is_hex = text.len() == 2 * Self::LEN && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_hex);
        number.map(|number| Self(number.to_be_bytes())).ok_or(KeyError::Name)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How strong a key is, in the products that use its cipher key as it stands. (A ticket of ours is
/// always AES-256.)
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum KeySize {
    /// AES-128, and a MAC key of 16 bytes when generated.
    Bits128,
    /// AES-256, and a MAC key of 32 bytes when generated.
    Bits256,
}

impl KeySize {
    /// Bytes of cipher key: 16 or 32.
    pub const fn cipher_len(self) -> usize {
        match self {
            Self::Bits128 => 16,
            Self::Bits256 => 32,
        }
    }

    const fn mac_len(self) -> usize {
        self.cipher_len()
    }

    fn of_cipher(cipher: &[u8]) -> Result<Self, KeyError> {
        match cipher.len() {
            16 => Ok(Self::Bits128),
            32 => Ok(Self::Bits256),
            other => Err(KeyError::CipherLength(other)),
        }
    }
}

/// Bytes that are no ticket key, and why. Always the operator's to mend; never says what the bytes
/// were.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum KeyError {
    /// The cipher key is neither AES-128's nor AES-256's; its length in bytes.
    #[error("the cipher key is {0} bytes long, and AES takes 16 or 32; {REMEDY}")]
    CipherLength(usize),
    /// The MAC key is too short to be safe, or longer than any product takes; its length in bytes.
    #[error("the MAC key is {0} bytes long, and 16 to 64 are needed; {REMEDY}")]
    MacLength(usize),
    /// Anyone could guess the key, or half of it.
    #[error("{}; {REMEDY}", .fault.of(*.part))]
    Degenerate {
        /// The part that can be guessed.
        part: Part,
        /// How.
        fault: Degenerate,
    },
    /// 16 bytes of the secret occur in it twice.
    #[error("the key repeats itself: the same 16 bytes stand in it twice; {REMEDY}")]
    EqualBlocks,
    /// 16 bytes of the secret are its name, which every ticket shows.
    #[error("the key repeats its own name, which every ticket shows in clear; {REMEDY}")]
    NameInSecret,
    /// A text that is no key name.
    #[error("not a key name, which is 32 hexadecimal digits; see `raincheck keys show`")]
    Name,
}

/// The parts of a key, in the operator's words.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// What encrypts.
    Cipher,
    /// What authenticates.
    Mac,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cipher => "cipher key",
            Self::Mac => "MAC key",
        })
    }
}

fn vet(name: KeyName, cipher: &[u8], mac: &[u8], secret: &[u8]) -> Result<(), KeyError> {
    for (part, bytes) in [(Part::Cipher, cipher), (Part::Mac, mac)] {
        if let Some(fault) = weak::degenerate(bytes) {
            return Err(KeyError::Degenerate { part, fault });
        }
    }
    if weak::has_equal_blocks(secret) {
        return Err(KeyError::EqualBlocks);
    }
    if secret.windows(KeyName::LEN).any(|window| window == name.as_bytes()) {
        return Err(KeyError::NameInSecret);
    }
    Ok(())
}

const REMEDY: &str = "make one with `raincheck keys new`";

/// HMAC-SHA256 takes keys of up to a block, 64 bytes, as they are; h2o's are that long.
const MAC_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

const LONGEST_GENERATED: usize = KeySize::Bits256.cipher_len() + KeySize::Bits256.mac_len();

#[cfg(test)]
impl TicketKey {
    /// A key that is different for each `seed`, and the same each time.
    pub(crate) fn sample(seed: u64) -> Self {
        Self::sample_of(KeySize::Bits256, seed)
    }

    pub(crate) fn sample_of(size: KeySize, seed: u64) -> Self {
        let mut text = format!("{size:?} {seed}").into_bytes();
        let digest = |text: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, text);
        Self::generate(size, |bytes| {
            bytes.copy_from_slice(&digest(&text).as_ref()[..bytes.len()]);
            text.push(b'+');
        })
        .unwrap()
    }
}

#[cfg(test)]
mod tests;
