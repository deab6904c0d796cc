//! What a server says in EncryptedExtensions, read off the wire with the secret the client logs.

use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use rustls::KeyLog;

use crate::reader::Reader;

/// The secret a client decrypts the server's handshake with.
#[derive(Debug, Default)]
pub(super) struct ServerSecret(Mutex<Vec<u8>>);

impl KeyLog for ServerSecret {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        if label == "SERVER_HANDSHAKE_TRAFFIC_SECRET" {
            *self.0.lock().unwrap() = secret.to_vec();
        }
    }
}

impl ServerSecret {
    /// The body of an extension in `flight`, which begins with ServerHello and has TLS_AES_128_GCM_SHA256.
    pub(super) fn extension(self: &Arc<Self>, flight: &[u8], wanted: u16) -> Option<Vec<u8>> {
        let content = self.decrypt(first_encrypted(flight));
        let [ENCRYPTED_EXTENSIONS, _, _, _, body @ ..] = content.as_slice() else {
            panic!("no EncryptedExtensions: {content:?}");
        };
        let mut extensions = Reader::new(Reader::new(body).vec16().unwrap());
        while !extensions.is_empty() {
            let (kind, body) = (extensions.u16().unwrap(), extensions.vec16().unwrap());
            if kind == wanted {
                return Some(body.to_vec());
            }
        }
        None
    }

    /// The server's first record under this secret (RFC 8446 §5.2, §7.3).
    fn decrypt(&self, record: &[u8]) -> Vec<u8> {
        let (header, body) = record.split_at(5);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &self.expand(b"tls13 key", 16)).unwrap());
        // The first record's number is 0, which leaves the IV as it is.
        let nonce = Nonce::try_assume_unique_for_key(&self.expand(b"tls13 iv", 12)).unwrap();
        let mut body = body.to_vec();
        key.open_in_place(nonce, Aad::from(header), &mut body).unwrap().to_vec()
    }

    /// HKDF-Expand-Label without a context (RFC 8446 §7.1).
    fn expand(&self, label: &[u8], length: u8) -> Vec<u8> {
        let secret = Prk::new_less_safe(HKDF_SHA256, &self.0.lock().unwrap());
        let info = [&[0, length, label.len() as u8], label, &[0]].concat();
        let mut expanded = vec![0; usize::from(length)];
        secret.expand(&[&info], Length(length)).unwrap().fill(&mut expanded).unwrap();
        expanded
    }
}

struct Length(u8);

impl KeyType for Length {
    fn len(&self) -> usize {
        usize::from(self.0)
    }
}

fn first_encrypted(mut flight: &[u8]) -> &[u8] {
    loop {
        let length = 5 + usize::from(u16::from_be_bytes([flight[3], flight[4]]));
        let (record, rest) = flight.split_at(length);
        if record[0] == APPLICATION_DATA {
            return record;
        }
        flight = rest;
    }
}

const APPLICATION_DATA: u8 = 23;
const ENCRYPTED_EXTENSIONS: u8 = 8;
