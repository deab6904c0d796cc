//! The client's side: connections to servers, whose sessions are kept so that the next handshake resumes.
//!
//! A [`Connector`] is what all connections to one server share. Each connection has an offer of its own, which knows what
//! session it offered and which it gained, and settles with the server's [`Sessions`].

mod closing;
mod offer;
mod session;
mod sessions;

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, TicketRequest, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, Error};
use tokio::net::TcpStream;

use self::offer::Offer;
pub use self::session::{ClientOutcome, ClientSession};
pub use self::sessions::Sessions;
use crate::channel::Channel;
use crate::endpoint::{self, PREFERRING_AES};
use crate::stream::{HandshakeError, Opened, Stream};

/// A connection to a server, as its client has it.
pub type ClientStream = Stream<ClientSession>;

/// A connection to a server whose handshake is over.
pub type Connected = Opened<ClientSession>;

/// How a client deals with servers.
pub struct ConnectorSettings {
    /// Who verifies servers.
    pub verifier: Arc<dyn ServerCertVerifier>,
    /// What the client shows of itself, where it is asked.
    pub identity: Option<Arc<CertifiedKey>>,
    /// Protocols offered, the preferred one first.
    pub alpn: Vec<Vec<u8>>,
    /// Whether TLS 1.2 will do.
    pub tls12: bool,
}

/// What all connections to one server share.
///
/// A session resumes only with the connector it was made with: whom it trusts and what it shows are part of it.
pub struct Connector {
    config: ClientConfig,
    verifier: Arc<dyn ServerCertVerifier>,
    server_name: ServerName<'static>,
    sessions: Arc<Sessions>,
}

impl Connector {
    /// A connector to the server called `server_name`, of which it keeps `sessions` at most; with 0, none.
    ///
    /// # Errors
    /// What rustls has to say against the combination.
    pub fn new(settings: &ConnectorSettings, server_name: ServerName<'static>, sessions: usize) -> Result<Self, Error> {
        let versions: &[_] = if settings.tls12 {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        } else {
            &[&rustls::version::TLS13]
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(endpoint::provider(&PREFERRING_AES)))
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&settings.verifier));
        let mut config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(identity)))),
        };
        config.alpn_protocols.clone_from(&settings.alpn);
        config.send_ticket_request = (sessions > 0).then_some(TICKETS_ASKED_FOR);
        let verifier = Arc::clone(&settings.verifier);
        Ok(Self { config, verifier, server_name, sessions: Arc::new(Sessions::new(sessions)) })
    }

    /// A connector to the same server, and with the same sessions, that offers other protocols.
    #[must_use]
    pub fn with_alpn(&self, alpn: Vec<Vec<u8>>) -> Self {
        let mut config = self.config.clone();
        config.alpn_protocols = alpn;
        Self {
            config,
            verifier: Arc::clone(&self.verifier),
            server_name: self.server_name.clone(),
            sessions: Arc::clone(&self.sessions),
        }
    }

    /// The server's sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Whose certificate is expected.
    pub fn server_name(&self) -> &ServerName<'static> {
        &self.server_name
    }

    fn connection(&self) -> Result<ClientSession, Error> {
        let offer =
            Arc::new(Offer::new(Arc::clone(&self.sessions), Arc::clone(&self.verifier), self.server_name.clone()));
        let mut config = self.config.clone();
        config.resumption = if self.sessions.capacity() > 0 {
            Resumption::store(Arc::clone(&offer) as _)
        } else {
            Resumption::disabled()
        };
        let tls = UnbufferedClientConnection::new(Arc::new(config), self.server_name.clone())?;
        Ok(ClientSession::new(tls, offer))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl ClientStream {
    /// Takes the client's part of a handshake on `tcp`. Whoever `speaks_first`, and does so at once, saves a packet: the
    /// last flight waits for what is written next.
    ///
    /// There is no limit of time in here: who calls it sets one.
    ///
    /// # Errors
    /// See [`HandshakeError`].
    pub async fn connect(
        tcp: TcpStream,
        connector: &Connector,
        speaks_first: bool,
    ) -> Result<Connected, HandshakeError<ClientSession>> {
        let session = connector.connection().map_err(HandshakeError::Ours)?;
        let mut channel = Box::new(Channel::new(tcp, session));
        channel.speaks_first = speaks_first;
        Self::open(channel, &[]).await
    }
}

/// RFC 9149: connections come in parallel, and each needs a ticket of its own.
const TICKETS_ASKED_FOR: TicketRequest = TicketRequest { new_session_count: 4, resumption_count: 1 };

#[cfg(test)]
mod tests;
