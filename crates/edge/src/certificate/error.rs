//! What is wrong with a certificate or key file, and the remedy.

use std::path::{Path, PathBuf};

/// A certificate, key or revocation list that cannot be used. Always the operator's to mend.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum CertificateError {
    #[error("{}: cannot be read: {error}; check the path, and that the user that runs raincheck may read it", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{}: not PEM: {error}; write it anew with `openssl x509 -in FILE` or `openssl pkey -in FILE`", path.display())]
    NotPem { path: PathBuf, error: rustls::pki_types::pem::Error },
    #[error("{}: no certificate in it; put the certificate itself first, in PEM, and those of its issuers after it", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{}: no private key in it; put the key here in PEM (PKCS #8, PKCS #1 or SEC 1)", path.display())]
    NoKey { path: PathBuf },
    #[error("{}: the private key is encrypted; take the passphrase off with `openssl pkey -in FILE`", path.display())]
    EncryptedKey { path: PathBuf },
    #[error("{}: not a key that can be used: {error}; RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521) and Ed25519 can", path.display())]
    UnusableKey { path: PathBuf, error: rustls::Error },
    #[error("{}: certificate {number} cannot be used: {reason}; have it issued again as X.509 version 3", path.display())]
    UnusableCertificate { path: PathBuf, number: usize, reason: String },
    #[error("{}: the first certificate does not belong to the key in {}; give the key it was issued for, and put its own certificate first", chain.display(), key.display())]
    Mismatch { chain: PathBuf, key: PathBuf },
    #[error("{}: no certificate of a CA in it; put those that issue the peers' certificates here, in PEM", path.display())]
    NoAuthority { path: PathBuf },
    #[error("this system has no CAs{why}; install them (package ca-certificates), or name a PEM file of your own")]
    NoSystemAuthority { why: String },
    #[error("{}: no revocation list in it; put the CAs' lists here, in PEM (`X509 CRL`) or one in DER", path.display())]
    NoRevocationList { path: PathBuf },
    #[error("{}: a revocation list cannot be used: {reason}; have the CA issue it again", path.display())]
    UnusableRevocationList { path: PathBuf, reason: String },
}

impl CertificateError {
    pub(super) fn not_pem(path: &Path) -> impl Fn(rustls::pki_types::pem::Error) -> Self {
        move |error| Self::NotPem { path: path.to_owned(), error }
    }
}
