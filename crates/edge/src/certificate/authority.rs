//! Whom a listener believes about its clients: CAs, and what they have revoked.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::prelude::{CertificateRevocationList, FromDer};
use x509_parser::time::ASN1Time;

use super::CertificateError;
use super::chain::read;
use super::roots::Roots;

/// A bundle of CAs with their revocation lists.
#[derive(Debug)]
pub struct ClientAuthority {
    /// Verifies client certificates, at the handshake and again before a session resumes.
    pub verifier: Arc<dyn ClientCertVerifier>,
    /// SHA-256 of each CA's DER, sorted, each once: part of the policy a ticket is bound to.
    pub ca_digests: Vec<[u8; 32]>,
    /// What is odd about the revocation lists now.
    pub warnings: Vec<String>,
}

impl ClientAuthority {
    /// Reads a PEM bundle of CAs, and revocation lists (PEM, several in a file, or one in DER).
    ///
    /// With lists, each certificate of a client's chain must be on record as not revoked: a CA without a list of its own, or
    /// with one that is past its next update, vouches for nobody. So do OpenSSL, HAProxy and nginx.
    ///
    /// # Errors
    /// Names the file, what is wrong with it and the remedy.
    pub fn load(ca: &Path, crl: Option<&Path>, required: bool) -> Result<Self, CertificateError> {
        let Roots { store, digests: ca_digests } = Roots::load(ca)?;
        let mut builder = WebPkiClientVerifier::builder_with_provider(store, Arc::new(default_provider()))
            .enforce_revocation_expiration();
        if !required {
            builder = builder.allow_unauthenticated();
        }
        let mut warnings = Vec::new();
        if let Some(crl) = crl {
            let lists = read_revocation_lists(crl)?;
            warnings.extend(lists.iter().filter_map(|list| overdue(crl, list, ASN1Time::now())));
            builder = builder.with_crls(lists);
        }
        let verifier = builder.build().map_err(|error| CertificateError::UnusableRevocationList {
            path: crl.unwrap_or(ca).to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { verifier, ca_digests, warnings })
    }
}

fn read_revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, CertificateError> {
    let text = read(path)?;
    let in_pem: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(CertificateError::not_pem(path))?;
    if !in_pem.is_empty() {
        return Ok(in_pem);
    }
    // DER begins with a SEQUENCE, PEM with a dash or a comment.
    match text.first() {
        Some(0x30) => Ok(vec![text.to_vec().into()]),
        _ => Err(CertificateError::NoRevocationList { path: path.to_owned() }),
    }
}

fn overdue(path: &Path, list: &CertificateRevocationListDer<'_>, now: ASN1Time) -> Option<String> {
    let (_, list) = CertificateRevocationList::from_der(list).ok()?;
    let next_update = list.next_update().filter(|next_update| *next_update < now)?;
    let issuer = list.issuer();
    let path = path.display();
    Some(format!(
        "{path}: the revocation list of {issuer} was to be replaced by {next_update}; no client of that CA gets in until it is"
    ))
}

#[cfg(test)]
mod tests;
