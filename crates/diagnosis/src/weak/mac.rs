//! HMAC of all that comes before it, at the end of the ticket (RFC 5077 §4).

use aws_lc_rs::digest::{SHA512, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, Key};

use super::{Guess, Layout};

/// The keys for HMAC that a guess makes.
pub(super) struct Keys {
    sha256: Vec<Key>,
    gnutls: Option<Key>,
    go: Option<Key>,
}

impl Keys {
    pub(super) fn of(guess: Guess) -> Self {
        let key = |algorithm, length| Some(Key::new(algorithm, guess.key(length)?.as_bytes()));
        Self {
            sha256: mac_lengths(guess).iter().filter_map(|length| key(HMAC_SHA256, *length)).collect(),
            gnutls: key(HMAC_SHA1_FOR_LEGACY_USE_ONLY, GNUTLS_KEY),
            go: go(guess).map(|key| Key::new(HMAC_SHA256, &key)),
        }
    }

    /// How `ticket` is sealed, if it is authentic under one of them.
    pub(super) fn authenticate(&self, ticket: &[u8]) -> Option<Layout> {
        let sha256 = Sealed::new(ticket, 32)?;
        let is_gnutls = |key| Sealed::new(ticket, 20).is_some_and(|sealed| sealed.is_gnutls() && sealed.is_under(key));
        if self.sha256.iter().any(|key| sha256.is_under(key)) {
            Some(Layout::Mac)
        } else if self.gnutls.as_ref().is_some_and(is_gnutls) {
            Some(Layout::GnuTls)
        } else if self.go.as_ref().is_some_and(|key| sha256.is_under(key)) {
            Some(Layout::Go)
        } else {
            None
        }
    }
}

/// A ticket with a MAC.
struct Sealed<'a> {
    bytes: &'a [u8],
    mac: &'a [u8],
}

impl<'a> Sealed<'a> {
    fn new(ticket: &'a [u8], length: usize) -> Option<Self> {
        let (bytes, mac) = ticket.split_at_checked(ticket.len().checked_sub(length)?)?;
        (!bytes.is_empty()).then_some(Self { bytes, mac })
    }

    fn is_under(&self, key: &Key) -> bool {
        hmac::verify(key, self.bytes, self.mac).is_ok()
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
