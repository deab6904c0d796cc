//! Opens records that are sealed with an AEAD, in TLS 1.2 and 1.3.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{self, HKDF_SHA256, HKDF_SHA384, KeyType};
use zeroize::Zeroizing;

use super::agreed::{Agreed, half};
use super::expand::expand_label;
use super::prf::Prf;
use super::record::Header;
use crate::Side;

/// Opens records, each with its own number.
pub(super) struct Aead {
    key: LessSafeKey,
    /// TLS 1.3 and ChaCha20: XORed with the record's number. AES-GCM in TLS 1.2: the first 4 bytes, 8 are in the record.
    iv: [u8; 12],
    scheme: Scheme,
    /// TLS 1.3: the traffic secret, of which the next follows.
    secret: Zeroizing<Vec<u8>>,
    suite: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Tls13,
    /// AES-GCM (RFC 5288 §3).
    Tls12Explicit,
    /// ChaCha20-Poly1305 (RFC 7905 §2).
    Tls12,
}

impl Aead {
    /// From a traffic secret of TLS 1.3 (RFC 8446 §7.3).
    pub(super) fn tls13(suite: u16, secret: &[u8]) -> Option<Self> {
        let (aead, hash) = cipher13(suite)?;
        if secret.len() != hash.len() {
            return None;
        }
        let mut key = Zeroizing::new([0; 32]);
        let key = key.get_mut(..aead.key_len())?;
        let mut iv = [0; 12];
        expand_label(hash, secret, b"key", &[], key)?;
        expand_label(hash, secret, b"iv", &[], &mut iv)?;
        let secret = Zeroizing::new(secret.to_vec());
        Some(Self { key: bind(aead, key)?, iv, scheme: Scheme::Tls13, secret, suite })
    }

    /// From a master secret (RFC 5246 §6.3), for what `side` sends.
    pub(super) fn tls12(agreed: &Agreed<'_>, master: &[u8], side: Side) -> Option<Self> {
        let suite = agreed.suite;
        let (aead, prf, scheme) = cipher12(suite)?;
        let (key_length, iv_length) = (aead.key_len(), if scheme == Scheme::Tls12 { 12 } else { 4 });
        let block = agreed.key_block(prf, master, 2 * (key_length + iv_length))?;
        // client's key | server's key | client's IV | server's IV; an AEAD has no MAC keys.
        let (keys, ivs) = block.split_at_checked(2 * key_length)?;
        let mut iv = [0; 12];
        iv[..iv_length].copy_from_slice(half(side, ivs));
        let key = bind(aead, half(side, keys))?;
        Some(Self { key, iv, scheme, secret: Zeroizing::default(), suite })
    }

    /// What opens what follows KeyUpdate (RFC 8446 §7.2).
    pub(super) fn next(&self) -> Option<Self> {
        let (_, hash) = cipher13(self.suite)?;
        let mut secret = Zeroizing::new(vec![0; self.secret.len()]);
        expand_label(hash, &self.secret, b"traffic upd", &[], &mut secret)?;
        Self::tls13(self.suite, &secret)
    }

    /// Opens the record with that number: what it holds comes in `plain`, with type and zeros behind it in TLS 1.3.
    pub(super) fn open(&self, header: Header, sequence: u64, body: &[u8], plain: &mut Vec<u8>) -> Option<()> {
        let mut nonce = self.iv;
        let sealed = if self.scheme == Scheme::Tls12Explicit {
            let (explicit, sealed) = body.split_at_checked(8)?;
            nonce[4..].copy_from_slice(explicit);
            sealed
        } else {
            nonce[4..].iter_mut().zip(sequence.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
            body
        };
        let length = sealed.len().checked_sub(TAG)?;
        plain.clear();
        plain.extend_from_slice(sealed);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = match self.scheme {
            Scheme::Tls13 => self.key.open_in_place(nonce, Aad::from(header.to_bytes()), plain),
            // number 8 | type 1 | version 2 | length of the plaintext 2
            Scheme::Tls12 | Scheme::Tls12Explicit => {
                let mut additional = [0; 13];
                additional[..8].copy_from_slice(&sequence.to_be_bytes());
                let length = u16::try_from(length).ok()?;
                additional[8..].copy_from_slice(&Header { length, ..header }.to_bytes());
                self.key.open_in_place(nonce, Aad::from(additional), plain)
            }
        };
        opened.ok()?;
        plain.truncate(length);
        Some(())
    }
}

impl std::fmt::Debug for Aead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aead").field("suite", &self.suite).finish_non_exhaustive()
    }
}

fn bind(aead: &'static Algorithm, key: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(aead, key).ok().map(LessSafeKey::new)
}

/// The cipher suites of TLS 1.3 (RFC 8446 §B.4), but for CCM's.
fn cipher13(suite: u16) -> Option<(&'static Algorithm, hkdf::Algorithm)> {
    match suite {
        0x1301 => Some((&AES_128_GCM, HKDF_SHA256)),
        0x1302 => Some((&AES_256_GCM, HKDF_SHA384)),
        0x1303 => Some((&CHACHA20_POLY1305, HKDF_SHA256)),
        _ => None,
    }
}

/// The AEAD suites of TLS 1.2 that are in use (RFC 5288, RFC 5289, RFC 5487, RFC 7905), but for CCM's.
fn cipher12(suite: u16) -> Option<(&'static Algorithm, Prf, Scheme)> {
    match suite {
        0x009c | 0x009e | 0x00a2 | 0x00a8 | 0x00aa | 0xc02b | 0xc02d | 0xc02f | 0xc031 => {
            Some((&AES_128_GCM, Prf::Sha256, Scheme::Tls12Explicit))
        }
        0x009d | 0x009f | 0x00a3 | 0x00a9 | 0x00ab | 0xc02c | 0xc02e | 0xc030 | 0xc032 => {
            Some((&AES_256_GCM, Prf::Sha384, Scheme::Tls12Explicit))
        }
        0xcca8..=0xccae => Some((&CHACHA20_POLY1305, Prf::Sha256, Scheme::Tls12)),
        _ => None,
    }
}

const TAG: usize = 16;
