//! CAs: those of a PEM file, or the system's.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls_native_certs::{CertificateResult, load_native_certs};

use super::CertificateError;
use super::chain::read_certificates;

/// CAs that may vouch for somebody; at least one.
#[derive(Debug)]
pub(super) struct Roots {
    pub(super) store: Arc<RootCertStore>,
    /// SHA-256 of each one's DER, sorted, each once.
    pub(super) digests: Vec<[u8; 32]>,
}

impl Roots {
    /// Those of a PEM file, every one of which must be usable.
    pub(super) fn load(path: &Path) -> Result<Self, CertificateError> {
        let authorities = read_certificates(path)?;
        let mut store = RootCertStore::empty();
        for (number, authority) in (1..).zip(&authorities) {
            store.add(authority.clone()).map_err(|error| CertificateError::UnusableCertificate {
                path: path.to_owned(),
                number,
                reason: error.to_string(),
            })?;
        }
        if store.is_empty() {
            return Err(CertificateError::NoAuthority { path: path.to_owned() });
        }
        Ok(Self::new(store, &authorities))
    }

    /// Those that this system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` say where they are, as they do for OpenSSL.
    pub(super) fn of_system() -> Result<Self, CertificateError> {
        Self::found(load_native_certs())
    }

    /// What cannot be used is passed over: nobody here chose it, and the rest can vouch all the same.
    fn found(CertificateResult { certs, errors, .. }: CertificateResult) -> Result<Self, CertificateError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certs.iter().cloned());
        if store.is_empty() {
            let why = errors.first().map(|error| format!(": {error}")).unwrap_or_default();
            return Err(CertificateError::NoSystemAuthority { why });
        }
        Ok(Self::new(store, &certs))
    }

    fn new(store: RootCertStore, authorities: &[CertificateDer<'_>]) -> Self {
        let mut digests: Vec<[u8; 32]> = authorities.iter().map(|authority| sha256(authority)).collect();
        digests.sort_unstable();
        digests.dedup();
        Self { store: Arc::new(store), digests }
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn what_the_system_has_and_cannot_be_used_is_passed_over() {
        let key = KeyPair::generate().expect("a key");
        let own = CertificateParams::new(Vec::new()).expect("no names").self_signed(&key).expect("a certificate");
        let mut found = CertificateResult::default();
        found.certs = vec![CertificateDer::from(vec![0x30, 0x00]), own.into()];
        let roots = Roots::found(found).expect("one that can be used");
        assert_eq!(roots.store.len(), 1);
    }

    #[test]
    fn a_system_without_any_is_an_error_with_the_remedy() {
        let error = Roots::found(CertificateResult::default()).expect_err("none").to_string();
        assert!(error.starts_with("this system has no CAs; install them"), "{error}");
    }
}
