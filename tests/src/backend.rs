//! TLS servers to stand behind an edge: the ones people run, one that misbehaves, and services of our own.
//!
//! Those people run answer any GET with `200 OK`, and say for themselves how many handshakes they have seen that were
//! full, and how many resumed. What each does with sessions is in `tests/tests/backends.rs`.

pub mod bad;
pub mod gnutls;
pub mod go;
pub mod h2o;
pub mod haproxy;
pub mod java;
pub mod nginx;
pub mod openssl;
pub(crate) mod process;
pub mod service;

use std::net::SocketAddr;

use crate::client::Version;
use crate::deadline;

/// A server with a count of its handshakes.
pub trait Backend {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// The handshakes it has finished, as it says itself.
    fn handshakes(&self) -> Handshakes;

    /// The full ones of them.
    fn full(&self) -> u64 {
        self.handshakes().full
    }

    /// The resumed ones of them.
    fn resumed(&self) -> u64 {
        self.handshakes().resumed
    }

    /// Waits until it has counted as many handshakes, then asserts that it is these. A client may know of the end of a
    /// handshake before the server does.
    fn expect_handshakes(&self, full: u64, resumed: u64) {
        let _ = deadline::within(deadline::PATIENCE, || {
            let seen = self.handshakes();
            (seen.full + seen.resumed >= full + resumed).then_some(())
        });
        assert_eq!(self.handshakes(), Handshakes { full, resumed });
    }
}

/// How many handshakes of each kind.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub struct Handshakes {
    /// With a certificate.
    pub full: u64,
    /// With a session of before.
    pub resumed: u64,
}

/// The only version a server speaks, and how sessions are resumed in it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Resumption {
    /// TLS 1.2, where the server keeps the sessions.
    SessionIds,
    /// TLS 1.2, where the client keeps them, sealed.
    Tickets,
    /// TLS 1.3.
    Tls13,
}

impl Resumption {
    /// The version.
    pub fn version(self) -> Version {
        match self {
            Self::SessionIds | Self::Tickets => Version::Tls12,
            Self::Tls13 => Version::Tls13,
        }
    }
}

impl Handshakes {
    fn count(&mut self, resumed: bool) {
        *if resumed { &mut self.resumed } else { &mut self.full } += 1;
    }
}
