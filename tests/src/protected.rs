//! TLS 1.3 records encrypted by hand, for what no library would send.

use std::io::Write;
use std::net::TcpStream;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::ConnectionTrafficSecrets;

use crate::raw::Connection;
use crate::tap::record::APPLICATION_DATA;

/// The sending half of a TLS 1.3 connection, taken over from the library after the handshake.
pub struct Protected {
    /// The TCP side.
    pub socket: TcpStream,
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Protected {
    /// Takes over. The client's configuration must have `enable_secret_extraction`.
    pub fn take_over(connection: Connection) -> Self {
        let (sequence, secrets) = connection.tls.dangerous_extract_secrets().unwrap().tx;
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            _ => panic!("a suite the tests do not ask for"),
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).unwrap());
        Self { socket: connection.socket, key, iv: iv.as_ref().try_into().unwrap(), sequence }
    }

    /// A record with this content (RFC 9846 §5.2), the next in order.
    pub fn record(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut body = [content, &[kind]].concat();
        let length = u16::try_from(body.len() + AES_128_GCM.tag_len()).unwrap();
        let [high, low] = length.to_be_bytes();
        let header = [APPLICATION_DATA, 3, 3, high, low];
        self.key.seal_in_place_append_tag(self.nonce(), Aad::from(header), &mut body).unwrap();
        self.sequence += 1;
        [&header[..], &body].concat()
    }

    /// Sends records in one write.
    pub fn send(&mut self, records: &[Vec<u8>]) {
        self.socket.write_all(&records.concat()).unwrap();
    }

    /// The record's number, in the IV's last eight bytes.
    fn nonce(&self) -> Nonce {
        let mut nonce = self.iv;
        nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        Nonce::assume_unique_for_key(nonce)
    }
}
