//! Protects the records of one side (RFC 8446 §5.2).

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey};

use super::suite::{Secret, Suite};

/// The types of records.
pub(super) mod content {
    pub(in super::super) const CHANGE_CIPHER_SPEC: u8 = 20;
    pub(in super::super) const ALERT: u8 = 21;
    pub(in super::super) const HANDSHAKE: u8 = 22;
    pub(in super::super) const APPLICATION_DATA: u8 = 23;
}

/// The keys of one side, and the number of its next record.
pub(super) struct Cipher {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Cipher {
    /// From a traffic secret (RFC 8446 §7.3).
    pub(super) fn new(suite: &Suite, secret: &Secret) -> Self {
        let mut key = vec![0; suite.aead.key_len()];
        let mut iv = [0; 12];
        suite.expand(secret, "key", &[], &mut key);
        suite.expand(secret, "iv", &[], &mut iv);
        let key = UnboundKey::new(suite.aead, &key).expect("as long as the cipher wants it");
        Self { key: LessSafeKey::new(key), iv, sequence: 0 }
    }

    /// A record that holds `plain`, which has no more than 2^14 bytes.
    pub(super) fn seal(&mut self, kind: u8, plain: &[u8]) -> Vec<u8> {
        let mut body = [plain, &[kind]].concat();
        let header = header(content::APPLICATION_DATA, body.len() + TAG);
        let nonce = self.nonce();
        self.key.seal_in_place_append_tag(nonce, Aad::from(header), &mut body).expect("a short plaintext");
        [&header[..], &body].concat()
    }

    /// What a record holds, and of what type that is.
    pub(super) fn open(&mut self, header: [u8; 5], mut body: Vec<u8>) -> Option<(u8, Vec<u8>)> {
        let nonce = self.nonce();
        let length = self.key.open_in_place(nonce, Aad::from(header), &mut body).ok()?.len();
        body.truncate(length);
        // Zeros for padding stand behind the type.
        let end = body.iter().rposition(|byte| *byte != 0)?;
        let kind = body[end];
        body.truncate(end);
        Some((kind, body))
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// The header of a record: type 1 | legacy version 2 | length 2.
pub(super) fn header(kind: u8, length: usize) -> [u8; 5] {
    let [high, low] = u16::try_from(length).expect("a record is shorter than 2^16 bytes").to_be_bytes();
    [kind, 3, 3, high, low]
}

const TAG: usize = 16;
