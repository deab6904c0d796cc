//! Certificates: which one a client or a server is shown, and which ones they are believed.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureAlgorithm, SignatureScheme};

mod authority;
mod chain;
mod dangerous;
mod error;
mod roots;
mod server_authority;
mod throw_away;

pub use authority::ClientAuthority;
pub use chain::Certificate;
pub use error::CertificateError;
pub use server_authority::ServerAuthority;
pub use throw_away::throw_away;

/// The certificates of a listener, found by server name.
///
/// A name may have several, of different algorithms; the client's signature schemes decide, ECDSA before the rest. The
/// first certificate listed, and those that share a name with it, serve clients that name no server or an unknown one.
pub struct Certificates {
    /// By lower-case name.
    exact: HashMap<String, Choice>,
    /// By what follows `*.`, which stands for one label.
    wildcard: HashMap<String, Choice>,
    default: Choice,
}

/// One key for each algorithm, the preferred one first; never empty.
type Choice = Vec<Arc<CertifiedKey>>;

impl Certificates {
    /// `first` is the default.
    pub fn new(first: Certificate, others: Vec<Certificate>) -> Self {
        let mut default = vec![first.key()];
        default.extend(others.iter().filter(|other| other.shares_a_name_with(&first)).map(Certificate::key));
        let mut certificates = Self { exact: HashMap::new(), wildcard: HashMap::new(), default };
        for certificate in [first].iter().chain(&others) {
            for name in certificate.names() {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut certificates.wildcard, parent),
                    None => (&mut certificates.exact, name.as_str()),
                };
                names.entry(name.to_owned()).or_default().push(certificate.key());
            }
        }
        let Self { exact, wildcard, default } = &mut certificates;
        for choice in exact.values_mut().chain(wildcard.values_mut()).chain([default]) {
            choice.sort_by_key(|key| preference(key.key.algorithm()));
        }
        certificates
    }

    /// All names that are served, `*.` in front of the wildcards, in order.
    pub fn names(&self) -> Vec<String> {
        let wildcards = self.wildcard.keys().map(|parent| format!("*.{parent}"));
        let mut names: Vec<String> = self.exact.keys().cloned().chain(wildcards).collect();
        names.sort_unstable();
        names
    }

    /// The key for a client that asks for `server_name` (lower case, as rustls hands it out) and can verify `schemes`.
    ///
    /// Where it can verify none of them, the handshake fails, with rustls' alert.
    fn choose(&self, server_name: Option<&str>, schemes: &[SignatureScheme]) -> Arc<CertifiedKey> {
        let choice = server_name.and_then(|name| self.named(name)).unwrap_or(&self.default);
        let usable = choice.iter().find(|key| key.key.choose_scheme(schemes).is_some());
        Arc::clone(usable.unwrap_or(&choice[0]))
    }

    /// RFC 6125 §6.4.3: an exact name before a wildcard, and a wildcard for one label.
    fn named(&self, name: &str) -> Option<&Choice> {
        let parent = || name.split_once('.').map(|(_, parent)| parent);
        self.exact.get(name).or_else(|| self.wildcard.get(parent()?))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.choose(hello.server_name(), hello.signature_schemes()))
    }
}

/// Names, never keys.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificates").field(&self.names()).finish()
    }
}

/// Which algorithm is cheapest for us, lowest first: a signature with P-256 costs a tenth of one with RSA 2048.
fn preference(algorithm: SignatureAlgorithm) -> u8 {
    match algorithm {
        SignatureAlgorithm::ECDSA => 0,
        SignatureAlgorithm::ED25519 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests;
