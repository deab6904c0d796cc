//! Asking an admin address.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use crate::failure::Failure;

/// Whom a command asks.
#[derive(Debug, Args)]
pub(super) struct Admin {
    /// The admin address of a running edge or server of keys (HOST:PORT)
    #[arg(long = "admin", value_name = "ADDR", default_value = "127.0.0.1:9900")]
    pub(super) address: String,
}

/// What the other side said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Admin {
    /// `request` is the request line and headers of its own, without those that every request has.
    pub(super) fn ask(&self, request: &str) -> Result<Answer, Failure> {
        let address = &self.address;
        let bytes = self.exchange(request).map_err(|error| {
            Failure::Run(anyhow!(
                "{address} does not answer: {error}; is raincheck running, and is this its admin address (`admin` in [edge], \
                 [serve] or [agent])? Name another with --admin ADDR"
            ))
        })?;
        Answer::read(&bytes).ok_or_else(|| self.is_no_raincheck())
    }

    /// Somebody answered, and it is not raincheck.
    pub(super) fn is_no_raincheck(&self) -> Failure {
        Failure::Run(anyhow!(
            "{} does not answer as raincheck's admin address does; name that (`admin` in [edge], [serve] or [agent]) with \
             --admin ADDR",
            self.address
        ))
    }

    fn exchange(&self, request: &str) -> std::io::Result<Vec<u8>> {
        let mut last = std::io::Error::other("it has no address");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(mut stream) => {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    write!(stream, "{request}\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
                    let mut bytes = Vec::new();
                    stream.take(LARGEST).read_to_end(&mut bytes)?;
                    return Ok(bytes);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Answer {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (head, body) = std::str::from_utf8(bytes).ok()?.split_once("\r\n\r\n")?;
        let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        Some(Self { status, body: body.to_owned() })
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of an answer that are read: ten thousand nodes and more.
const LARGEST: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let read = |text: &str| Answer::read(text.as_bytes()).map(|answer| (answer.status, answer.body));
        assert_eq!(read("HTTP/1.1 409 Conflict\r\nA: b\r\n\r\nit is\n"), Some((409, "it is\n".to_owned())));
        for text in ["", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 2\r\n\r\n", "HTTP/1.1 x00 y\r\n\r\n", "HTTP/1.1 200 OK\r\n"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
