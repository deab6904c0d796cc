//! Whose certificates are trusted, and which one is shown.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_diagnosis::evidence::CertificateRequest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_native_certs::load_native_certs;

use crate::Error;

/// What stays the same over all connections of a probe: rustls resumes a session only where it does.
#[derive(Clone)]
pub struct Trust {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) verifier: Arc<Verifier>,
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
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|_| Error::NoRoots)?;
        Ok(Self::new(provider, Some(authorities)))
    }

    /// Trusts any certificate: what is probed is how sessions resume, not who the server is.
    pub fn insecure() -> Self {
        Self::new(provider(), None)
    }

    fn new(provider: Arc<CryptoProvider>, authorities: Option<Arc<WebPkiServerVerifier>>) -> Self {
        let verifier = Verifier {
            provider: Arc::clone(&provider),
            authorities,
            any_name: AtomicBool::new(false),
            names: Mutex::default(),
        };
        Self { provider, verifier: Arc::new(verifier), certificate: Arc::default() }
    }

    /// Shows the certificate in the PEM files at `chain` and `key` to servers that ask for one.
    pub fn with_certificate(self, chain: &Path, key: &Path) -> Result<Self, Error> {
        let certificates = certificates(chain)?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| file(key, format!("no private key in PEM: {error}")))?;
        let certified = CertifiedKey::from_der(certificates, private, &self.provider)
            .map_err(|error| file(key, format!("it does not go with {}: {error}", chain.display())))?;
        let certificate = OwnCertificate { certified: Some(Arc::new(certified)), ..OwnCertificate::default() };
        Ok(Self { certificate: Arc::new(certificate), ..self })
    }

    /// The same, for connections to another server. The sessions of the one are not offered to the other.
    pub fn for_another(&self) -> Self {
        let Self { provider, verifier, certificate } = self;
        let OwnCertificate { certified, .. } = &**certificate;
        let certificate = OwnCertificate { certified: certified.clone(), ..OwnCertificate::default() };
        let authorities = verifier.authorities.clone();
        Self { certificate: Arc::new(certificate), ..Self::new(Arc::clone(provider), authorities) }
    }

    /// Whether there is a certificate to show.
    pub fn has_certificate(&self) -> bool {
        self.certificate.certified.is_some()
    }

    /// Shows no certificate from here on, or shows it again. The sessions are the same ones either way.
    pub fn hide_certificate(&self, hidden: bool) {
        self.certificate.hidden.store(hidden, Ordering::Relaxed);
    }

    /// Takes a trusted certificate for any name from here on, or no longer does: a server that is asked for a name it
    /// does not have shows the certificate of another.
    pub fn take_any_name(&self, any: bool) {
        self.verifier.any_name.store(any, Ordering::Relaxed);
    }

    /// The names in the last certificate that a server proved to have.
    pub fn certified_names(&self) -> Vec<ServerName<'static>> {
        self.verifier.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the certificate was asked for since that was last forgotten.
    pub(super) fn certificate_request(&self) -> Option<CertificateRequest> {
        self.certificate.request().clone()
    }

    pub(super) fn forget_certificate_request(&self) {
        *self.certificate.request() = None;
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
    request: Mutex<Option<CertificateRequest>>,
}

impl OwnCertificate {
    fn request(&self) -> MutexGuard<'_, Option<CertificateRequest>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let certified = self.certified.as_ref().filter(|_| self.has_certs());
        let certified = certified.filter(|certified| certified.key.choose_scheme(schemes).is_some());
        let mut authorities: Vec<Vec<u8>> = authorities.iter().map(|name| name.to_vec()).collect();
        authorities.sort_unstable();
        *self.request() = Some(CertificateRequest { authorities, shown: certified.is_some() });
        certified.cloned()
    }

    fn has_certs(&self) -> bool {
        self.certified.is_some() && !self.hidden.load(Ordering::Relaxed)
    }
}

/// The DNS names that a certificate is for, but those with wildcards.
fn names(leaf: &CertificateDer<'_>) -> Vec<ServerName<'static>> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(leaf) else {
        return Vec::new();
    };
    let named = certificate.valid_dns_names().filter_map(|name| ServerName::try_from(name.to_owned()).ok());
    named.take(MOST_NAMES).collect()
}

// A certificate may have thousands.
const MOST_NAMES: usize = 8;

/// Takes certificates of its authorities, or any; in each case the server proves that it holds the key.
#[derive(Debug)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None`: any certificate is taken.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    any_name: AtomicBool,
    /// What the last certificate is for.
    names: Mutex<Vec<ServerName<'static>>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names(leaf);
        let Some(authorities) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        match authorities.verify_server_cert(leaf, others, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name.load(Ordering::Relaxed) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
