//! Whom the edge believes about the servers it connects to.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs::default_provider;

use super::dangerous::DangerousAnyServer;
use super::roots::{Roots, sha256};
use super::{Certificate, CertificateError};

/// Who vouches for servers.
#[derive(Debug)]
pub struct ServerAuthority {
    /// Verifies a server's certificate, and that it has the key.
    pub verifier: Arc<dyn ServerCertVerifier>,
    /// SHA-256 of each CA's DER, sorted, each once; none where anybody is believed.
    ca_digests: Vec<[u8; 32]>,
}

impl ServerAuthority {
    /// The CAs of a PEM bundle.
    ///
    /// # Errors
    /// Names the file, what is wrong with it and the remedy.
    pub fn load(ca: &Path) -> Result<Self, CertificateError> {
        Ok(Self::new(Roots::load(ca)?))
    }

    /// The CAs that this system trusts.
    ///
    /// # Errors
    /// It has none.
    pub fn of_system() -> Result<Self, CertificateError> {
        Ok(Self::new(Roots::of_system()?))
    }

    /// Nobody: any certificate will do, of any age, issuer and name.
    pub fn dangerous_any() -> Self {
        Self { verifier: Arc::new(DangerousAnyServer::new()), ca_digests: Vec::new() }
    }

    /// SHA-256 over who is trusted, and what the edge shows of itself: what a session stands for besides the server.
    pub fn digest(&self, identity: Option<&Certificate>) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        // How many, so that a CA is never taken for a certificate that is shown.
        context.update(&(self.ca_digests.len() as u64).to_be_bytes());
        self.ca_digests.iter().for_each(|digest| context.update(digest));
        if let Some(identity) = identity {
            identity.key().cert.iter().for_each(|certificate| context.update(&sha256(certificate)));
        }
        context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    fn new(Roots { store, digests }: Roots) -> Self {
        let verifier = WebPkiServerVerifier::builder_with_provider(store, Arc::new(default_provider()))
            .build()
            .expect("there are CAs, and no revocation lists that could be wrong");
        Self { verifier, ca_digests: digests }
    }
}

#[cfg(test)]
mod tests;
