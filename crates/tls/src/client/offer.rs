//! What one connection offers its server, and what it gets.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::NamedGroup;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::sessions::{Bounds, Gained, Id, Sessions};

/// Stands between one connection and the sessions of its server.
///
/// rustls stores a session as soon as it has one, and does not say how large it is. What it stores waits here until the
/// bytes that brought it have been counted.
pub(super) struct Offer {
    sessions: Arc<Sessions>,
    verifier: Arc<dyn ServerCertVerifier>,
    server_name: ServerName<'static>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The TLS 1.2 session that was offered; one of TLS 1.3 is gone when it is offered.
    offered: Option<Id>,
    certificate_ends: Option<CertificateEnds>,
    gained: Vec<Gained>,
    kept: Vec<Id>,
}

/// When the certificate of the connection ends; `None` inside: that does not matter.
type CertificateEnds = Option<UnixTime>;

impl Offer {
    pub(super) fn new(
        sessions: Arc<Sessions>,
        verifier: Arc<dyn ServerCertVerifier>,
        server_name: ServerName<'static>,
    ) -> Self {
        Self { sessions, verifier, server_name, state: Mutex::default() }
    }

    /// Keeps what was gained from `bytes` bytes of TLS on a connection whose server has shown `chain`.
    pub(super) fn settle(&self, bytes: usize, chain: Option<&[CertificateDer<'_>]>) {
        let mut state = self.state();
        if state.gained.is_empty() {
            return;
        }
        let gained = std::mem::take(&mut state.gained);
        let chain = chain.unwrap_or_default();
        let certificate_ends = *state.certificate_ends.get_or_insert_with(|| self.certificate_ends(chain));
        // rustls keeps the chain with each.
        let size = bytes / gained.len() + chain.iter().map(|certificate| certificate.len()).sum::<usize>();
        for gained in gained {
            state.kept.extend(self.sessions.insert(gained, Bounds { size, certificate_ends }));
        }
    }

    /// Whether rustls was given a session of TLS 1.2 to offer.
    pub(super) fn has_tls12(&self) -> bool {
        self.state().offered.is_some()
    }

    /// The server wanted none of what was offered.
    pub(super) fn refused(&self) {
        if let Some(offered) = self.state().offered {
            self.sessions.forget(offered);
        }
    }

    /// The connection ended in a fatal alert: nothing of it resumes (RFC 5246 §7.2.2).
    pub(super) fn broke(&self) {
        let mut state = self.state();
        let offered = state.offered;
        state.kept.drain(..).chain(offered).for_each(|id| self.sessions.forget(id));
    }

    /// When a full handshake would begin to fail; `None` if the verifier does not mind.
    fn certificate_ends(&self, chain: &[CertificateDer<'_>]) -> CertificateEnds {
        let ends = chain
            .iter()
            .filter_map(|der| X509Certificate::from_der(der).ok())
            .filter_map(|(_, certificate)| u64::try_from(certificate.validity().not_after.timestamp()).ok())
            .min()?;
        let (own, issuers) = chain.split_first()?;
        let after = UnixTime::since_unix_epoch(Duration::from_secs(ends.saturating_add(1)));
        let minds = self.verifier.verify_server_cert(own, issuers, &self.server_name, &[], after).is_err();
        minds.then(|| UnixTime::since_unix_epoch(Duration::from_secs(ends)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for Offer {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.sessions.set_group(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.sessions.group()
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.state().gained.push(Gained::Tls12(value));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let entry = self.sessions.tls12(UnixTime::now())?;
        let mut state = self.state();
        state.offered = Some(entry.id);
        state.certificate_ends = Some(entry.bounds.certificate_ends);
        Some(entry.value)
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.sessions.forget_tls12();
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.state().gained.push(Gained::Tls13(Box::new(value)));
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let entry = self.sessions.take_tls13(UnixTime::now())?;
        self.state().certificate_ends = Some(entry.bounds.certificate_ends);
        Some(*entry.value)
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}
