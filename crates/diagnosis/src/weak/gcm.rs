//! AES-GCM, where the tag tells whether the key is right.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

use super::{Guess, Layout};

/// The ciphers that a guess makes.
pub(super) struct Keys([Option<(usize, LessSafeKey)>; 2]);

impl Keys {
    pub(super) fn of(guess: Guess) -> Self {
        Self([(&AES_128_GCM, 16), (&AES_256_GCM, 32)].map(|(algorithm, length)| {
            let key = guess.key(length).and_then(|key| opening(algorithm, key.as_bytes()))?;
            Some((8 * length, key))
        }))
    }

    /// How `ticket` is sealed, if it opens with one of them.
    pub(super) fn open(&self, ticket: &[u8]) -> Option<Layout> {
        let mut room = vec![0; ticket.len()];
        self.0.iter().flatten().find_map(|(bits, key)| {
            let form = FORMS.iter().find(|form| form.opens(ticket, key, &mut room))?;
            Some(Layout::Gcm { bits: *bits, nonce: form.nonce })
        })
    }
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
