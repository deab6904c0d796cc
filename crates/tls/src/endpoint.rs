//! What all connections of a listener share, and how one of them begins.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use raincheck_keyring::{Ring, Schedule, UnixTime};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suite, kx_group};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ResolvesServerCert, UnbufferedServerConnection};
use rustls::{Error, ServerConfig, SupportedCipherSuite};

use crate::client_chain::Remembering;
use crate::hello::ClientHello;
use crate::policy::Policy;
use crate::session::Session;
use crate::session_cache::SessionCache;
use crate::ticketer::Ticketer;

/// Where the ring of the moment comes from.
///
/// A connection asks anew each time it opens or seals, and keeps nothing: a key that left the
/// ring must not live on in idle connections.
pub trait Rings: Send + Sync {
    /// The ring as it is now.
    fn ring(&self) -> Arc<Ring>;
}

/// Whether a ticket that resumes TLS 1.2 is replaced inside the abbreviated handshake
/// (RFC 5077 §3.3).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Never: some clients break on it.
    Never,
    /// When the ticket is not under the issuing key.
    Inline,
}

/// How a listener deals with sessions.
pub struct Settings {
    /// Where keys come from.
    pub rings: Arc<dyn Rings>,
    /// How long tickets open.
    pub schedule: Schedule,
    /// TLS 1.3 tickets per full handshake; 0: no tickets at all, in TLS 1.2 neither.
    pub tickets: usize,
    /// TLS 1.3 tickets after a resumption.
    pub tickets_on_resumption: usize,
    /// TLS 1.2 renewal.
    pub renewal: Renewal,
    /// Sessions kept by ID.
    pub sessions: Arc<SessionCache>,
    /// What tickets are bound to.
    pub policy: Policy,
    /// Who verifies client certificates, where the policy asks for them.
    pub verifier: Option<Arc<dyn ClientCertVerifier>>,
}

/// A listener's side of TLS: configuration, certificates, and how sessions are dealt with.
pub struct Endpoint {
    pub(crate) settings: Settings,
    preferring_aes: ServerConfig,
    preferring_chacha: ServerConfig,
}

impl Endpoint {
    /// An endpoint with its certificates.
    ///
    /// `alpn` lists the protocols in the server's order; `tls12` allows TLS 1.2 beside 1.3.
    ///
    /// # Errors
    /// What rustls has to say against the combination.
    pub fn new(
        settings: Settings,
        certificates: Arc<dyn ResolvesServerCert>,
        alpn: Vec<Vec<u8>>,
        tls12: bool,
    ) -> Result<Self, Error> {
        let config = |provider: CryptoProvider| -> Result<ServerConfig, Error> {
            let versions: &[_] =
                if tls12 { &[&rustls::version::TLS13, &rustls::version::TLS12] } else { &[&rustls::version::TLS13] };
            let builder = ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(versions)?;
            let builder = match &settings.verifier {
                None => builder.with_no_client_auth(),
                Some(verifier) => builder.with_client_cert_verifier(Arc::new(Remembering(Arc::clone(verifier)))),
            };
            let mut config = builder.with_cert_resolver(Arc::clone(&certificates));
            config.alpn_protocols.clone_from(&alpn);
            config.ignore_client_order = true;
            // rustls has one number for both kinds of handshake: the ticketer leaves out what is too many.
            (config.send_tls13_tickets, config.max_tls13_tickets) = match settings.tickets {
                0 => (0, 0),
                tickets => {
                    let most = tickets.max(settings.tickets_on_resumption);
                    (most, most.max(TICKETS_ON_REQUEST))
                }
            };
            Ok(config)
        };
        Ok(Self {
            preferring_aes: config(provider(&PREFERRING_AES))?,
            preferring_chacha: config(provider(&PREFERRING_CHACHA))?,
            settings,
        })
    }

    /// A connection for the client that sent `hello`, with a ticketer of its own.
    ///
    /// The records `hello` was read from have still to be fed to it. Without a `hello`, the
    /// connection is for bytes that are none: it knows the alert they deserve.
    ///
    /// # Errors
    /// None that a configuration accepted by [`Endpoint::new`] is known to have.
    pub fn connection(self: &Arc<Self>, hello: Option<&ClientHello>) -> Result<Session, Error> {
        let blank = ClientHello::default();
        let hello = hello.unwrap_or(&blank);
        let preferred = if hello.cipher_suites.first().is_some_and(|first| is_chacha(*first)) {
            &self.preferring_chacha
        } else {
            &self.preferring_aes
        };
        let ticketer = Arc::new(Ticketer::new(Arc::clone(self), hello, preferred));
        let mut config = preferred.clone();
        config.ticketer = Arc::clone(&ticketer) as _;
        config.session_storage = Arc::clone(&ticketer) as _;
        let tls = UnbufferedServerConnection::new(Arc::new(config))?;
        Ok(Session::new(tls, ticketer))
    }

    /// The clock tickets are judged by.
    pub(crate) fn now(&self) -> UnixTime {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_millis(since_epoch.as_millis() as u64)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

/// The first suite of `config`'s order that the client has too, among those of TLS 1.3: the one
/// that rustls will choose.
pub(crate) fn tls13_suite(config: &ServerConfig, offered: &[u16]) -> Option<u16> {
    config
        .crypto_provider()
        .cipher_suites
        .iter()
        .filter(|suite| suite.tls13().is_some())
        .map(|suite| u16::from(suite.suite()))
        .find(|suite| offered.contains(suite))
}

pub(crate) fn provider(suites: &[SupportedCipherSuite]) -> CryptoProvider {
    CryptoProvider {
        cipher_suites: suites.to_vec(),
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        ..aws_lc_rs::default_provider()
    }
}

/// A client that puts ChaCha20 first has no AES in hardware.
fn is_chacha(suite: u16) -> bool {
    CHACHA.iter().any(|chacha| u16::from(chacha.suite()) == suite)
}

/// The most TLS 1.3 tickets a client may ask for (RFC 9149 §3 leaves the limit to the server).
const TICKETS_ON_REQUEST: usize = 8;

const CHACHA: [SupportedCipherSuite; 3] = [
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

// AES-128 first: AES-256 comes with SHA-384, which has no hardware, at 14% of a resumption.
const AES: [SupportedCipherSuite; 6] = [
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

pub(crate) const PREFERRING_AES: [SupportedCipherSuite; 9] = {
    let [a, b, c] = CHACHA;
    let [d, e, f, g, h, i] = AES;
    [d, e, f, g, h, i, a, b, c]
};

const PREFERRING_CHACHA: [SupportedCipherSuite; 9] = {
    let [a, b, c] = CHACHA;
    let [d, e, f, g, h, i] = AES;
    [a, b, c, d, e, f, g, h, i]
};
