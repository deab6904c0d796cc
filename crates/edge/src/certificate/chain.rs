//! A certificate chain with its key, from two PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer, Validity, X509Certificate};
use x509_parser::time::ASN1Time;
use zeroize::Zeroizing;

use super::CertificateError;

/// A certificate with its issuers and its key.
#[derive(Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    validity: Validity,
}

impl Certificate {
    /// Reads the chain (the certificate itself first, its issuers after it) and the private key.
    ///
    /// # Errors
    /// Names the file, or both of them where they do not belong together, and the remedy. An expired certificate is none:
    /// see [`warning`](Self::warning) and [`out_of_date`](Self::out_of_date).
    pub fn load(chain: &Path, key: &Path) -> Result<Self, CertificateError> {
        let certificates = read_certificates(chain)?;
        if certificates.is_empty() {
            return Err(CertificateError::NoCertificate { path: chain.to_owned() });
        }
        let private = read_key(key)?;
        Self::new(certificates, private).map_err(|fault| match fault {
            Fault::Key(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                CertificateError::Mismatch { chain: chain.to_owned(), key: key.to_owned() }
            }
            Fault::Key(error) => CertificateError::UnusableKey { path: key.to_owned(), error },
            Fault::Certificate(reason) => {
                CertificateError::UnusableCertificate { path: chain.to_owned(), number: 1, reason }
            }
        })
    }

    /// `chain` has the certificate itself first, and is not empty.
    pub(super) fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, Fault> {
        let own = &chain[0];
        let names = EndEntityCert::try_from(own)
            .map_err(|error| Fault::Certificate(error.to_string()))?
            .valid_dns_names()
            .map(str::to_ascii_lowercase)
            .collect();
        let (_, parsed) = X509Certificate::from_der(own).map_err(|error| Fault::Certificate(error.to_string()))?;
        let validity = parsed.validity().clone();
        let key = CertifiedKey::from_der(chain, key, &default_provider()).map_err(Fault::Key)?;
        Ok(Self { key: Arc::new(key), names, validity })
    }

    /// The DNS names it is for, lower case; a wildcard as `*.` and the rest.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What is odd about it now, if anything: clients will complain, but it can be served.
    pub fn warning(&self) -> Option<String> {
        self.warning_at(ASN1Time::now())
    }

    /// Whether its time is not now; in words, with the remedy.
    pub fn out_of_date(&self) -> Option<String> {
        self.out_of_date_at(ASN1Time::now())
    }

    /// With its issuers, as it is shown.
    pub fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }

    fn warning_at(&self, now: ASN1Time) -> Option<String> {
        self.out_of_date_at(now).or_else(|| {
            let nameless = "the certificate has no DNS name, so clients that look for one refuse it; \
                            have it issued with a subjectAltName";
            self.names.is_empty().then(|| nameless.to_owned())
        })
    }

    fn out_of_date_at(&self, now: ASN1Time) -> Option<String> {
        let Validity { not_before, not_after } = &self.validity;
        if now > *not_after {
            Some(format!("the certificate expired on {not_after}; replace it, and send SIGHUP"))
        } else if now < *not_before {
            Some(format!("the certificate is not valid before {not_before}; check this machine's clock"))
        } else {
            None
        }
    }

    pub(super) fn shares_a_name_with(&self, other: &Self) -> bool {
        self.names.iter().any(|name| other.names.contains(name))
    }
}

/// What is wrong with a pair.
#[derive(Debug)]
pub(super) enum Fault {
    Key(Error),
    Certificate(String),
}

/// All certificates of a PEM file.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let text = read(path)?;
    CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(CertificateError::not_pem(path))
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    match std::fs::read(path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => Err(CertificateError::Unreadable { path: path.to_owned(), error }),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let text = read(path)?;
    let path = path.to_owned();
    match PrivateKeyDer::from_pem_slice(&text) {
        // The old way to encrypt a key leaves its label as it was, and says so in a header.
        _ if contains(&text, b"Proc-Type: 4,ENCRYPTED") => Err(CertificateError::EncryptedKey { path }),
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if contains(&text, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") => {
            Err(CertificateError::EncryptedKey { path })
        }
        Err(pem::Error::NoItemsFound) => Err(CertificateError::NoKey { path }),
        Err(error) => Err(CertificateError::NotPem { path, error }),
    }
}

fn contains(text: &[u8], label: &[u8]) -> bool {
    text.windows(label.len()).any(|window| window == label)
}

#[cfg(test)]
mod tests;
