//! Remembers the certificate chain a client has just shown, so that it can go into the ticket
//! and be verified again when the ticket comes back.
//!
//! rustls tells the ticketer nothing of the connection. But it verifies the client and seals
//! the ticket on one thread, so a thread-local carries the chain from one to the other.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// Certificates in DER, the client's own first.
pub type ClientChain = Vec<Vec<u8>>;

thread_local! {
    static VERIFIED: RefCell<Option<ClientChain>> = const { RefCell::new(None) };
}

/// The chain verified last on this thread, once.
pub(crate) fn take_verified() -> Option<ClientChain> {
    VERIFIED.take()
}

/// Whether `chain` still verifies: validity, revocation, and who signed it.
pub(crate) fn still_verifies(verifier: &dyn ClientCertVerifier, chain: &ClientChain) -> bool {
    let Some((own, issuers)) = chain.split_first() else {
        return !verifier.client_auth_mandatory();
    };
    let issuers: Vec<CertificateDer<'_>> = issuers.iter().map(|der| der.as_slice().into()).collect();
    verifier.verify_client_cert(&own.as_slice().into(), &issuers, UnixTime::now()).is_ok()
}

/// A verifier that remembers, on this thread, whom it verified.
#[derive(Debug)]
pub(crate) struct Remembering(pub(crate) Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Remembering {
    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(own, issuers, now)?;
        let chain = std::iter::once(own).chain(issuers).map(|der| der.to_vec()).collect();
        VERIFIED.set(Some(chain));
        Ok(verified)
    }

    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
