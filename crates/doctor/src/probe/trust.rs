//! Whose certificates are trusted, and which one is shown.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_native_certs::load_native_certs;

use crate::Error;

/// What stays the same over all connections of a probe: rustls resumes a session only where it does.
#[derive(Clone)]
pub struct Trust {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) verifier: Arc<dyn ServerCertVerifier>,
    pub(super) certificate: Arc<OwnCertificate>,
}

impl Trust {
    /// Trusts what the authorities in the PEM file at `ca` certify; without one, those of the system.
    pub fn authorities(ca: Option<&Path>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        match ca {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots
                        .add(certificate)
                        .map_err(|error| file(path, format!("no certificate of an authority: {error}")))?;
                }
            }
            None => {
                roots.add_parsable_certificates(load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(Error::NoRoots);
        }
        let provider = provider();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|_| Error::NoRoots)?;
        Ok(Self { provider, verifier, certificate: Arc::default() })
    }

    /// Trusts any certificate: what is probed is how sessions resume, not who the server is.
    pub fn insecure() -> Self {
        let provider = provider();
        let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
        Self { provider, verifier, certificate: Arc::default() }
    }

    /// Shows the certificate in the PEM files at `chain` and `key` to servers that ask for one.
    pub fn with_certificate(self, chain: &Path, key: &Path) -> Result<Self, Error> {
        let certificates = certificates(chain)?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| file(key, format!("no private key in PEM: {error}")))?;
        let certified = CertifiedKey::from_der(certificates, private, &self.provider)
            .map_err(|error| file(key, format!("it does not go with {}: {error}", chain.display())))?;
        let certificate = OwnCertificate { certified: Some(Arc::new(certified)), hidden: AtomicBool::new(false) };
        Ok(Self { certificate: Arc::new(certificate), ..self })
    }

    /// Whether there is a certificate to show.
    pub fn has_certificate(&self) -> bool {
        self.certificate.certified.is_some()
    }

    /// Shows no certificate from here on, or shows it again. The sessions are the same ones either way.
    pub fn hide_certificate(&self, hidden: bool) {
        self.certificate.hidden.store(hidden, Ordering::Relaxed);
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match found {
        Ok(found) if found.is_empty() => Err(file(path, "no certificate in PEM in it".to_owned())),
        found => found.map_err(|error| file(path, error.to_string())),
    }
}

fn file(path: &Path, what: String) -> Error {
    Error::File { path: path.to_owned(), what }
}

/// The certificate to show where one is asked for, if there is one.
#[derive(Debug, Default)]
pub(super) struct OwnCertificate {
    certified: Option<Arc<CertifiedKey>>,
    hidden: AtomicBool,
}

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let certified = self.certified.as_ref().filter(|_| self.has_certs())?;
        certified.key.choose_scheme(schemes).map(|_| Arc::clone(certified))
    }

    fn has_certs(&self) -> bool {
        self.certified.is_some() && !self.hidden.load(Ordering::Relaxed)
    }
}

/// Takes any certificate, but has the server prove that it holds the key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
