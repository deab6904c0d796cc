//! A server with a fault.

use std::thread;
use std::time::Duration;

use super::service::{self, Conversation, Gone};
use crate::pki::Identity;
use crate::upstream::{BODY, Upstream};

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
    /// It sends ServerHello, and never says another word.
    HangsAfterServerHello,
    /// It sends ServerHello, and then a certificate that goes on as long as somebody takes it.
    EndlessCertificate,
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
    start_as(move || fault, identity)
}

/// The same, with whatever fault it is to have when a connection comes.
pub fn start_as(fault: impl Fn() -> Fault + Send + Sync + 'static, identity: &Identity) -> Upstream {
    service::start(service::config(identity), move |client| {
        // Whether it got as far as its fault, or the client left before, is the same to us.
        let _ = behave(fault(), client);
    })
}

fn behave(fault: Fault, client: &mut Conversation) -> Result<(), Gone> {
    match fault {
        Fault::Silent => while client.served.read().is_some() {},
        Fault::Garbage => {
            client.served.read();
            client.send(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")?;
        }
        Fault::EndsAfterClientHello => drop(client.flight()?),
        Fault::EndsInServerHello => {
            let flight = client.flight()?;
            client.send(&flight[..server_hello(&flight) / 2])?;
        }
        Fault::HangsAfterServerHello => {
            let flight = client.flight()?;
            client.send(&flight[..server_hello(&flight)])?;
            client.deaf();
        }
        Fault::EndlessCertificate => {
            let flight = client.flight()?;
            client.send(&flight[..server_hello(&flight)])?;
            // handshake 22 | version 3.3 | length 16384 | Certificate 11 | length 2^24-1
            let mut record = vec![22, 3, 3, 0x40, 0];
            record.extend([11, 0xff, 0xff, 0xff]);
            record.resize(HEADER + 0x4000, 0);
            client.send(&record)?;
            record[HEADER..HEADER + 4].fill(0);
            loop {
                client.send(&record)?;
            }
        }
        Fault::EndsAfterHandshake => client.handshake()?,
        Fault::EndlessHead => {
            client.read_head()?;
            client.write(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                client.write(b"X-And-Another: one\r\n")?;
            }
        }
        Fault::Slow(pause) => {
            client.read_head()?;
            for byte in answer().bytes() {
                thread::sleep(pause);
                client.write(&[byte])?;
            }
            client.close_notify()?;
        }
        Fault::Truncates => {
            client.read_head()?;
            client.write(answer().as_bytes())?;
        }
        Fault::None => {
            client.read_head()?;
            client.write(answer().as_bytes())?;
            client.close_notify()?;
        }
    }
    Ok(())
}

/// How long the record of ServerHello is, the first of a flight.
fn server_hello(flight: &[u8]) -> usize {
    // Its length is in bytes 3 and 4.
    HEADER + usize::from(u16::from_be_bytes([flight[3], flight[4]]))
}

/// Only its close says where it ends.
fn answer() -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n{BODY}")
}

/// The length of a record's header.
const HEADER: usize = 5;
