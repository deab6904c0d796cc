//! HMAC of all that comes before it, at the end of the ticket (RFC 5077 §4).

use aws_lc_rs::digest::{SHA512, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256};

use super::{Guess, Layout};

/// The key that `ticket` is authenticated under, if it is one of [`Guess::all`].
pub(super) fn guess(ticket: &[u8]) -> Option<(Guess, Layout)> {
    let sha256 = Sealed::new(ticket, HMAC_SHA256, 32);
    let sha1 = Sealed::new(ticket, HMAC_SHA1_FOR_LEGACY_USE_ONLY, 20).filter(Sealed::is_gnutls);
    Guess::all().find_map(|guess| {
        let is_key = |sealed: Option<Sealed<'_>>, length| {
            sealed.zip(guess.key(length)).is_some_and(|(sealed, key)| sealed.is_under(key.as_bytes()))
        };
        let layout = if mac_lengths(guess).iter().any(|length| is_key(sha256, *length)) {
            Layout::Mac
        } else if is_key(sha1, GNUTLS_KEY) {
            Layout::GnuTls
        } else if sha256.zip(go(guess)).is_some_and(|(sealed, key)| sealed.is_under(&key)) {
            Layout::Go
        } else {
            return None;
        };
        Some((guess, layout))
    })
}

/// A ticket with a MAC.
#[derive(Clone, Copy)]
struct Sealed<'a> {
    algorithm: hmac::Algorithm,
    bytes: &'a [u8],
    mac: &'a [u8],
}

impl<'a> Sealed<'a> {
    fn new(ticket: &'a [u8], algorithm: hmac::Algorithm, length: usize) -> Option<Self> {
        let (bytes, mac) = ticket.split_at_checked(ticket.len().checked_sub(length)?)?;
        (!bytes.is_empty()).then_some(Self { algorithm, bytes, mac })
    }

    fn is_under(&self, key: &[u8]) -> bool {
        hmac::verify(&hmac::Key::new(self.algorithm, key), self.bytes, self.mac).is_ok()
    }

    /// Whether a length of 2 bytes stands where GnuTLS has it, and fits.
    fn is_gnutls(&self) -> bool {
        let behind = self.bytes.get(GNUTLS_LENGTH_AT..).and_then(|rest| rest.split_first_chunk());
        behind.is_some_and(|(length, state)| usize::from(u16::from_be_bytes(*length)) == state.len())
    }
}

/// How long a key for HMAC may be, each length being another key: zeros at the end make none (RFC 2104 §2).
fn mac_lengths(guess: Guess) -> &'static [usize] {
    match guess {
        Guess::Constant(0) => &[16],
        Guess::Half(_) => &[],
        _ => &[16, 32, 64],
    }
}

/// The key for HMAC that Go makes of a secret of 32 bytes: SHA-512 of it is key name 16 | AES-128 16 | HMAC 16 | unused 16.
fn go(guess: Guess) -> Option<[u8; 16]> {
    let hash = digest(&SHA512, guess.key(32)?.as_bytes());
    hash.as_ref().get(32..)?.first_chunk().copied()
}

// Key name 16 | cipher key 32 | MAC key 16.
const GNUTLS_KEY: usize = 16;
// Behind key name 16 | IV 16.
const GNUTLS_LENGTH_AT: usize = 32;
