//! A ClientHello made by hand, and what the server says to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::deadline;
use crate::key_file::random;
use crate::tap::record::{self, records};

/// A TLS 1.2 ClientHello: ECDHE with AES-GCM over X25519 and P-256, extended master secret.
#[derive(Clone, Debug)]
pub struct Hello {
    name: String,
    ticket: Option<Vec<u8>>,
}

/// The server's side of the handshake, as far as it goes without another word from the client.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Answered {
    /// Up to ServerHelloDone: a full handshake.
    Full,
    /// Up to ChangeCipherSpec, with no Certificate: the ticket was accepted.
    Abbreviated,
    /// A fatal alert with this description.
    Alert(u8),
    /// The end of TCP, and no alert.
    Nothing,
}

impl Hello {
    /// Asks for `name` and offers nothing.
    pub fn to(name: &str) -> Self {
        Self { name: name.to_owned(), ticket: None }
    }

    /// Offers this ticket, whatever it is.
    pub fn offering(mut self, ticket: &[u8]) -> Self {
        self.ticket = Some(ticket.to_vec());
        self
    }

    /// Offers a ticket of `fill` that makes the message exactly as long as a handshake message of `length` bytes.
    pub fn filled_up_to(self, length: usize, fill: u8) -> Self {
        let empty = self.clone().offering(&[]).message().len();
        self.offering(&vec![fill; length - empty])
    }

    /// The handshake message, with its header of 4 bytes.
    pub fn message(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        let name = [&[0][..], &vector16(self.name.as_bytes())].concat();
        extension(&mut extensions, 0, &vector16(&name));
        extension(&mut extensions, 10, &vector16(&[0, 29, 0, 23]));
        // ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, rsa_pkcs1_sha256
        extension(&mut extensions, 13, &vector16(&[4, 3, 8, 4, 4, 1]));
        extension(&mut extensions, 23, &[]);
        if let Some(ticket) = &self.ticket {
            extension(&mut extensions, 35, ticket);
        }
        let suites = [0xc0, 0x2b, 0xc0, 0x2c, 0xc0, 0x2f, 0xc0, 0x30];
        let body = [
            &[3, 3][..],
            &random(32),
            // A session ID makes the server show that it took the ticket by echoing it (RFC 5077 §3.4).
            &[32],
            &random(32),
            &vector16(&suites),
            &[1, 0],
            &vector16(&extensions),
        ]
        .concat();
        let [_, high, middle, low] = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[1, high, middle, low][..], &body].concat()
    }

    /// The records on the wire.
    pub fn wire(&self) -> Vec<u8> {
        in_records(&self.message())
    }

    /// Sends it, and reads what the server says to it.
    pub fn send(&self, address: SocketAddr) -> Answered {
        send(address, &self.wire())
    }
}

/// Sends any bytes to a server, and reads what it says to them.
pub fn send(address: SocketAddr, bytes: &[u8]) -> Answered {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(deadline::PATIENCE)).unwrap();
    socket.set_write_timeout(Some(deadline::PATIENCE)).unwrap();
    // A server may have seen enough before the last byte; its answer counts.
    let _ = socket.write_all(bytes);
    answer(&mut socket)
}

/// Reads the server's side of the handshake.
pub fn answer(socket: &mut TcpStream) -> Answered {
    let mut server = Vec::new();
    loop {
        if let Some((level, description)) = record::alerts(&server).first() {
            assert_eq!(*level, 2, "what ends a connection is fatal");
            return Answered::Alert(*description);
        }
        if record::handshake_types(&server).last() == Some(&record::SERVER_HELLO_DONE) {
            return Answered::Full;
        }
        if records(&server).iter().any(|record| record.kind == record::CHANGE_CIPHER_SPEC) {
            assert!(record::abbreviated(&server));
            return Answered::Abbreviated;
        }
        let mut buffer = [0; 16 * 1024];
        match socket.read(&mut buffer) {
            Ok(count @ 1..) => server.extend_from_slice(&buffer[..count]),
            Ok(0) | Err(_) => return Answered::Nothing,
        }
    }
}

/// Handshake bytes in records of the largest size.
pub fn in_records(message: &[u8]) -> Vec<u8> {
    message.chunks(1 << 14).flat_map(|chunk| [&[22, 3, 1][..], &vector16(chunk)].concat()).collect()
}

fn extension(extensions: &mut Vec<u8>, kind: u16, body: &[u8]) {
    extensions.extend(kind.to_be_bytes());
    extensions.extend(vector16(body));
}

/// The bytes behind their length in two bytes.
fn vector16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}
