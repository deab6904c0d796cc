//! The server's side of one TLS connection, without I/O.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::UnbufferedServerConnection;
use rustls::{CipherSuite, Error, HandshakeKind};

use crate::buffer::Buffer;
use crate::client_chain;
use crate::engine::{Engine, Fed, Side};
use crate::reason::Outcome;
use crate::ticketer::Ticketer;

/// The server's side of a TLS connection.
pub struct Session {
    engine: Engine<UnbufferedServerConnection>,
    /// Until the handshake is over.
    ticketer: Option<Arc<Ticketer>>,
}

impl Session {
    pub(crate) fn new(tls: UnbufferedServerConnection, ticketer: Arc<Ticketer>) -> Self {
        Self { engine: Engine::new(tls), ticketer: Some(ticketer) }
    }

    /// The chain the client showed, its own certificate first; in a resumed connection the one
    /// of the session.
    pub fn client_chain(&self) -> Option<&[CertificateDer<'static>]> {
        self.engine.tls().peer_certificates()
    }

    /// The negotiated application protocol.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.engine.tls().alpn_protocol()
    }

    /// The negotiated cipher suite; rustls spells those of TLS 1.3 with a prefix of its own.
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        self.engine.tls().negotiated_cipher_suite().map(|suite| suite.suite())
    }
}

impl Side for Session {
    type Connection = UnbufferedServerConnection;
    type Outcome = Outcome;
    const FIN_FOLLOWS: bool = true;

    fn engine(&self) -> &Engine<Self::Connection> {
        &self.engine
    }

    fn engine_mut(&mut self) -> &mut Engine<Self::Connection> {
        &mut self.engine
    }

    fn feed(&mut self, incoming: &mut [u8], plain: &mut Buffer, outgoing: &mut Buffer) -> Result<Fed, Error> {
        let fed = self.engine.feed(incoming, plain, outgoing);
        // The client's certificate and its last flight may come apart, and other connections between them.
        if let (Some(ticketer), Some(chain)) = (&self.ticketer, client_chain::take_verified()) {
            ticketer.client_showed(chain);
        }
        fed
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        if self.engine.is_handshaking() {
            return None;
        }
        let version = self.engine.tls().protocol_version()?;
        let kind = self.engine.tls().handshake_kind()?;
        Some(self.ticketer.take()?.outcome(version, kind))
    }

    /// Where the client's flight ends the handshake: always in TLS 1.3, and in TLS 1.2 when it is resumed.
    fn acknowledges_at_once(&self) -> bool {
        self.engine.is_tls13() || self.engine.tls().handshake_kind() == Some(HandshakeKind::Resumed)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("handshaking", &self.engine.is_handshaking())
            .field("held", &self.engine.held())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
