//! AES-GCM, where the tag tells whether the key is right.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

use super::{Guess, Layout};

/// The key that `ticket` is sealed under, if it is one of [`Guess::all`].
pub(super) fn guess(ticket: &[u8]) -> Option<(Guess, Layout)> {
    let mut room = vec![0; ticket.len()];
    for guess in Guess::all() {
        for (algorithm, length) in [(&AES_128_GCM, 16), (&AES_256_GCM, 32)] {
            let Some(key) = guess.key(length).and_then(|key| opening(algorithm, key.as_bytes())) else {
                continue;
            };
            let found = FORMS.iter().find(|form| form.opens(ticket, &key, &mut room));
            if let Some(form) = found {
                return Some((guess, Layout::Gcm { bits: 8 * length, nonce: form.nonce }));
            }
        }
    }
    None
}

/// Where things stand in a ticket; the tag of 16 bytes is its end.
struct Form {
    /// Where the nonce of 12 bytes begins.
    nonce: usize,
    /// How much of the front is authenticated and not encrypted.
    clear: usize,
    /// Where the ciphertext begins.
    sealed: usize,
}

impl Form {
    fn opens(&self, ticket: &[u8], key: &LessSafeKey, room: &mut [u8]) -> bool {
        let parts = || {
            let nonce = Nonce::try_assume_unique_for_key(ticket.get(self.nonce..self.nonce + NONCE)?).ok()?;
            Some((nonce, Aad::from(ticket.get(..self.clear)?), ticket.get(self.sealed..)?))
        };
        parts().is_some_and(|(nonce, clear, sealed)| {
            let room = &mut room[..sealed.len()];
            room.copy_from_slice(sealed);
            key.open_in_place(nonce, clear, room).is_ok()
        })
    }
}

fn opening(algorithm: &'static Algorithm, key: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)
}

const NONCE: usize = 12;

const FORMS: [Form; 4] = [
    // Mbed TLS: key name 4 | nonce 12 | length 2 | sealed
    Form { nonce: 4, clear: 18, sealed: 18 },
    // key name 16 | nonce 12 | sealed, the name authenticated or not
    Form { nonce: 16, clear: 16, sealed: 28 },
    Form { nonce: 16, clear: 0, sealed: 28 },
    // nonce 12 | sealed
    Form { nonce: 0, clear: 0, sealed: 12 },
];
