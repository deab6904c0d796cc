//! One connection to a server, made for what it shows.

mod secrets;
mod wire;

use std::sync::Arc;
use std::time::Duration;

pub use raincheck_diagnosis::evidence::Ending;
use raincheck_diagnosis::evidence::{CertificateRequest, Connection, Failure};
use rustls::client::{Resumption, Tls12Resumption};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};

use super::session::Store;
use super::{Protocol, Session, Target, Trust};
use raincheck_diagnosis::tls::KeyLog;
use secrets::Secrets;
use wire::{Seen, Wire};

/// What is to be done on a connection.
#[derive(Debug)]
pub struct Attempt {
    /// The name to ask for.
    pub server_name: ServerName<'static>,
    /// What is spoken before TLS begins, if anything.
    pub starttls: Option<Protocol>,
    /// The versions to offer.
    pub versions: Versions,
    /// The session to offer.
    pub offer: Offer,
    /// Whether to say it in early data already, where the session allows that.
    pub early: bool,
    /// What to say once the handshake is over.
    pub speech: Speech,
    /// How to end it.
    pub ending: Ending,
    /// How long any one step may take.
    pub patience: Duration,
    /// How long the answer may take.
    pub answer_within: Duration,
}

/// The versions to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.2 alone.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
    /// Both.
    Any,
}

/// What to offer.
#[derive(Debug)]
pub enum Offer {
    /// No session; in TLS 1.2 a ticket is asked for.
    Nothing,
    /// No session; in TLS 1.2 no ticket is asked for, so that there is a session ID or nothing.
    NoTickets,
    /// A session; in TLS 1.2 by its ticket, if it has one.
    Session(Session),
    /// A session of TLS 1.2, by its ID alone.
    SessionId(Session),
}

/// What to say once the handshake is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Nothing: only listen for so long, then end.
    Nothing(Duration),
    /// Listen for so long, then say this, and wait for an answer.
    Ask {
        /// How long to listen first.
        after: Duration,
        /// What to say.
        request: Vec<u8>,
    },
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What was seen.
    pub connection: Connection,
    /// Why it came to less than it should.
    pub failure: Option<Failure>,
    /// The sessions it gained, in the order they came.
    pub gained: Vec<Session>,
    /// The server's certificate; of a resumed session, that of the connection it was made on.
    pub leaf: Option<CertificateDer<'static>>,
    /// How many of them came before anything was said.
    pub unasked: usize,
    /// How the server asked for the client's certificate, if it did.
    pub certificate_request: Option<CertificateRequest>,
    /// The beginning of what the server answered.
    pub answer: Vec<u8>,
}

impl Attempt {
    /// An attempt to connect to `target`, offering nothing, saying nothing, and ending cleanly.
    pub fn new(target: &Target, versions: Versions) -> Self {
        Self {
            server_name: target.server_name.clone(),
            starttls: None,
            versions,
            offer: Offer::Nothing,
            early: false,
            speech: Speech::Nothing(Duration::ZERO),
            ending: Ending::Clean,
            patience: PATIENCE,
            answer_within: PATIENCE,
        }
    }

    /// Makes the connection. Takes a few times [`Attempt::patience`] at most.
    pub async fn run(self, target: &Target, trust: &Trust) -> Outcome {
        let Self { server_name, starttls, versions, offer, early, speech, ending, patience, answer_within } = self;
        let tls12 = match offer {
            Offer::NoTickets | Offer::SessionId(_) => Tls12Resumption::SessionIdOnly,
            Offer::Nothing | Offer::Session(_) => Tls12Resumption::SessionIdOrTickets,
        };
        let session = match offer {
            Offer::Nothing | Offer::NoTickets => None,
            Offer::Session(session) | Offer::SessionId(session) => Some(session),
        };
        let store = Arc::new(Store::offering(session));
        let resumption = Resumption::store(Arc::clone(&store) as _).tls12_resumption(tls12);
        let secrets = KeyLog::growing();
        let mut config = config(trust, versions, resumption);
        config.key_log = Arc::new(Secrets(secrets.clone()));
        config.enable_early_data = early;
        trust.forget_certificate_request();
        let mut wire = Wire::new(target.address, patience, answer_within, Arc::clone(&store), secrets);
        let failure = wire.converse(starttls, config, server_name, &speech, ending).await.err();
        let Seen { connection, answer, leaf, unasked } = wire.into_seen();
        let (gained, certificate_request) = (store.take_gained(), trust.certificate_request());
        Outcome { connection, failure, gained, unasked, leaf, certificate_request, answer }
    }
}

/// What every connection has in common.
pub(super) fn config(trust: &Trust, versions: Versions, resumption: Resumption) -> ClientConfig {
    let versions: &[&SupportedProtocolVersion] = match versions {
        Versions::Tls12 => &[&TLS12],
        Versions::Tls13 => &[&TLS13],
        Versions::Any => &[&TLS13, &TLS12],
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&trust.provider))
        .with_protocol_versions(versions)
        .expect("the provider has suites of both versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&trust.verifier) as _)
        .with_client_cert_resolver(Arc::clone(&trust.certificate) as _);
    config.resumption = resumption;
    config
}

// As long as a user waits who sees that something goes on.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
