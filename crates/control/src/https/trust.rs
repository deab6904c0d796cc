//! Whom a client believes, and what it shows of itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};
use rustls_native_certs::load_native_certs;
use zeroize::Zeroizing;

use crate::{Error, TrustError};

/// The files TLS is made with.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Trust {
    /// The CAs that may vouch for a server, PEM; none: those of the system.
    pub ca: Option<PathBuf>,
    /// What is shown to a server that asks for it: the certificate itself first, its issuers after it; and its key. PEM both.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl Trust {
    pub(super) fn load(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("AWS-LC has suites for both")
            .with_root_certificates(roots(self.ca.as_deref())?);
        let Some((chain, key)) = &self.certificate else { return Ok(builder.with_no_client_auth()) };
        let certificates = at(chain, read_certificates(chain, TrustError::NoCertificate))?;
        let private = at(key, read_key(key))?;
        builder.with_client_auth_cert(certificates, private).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                Error::Trust { path: chain.clone(), fault: TrustError::Mismatch { key: key.clone() } }
            }
            rustls::Error::InvalidCertificate(error) => Error::Trust {
                path: chain.clone(),
                fault: TrustError::UnusableCertificate { number: 1, message: error.to_string() },
            },
            other => Error::Trust { path: key.clone(), fault: TrustError::UnusableKey { message: other.to_string() } },
        })
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Error> {
    match ca {
        Some(path) => at(path, read_roots(path)),
        None => roots_of_system(),
    }
}

/// Those of a PEM file, every one of which must be usable.
fn read_roots(path: &Path) -> Result<RootCertStore, TrustError> {
    let mut store = RootCertStore::empty();
    for (number, authority) in (1..).zip(read_certificates(path, TrustError::NoAuthority)?) {
        store.add(authority).map_err(|error| TrustError::UnusableCertificate { number, message: error.to_string() })?;
    }
    Ok(store)
}

/// What cannot be used is passed over: nobody here chose it, and the rest can vouch all the same.
fn roots_of_system() -> Result<RootCertStore, Error> {
    let found = load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(Error::NoSystemAuthority { why });
    }
    Ok(store)
}

/// All certificates of a PEM file; `none` is what is wrong if there is none.
fn read_certificates(path: &Path, none: TrustError) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<_, _>>().map_err(not_pem)?;
    if certificates.is_empty() { Err(none) } else { Ok(certificates) }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TrustError> {
    let text = read(path)?;
    match PrivateKeyDer::from_pem_slice(&text) {
        // The old way to encrypt a key leaves its label as it was, and says so in a header.
        _ if contains(&text, b"Proc-Type: 4,ENCRYPTED") => Err(TrustError::EncryptedKey),
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if contains(&text, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") => {
            Err(TrustError::EncryptedKey)
        }
        Err(pem::Error::NoItemsFound) => Err(TrustError::NoKey),
        Err(error) => Err(not_pem(error)),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TrustError> {
    match std::fs::read(path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => Err(TrustError::Unreadable { message: error.to_string() }),
    }
}

fn not_pem(error: pem::Error) -> TrustError {
    TrustError::NotPem { message: error.to_string() }
}

fn contains(text: &[u8], label: &[u8]) -> bool {
    text.windows(label.len()).any(|window| window == label)
}

fn at<T>(path: &Path, result: Result<T, TrustError>) -> Result<T, Error> {
    result.map_err(|fault| Error::Trust { path: path.to_owned(), fault })
}

#[cfg(test)]
mod tests;
