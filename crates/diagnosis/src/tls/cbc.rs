//! Opens records of TLS 1.0 to 1.2 that are encrypted with AES-CBC and have an HMAC.
//!
//! ```text
//!     RFC 5246 §6.2.3.2       IV (16) | encrypted: content, MAC, padding
//!     RFC 7366 §3             IV (16) | encrypted: content, padding | MAC
//! ```
//!
//! In TLS 1.0 there is no IV: it is the last block of the record before (RFC 2246 §6.2.3.2). That of the first record follows from
//! the master secret, but the first is Finished, which is not read.

use aws_lc_rs::cipher::{AES_128, AES_256, Algorithm, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, Context, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA384};

use super::agreed::{Agreed, half};
use super::prf::Prf;
use super::record::Header;
use super::tail::Tail;
use crate::Side;
use crate::evidence::Version;

/// Opens records, each with its own number.
pub(super) struct Cbc {
    cipher: DecryptingKey,
    mac: hmac::Key,
    /// TLS 1.0: whether a record's IV is what the one before ended with. Else it begins with its own.
    chained: bool,
    encrypt_then_mac: bool,
}

impl Cbc {
    /// From a master secret (RFC 5246 §6.3), for what `side` sends.
    pub(super) fn new(agreed: &Agreed<'_>, master: &[u8], side: Side) -> Option<Self> {
        let Suite { cipher, key_length, mac, prf } = Suite::of(agreed.suite, agreed.version)?;
        let mac_length = mac.digest_algorithm().output_len();
        let block = agreed.key_block(prf, master, 2 * (mac_length + key_length))?;
        // client's MAC key | server's MAC key | client's key | server's key | IVs of TLS 1.0
        let (macs, keys) = block.split_at_checked(2 * mac_length)?;
        let key = UnboundCipherKey::new(cipher, half(side, keys)).ok()?;
        Some(Self {
            cipher: DecryptingKey::cbc(key).ok()?,
            mac: hmac::Key::new(mac, half(side, macs)),
            chained: agreed.version == Version::TLS10,
            encrypt_then_mac: agreed.encrypt_then_mac,
        })
    }

    /// Whether all is known that opening a record takes which comes behind `before`.
    pub(super) fn follows(&self, before: &Tail) -> bool {
        !self.chained || self.chained_iv(before).is_some()
    }

    /// Opens the record with that number: what it holds comes in `plain`.
    pub(super) fn open(
        &self,
        header: Header,
        sequence: u64,
        before: &Tail,
        body: &[u8],
        plain: &mut Vec<u8>,
    ) -> Option<()> {
        plain.clear();
        if body.len() > LONGEST {
            return None;
        }
        let encrypted = if self.encrypt_then_mac {
            let (signed, tag) = body.split_at_checked(body.len().checked_sub(self.mac_length())?)?;
            self.verify(header, sequence, signed, tag)?;
            signed
        } else {
            body
        };
        let (iv, blocks) = if self.chained {
            (self.chained_iv(before)?, encrypted)
        } else {
            encrypted.split_first_chunk().map(|(iv, blocks)| (*iv, blocks))?
        };
        plain.extend_from_slice(blocks);
        self.cipher.decrypt(plain, DecryptionContext::Iv128(iv.into())).ok()?;
        plain.truncate(unpadded(plain)?);
        if !self.encrypt_then_mac {
            let (content, tag) = plain.split_at_checked(plain.len().checked_sub(self.mac_length())?)?;
            self.verify(header, sequence, content, tag)?;
            plain.truncate(content.len());
        }
        Some(())
    }

    fn chained_iv(&self, before: &Tail) -> Option<[u8; BLOCK]> {
        before.block(if self.encrypt_then_mac { self.mac_length() } else { 0 })
    }

    /// The MAC is that of: number 8 | type 1 | version 2 | length of what is signed 2 | what is signed
    fn verify(&self, header: Header, sequence: u64, signed: &[u8], tag: &[u8]) -> Option<()> {
        let length = u16::try_from(signed.len()).ok()?;
        let mut mac = Context::with_key(&self.mac);
        mac.update(&sequence.to_be_bytes());
        mac.update(&Header { length, ..header }.to_bytes());
        mac.update(signed);
        verify_slices_are_equal(mac.sign().as_ref(), tag).ok()
    }

    fn mac_length(&self) -> usize {
        self.mac.algorithm().digest_algorithm().output_len()
    }
}

impl std::fmt::Debug for Cbc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cbc").field("cipher", self.cipher.algorithm()).finish_non_exhaustive()
    }
}

/// How long what is padded is without its padding: bytes that all say how many of them there are beside the last.
fn unpadded(plain: &[u8]) -> Option<usize> {
    let padding = plain.last()?;
    let length = plain.len().checked_sub(usize::from(*padding) + 1)?;
    plain[length..].iter().all(|byte| byte == padding).then_some(length)
}

/// What a cipher suite says of its records.
struct Suite {
    cipher: &'static Algorithm,
    key_length: usize,
    mac: hmac::Algorithm,
    prf: Prf,
}

impl Suite {
    /// The suites with AES-CBC (RFC 5246 §A.5, RFC 5289 §3.1, RFC 8422 §6, RFC 4279, RFC 5487, RFC 5489). Those with a MAC of
    /// SHA-2 are read in TLS 1.2 alone, for which they were made.
    fn of(suite: u16, version: Version) -> Option<Self> {
        let (bits, mac, prf) = match suite {
            0x002f..=0x0034 | 0x008c | 0x0090 | 0x0094 => (128, HMAC_SHA1_FOR_LEGACY_USE_ONLY, Prf::Sha256),
            0xc004 | 0xc009 | 0xc00e | 0xc013 | 0xc018 | 0xc035 => (128, HMAC_SHA1_FOR_LEGACY_USE_ONLY, Prf::Sha256),
            0x0035..=0x003a | 0x008d | 0x0091 | 0x0095 => (256, HMAC_SHA1_FOR_LEGACY_USE_ONLY, Prf::Sha256),
            0xc005 | 0xc00a | 0xc00f | 0xc014 | 0xc019 | 0xc036 => (256, HMAC_SHA1_FOR_LEGACY_USE_ONLY, Prf::Sha256),
            0x003c | 0x003e..=0x0040 | 0x0067 | 0x006c | 0x00ae | 0x00b2 | 0x00b6 => (128, HMAC_SHA256, Prf::Sha256),
            0xc023 | 0xc025 | 0xc027 | 0xc029 | 0xc037 => (128, HMAC_SHA256, Prf::Sha256),
            0x003d | 0x0068..=0x006b | 0x006d => (256, HMAC_SHA256, Prf::Sha256),
            0x00af | 0x00b3 | 0x00b7 | 0xc024 | 0xc026 | 0xc028 | 0xc02a | 0xc038 => (256, HMAC_SHA384, Prf::Sha384),
            _ => return None,
        };
        let prf = match version {
            Version::TLS12 => prf,
            Version::TLS10 | Version::TLS11 if mac == HMAC_SHA1_FOR_LEGACY_USE_ONLY => Prf::Md5Sha1,
            _ => return None,
        };
        let cipher = if bits == 128 { &AES_128 } else { &AES_256 };
        Some(Self { cipher, key_length: bits / 8, mac, prf })
    }
}

const BLOCK: usize = 16;
// IV | block with an alert | MAC of SHA-384 48 | padding 256: only alerts are opened.
const LONGEST: usize = 2 * BLOCK + 48 + 256;

#[cfg(test)]
mod tests;
