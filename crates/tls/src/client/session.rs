//! The client's side of one TLS connection, without I/O.

use std::fmt;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::{Error, HandshakeKind, ProtocolVersion};

use super::offer::Offer;
use crate::buffer::Buffer;
use crate::engine::{Engine, Fed, Side};
use crate::hello;
use crate::reason::Kind;

/// The client's side of a TLS connection.
pub struct ClientSession {
    engine: Engine<UnbufferedClientConnection>,
    offer: Arc<Offer>,
    /// What will have resumed, if anything; unknown until there is a ClientHello.
    offered: Option<Kind>,
    /// Bytes of the handshake that came since our last flight.
    heard: usize,
    is_told: bool,
}

/// What is known of a handshake with a server once it is over.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ClientOutcome {
    /// The negotiated version.
    pub version: ProtocolVersion,
    /// Full, or resumed and by what.
    pub kind: Kind,
    /// Whether a session was offered and the handshake was full all the same.
    pub refused: bool,
}

impl ClientSession {
    pub(super) fn new(tls: UnbufferedClientConnection, offer: Arc<Offer>) -> Self {
        Self { engine: Engine::new(tls), offer, offered: None, heard: 0, is_told: false }
    }
}

impl Side for ClientSession {
    type Connection = UnbufferedClientConnection;
    type Outcome = ClientOutcome;
    const FIN_FOLLOWS: bool = false;

    fn engine(&self) -> &Engine<Self::Connection> {
        &self.engine
    }

    fn engine_mut(&mut self) -> &mut Engine<Self::Connection> {
        &mut self.engine
    }

    fn feed(&mut self, incoming: &mut [u8], plain: &mut Buffer, outgoing: &mut Buffer) -> Result<Fed, Error> {
        let fed = self.engine.feed(incoming, plain, outgoing);
        if self.offered.is_none() {
            self.offered = Some(offered_by(outgoing.filled(), self.offer.has_tls12()));
        }
        match &fed {
            // While a message is incomplete, those before it are not done with either, though a ticket among them is known.
            Ok(fed) if fed.overhead > 0 => {
                self.heard += fed.overhead;
                self.offer.settle(self.heard, self.engine.tls().peer_certificates());
                // A ticket of TLS 1.2 is a session only with Finished, which may come in another read.
                if !outgoing.is_empty() || !self.engine.is_handshaking() {
                    self.heard = 0;
                }
            }
            Ok(_) => {}
            Err(_) => self.offer.broke(),
        }
        fed
    }

    fn take_outcome(&mut self) -> Option<ClientOutcome> {
        if self.is_told || self.engine.is_handshaking() {
            return None;
        }
        let version = self.engine.tls().protocol_version()?;
        let offered = self.offered.unwrap_or(Kind::Full);
        let kind = match self.engine.tls().handshake_kind()? {
            HandshakeKind::Resumed => offered,
            _ => Kind::Full,
        };
        let refused = kind == Kind::Full && offered != Kind::Full;
        if kind == Kind::Full {
            self.offer.refused();
        }
        self.is_told = true;
        Some(ClientOutcome { version, kind, refused })
    }

    /// The client speaks next, as often as not, and its request acknowledges what came before.
    fn acknowledges_at_once(&self) -> bool {
        false
    }
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSession").field("handshaking", &self.engine.is_handshaking()).finish_non_exhaustive()
    }
}

/// What the ClientHello in `records` would resume by. rustls does not say, and may have thought better of what it was given.
/// A session ID is random unless there `is_one_of_tls12` (RFC 8446 §4.1.2).
fn offered_by(records: &[u8], is_one_of_tls12: bool) -> Kind {
    let hello::Read::Hello(hello) = hello::read(records) else {
        return Kind::Full;
    };
    if hello.psk_identities > 0 {
        Kind::Psk
    } else if hello.ticket.is_some_and(|ticket| !ticket.is_empty()) {
        Kind::Ticket
    } else if is_one_of_tls12 && !hello.session_id.is_empty() {
        Kind::SessionId
    } else {
        Kind::Full
    }
}
