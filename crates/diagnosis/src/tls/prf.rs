//! Keys of TLS 1.0 to 1.2, from a master secret.

use aws_lc_rs::hmac::{Context, HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key};
use aws_lc_rs::tls_prf::{self, P_SHA256, P_SHA384};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use zeroize::Zeroizing;

/// What keys are derived by.
#[derive(Clone, Copy)]
pub(super) enum Prf {
    /// Both hashes of TLS 1.0 and 1.1 (RFC 2246 §5).
    Md5Sha1,
    /// The hash of most suites of TLS 1.2 (RFC 5246 §5).
    Sha256,
    Sha384,
}

impl Prf {
    /// The first bytes of the key block (RFC 5246 §6.3), `length` of them.
    pub(super) fn key_block(self, master: &[u8], server: &[u8; 32], client: &[u8; 32], length: usize) -> Option<Block> {
        let algorithm = match self {
            Self::Md5Sha1 => return legacy(master, &[LABEL, server, client].concat(), length),
            Self::Sha256 => &P_SHA256,
            Self::Sha384 => &P_SHA384,
        };
        let master = tls_prf::Secret::new(algorithm, master).ok()?;
        let block = master.derive_with_seed_concatination(LABEL, server, client, length).ok()?;
        Some(Zeroizing::new(block.as_ref().to_vec()))
    }
}

/// Keys of both sides, behind one another.
pub(super) type Block = Zeroizing<Vec<u8>>;

/// P_MD5 of one half of the secret, XORed with P_SHA-1 of the other (RFC 2246 §5).
fn legacy(secret: &[u8], seed: &[u8], length: usize) -> Option<Block> {
    let half = secret.len().div_ceil(2); // of an odd secret, they share a byte
    let (first, second) = (secret.get(..half)?, secret.get(secret.len() - half..)?);
    let md5 = Hmac::<Md5>::new_from_slice(first).ok()?;
    let sha1 = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, second);
    let mut block = Zeroizing::new(vec![0; length]);
    expand(seed, &mut block, |parts| {
        let mut mac = md5.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().to_vec()
    });
    expand(seed, &mut block, |parts| {
        let mut mac = Context::with_key(&sha1);
        parts.iter().for_each(|part| mac.update(part));
        mac.sign().as_ref().to_vec()
    });
    Some(block)
}

/// XORs P_hash into `block`, where `mac` is HMAC with the secret (RFC 2246 §5).
fn expand(seed: &[u8], block: &mut [u8], mac: impl Fn(&[&[u8]]) -> Vec<u8>) {
    let mut link = mac(&[seed]);
    let mut left = block;
    while !left.is_empty() {
        let bytes = Zeroizing::new(mac(&[&link, seed]));
        let (now, later) = left.split_at_mut(left.len().min(bytes.len()));
        now.iter_mut().zip(&*bytes).for_each(|(byte, mask)| *byte ^= mask);
        link = mac(&[&link]);
        left = later;
    }
}

const LABEL: &[u8] = b"key expansion";
