//! A server with a fault.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::{ServerConfig, ServerConnection};

use crate::pki::Identity;
use crate::upstream::{BODY, Served, Upstream};

/// What a server does wrong. Where it ends a connection it does so by FIN, and goes on reading.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It accepts, reads, and never says a word.
    Silent,
    /// It answers ClientHello with what is not TLS, and ends.
    Garbage,
    /// It reads ClientHello, and ends.
    EndsAfterClientHello,
    /// It sends half of the record that holds ServerHello, and ends.
    EndsInServerHello,
    /// It ends after the handshake, without close_notify.
    EndsAfterHandshake,
    /// It answers a request with a head that goes on as long as somebody takes it.
    EndlessHead,
    /// It answers a request byte by byte, a record each, and waits as long before every one. It ends by close_notify.
    Slow(Duration),
    /// It answers a request without saying how long the answer is, and ends without close_notify.
    Truncates,
    /// Nothing: it does the same, and ends by close_notify.
    None,
}

/// A server with this certificate and fault, for TLS 1.2 and TLS 1.3. What it records is what came in on the wire.
pub fn start(fault: Fault, identity: &Identity) -> Upstream {
    let (chain, key) = identity.read();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    Upstream::serving(move |served| {
        let tls = ServerConnection::new(config.clone()).unwrap();
        let mut connection = Connection { served, tls };
        // Whether it got as far as its fault, or the client left before, is the same to us.
        let _ = connection.behave(fault);
        connection.served.finish();
        while connection.served.read().is_some() {}
    })
}

struct Connection {
    served: Served,
    tls: ServerConnection,
}

/// The client is gone, or what it sent is not TLS.
struct Gone;

impl Connection {
    fn behave(&mut self, fault: Fault) -> Result<(), Gone> {
        match fault {
            Fault::Silent => while self.served.read().is_some() {},
            Fault::Garbage => {
                self.served.read();
                self.send(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")?;
            }
            Fault::EndsAfterClientHello => drop(self.flight()?),
            Fault::EndsInServerHello => {
                let flight = self.flight()?;
                // ServerHello is in the first record: its length is in bytes 3 and 4.
                let length = usize::from(u16::from_be_bytes([flight[3], flight[4]]));
                self.send(&flight[..HEADER + length / 2])?;
            }
            Fault::EndsAfterHandshake => self.handshake()?,
            Fault::EndlessHead => {
                self.request()?;
                self.write(b"HTTP/1.1 200 OK\r\n")?;
                loop {
                    self.write(b"X-And-Another: one\r\n")?;
                }
            }
            Fault::Slow(pause) => {
                self.request()?;
                for byte in answer().bytes() {
                    thread::sleep(pause);
                    self.write(&[byte])?;
                }
                self.close_notify()?;
            }
            Fault::Truncates => {
                self.request()?;
                self.write(answer().as_bytes())?;
            }
            Fault::None => {
                self.request()?;
                self.write(answer().as_bytes())?;
                self.close_notify()?;
            }
        }
        Ok(())
    }

    /// Reads ClientHello; gives the answer to it, unsent.
    fn flight(&mut self) -> Result<Vec<u8>, Gone> {
        let mut flight = Vec::new();
        while flight.is_empty() {
            self.receive()?;
            flight = self.pending();
        }
        Ok(flight)
    }

    fn handshake(&mut self) -> Result<(), Gone> {
        while self.tls.is_handshaking() {
            self.receive()?;
            self.flush()?;
        }
        Ok(())
    }

    /// Completes the handshake, and reads up to and with an empty line.
    fn request(&mut self) -> Result<(), Gone> {
        self.handshake()?;
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            // What there is came along with the end of the handshake, or has to be waited for.
            let before = head.len();
            let _ = self.tls.reader().read_to_end(&mut head);
            if head.len() == before {
                self.receive()?;
            }
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.tls.writer().write_all(bytes).map_err(|_| Gone)?;
        self.flush()
    }

    fn close_notify(&mut self) -> Result<(), Gone> {
        self.tls.send_close_notify();
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Gone> {
        let pending = self.pending();
        self.send(&pending)
    }

    /// What TLS has to send.
    fn pending(&mut self) -> Vec<u8> {
        let mut pending = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut pending).unwrap();
        }
        pending
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        if self.served.write(bytes) { Ok(()) } else { Err(Gone) }
    }

    fn receive(&mut self) -> Result<(), Gone> {
        let bytes = self.served.read().ok_or(Gone)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest).map_err(|_| Gone)?;
            self.tls.process_new_packets().map_err(|_| Gone)?;
        }
        Ok(())
    }
}

/// Only its close says where it ends.
fn answer() -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n{BODY}")
}

/// The length of a record's header.
const HEADER: usize = 5;
