//! What a listener trusts and asks for. A ticket is bound to it: it opens only under the policy
//! it was sealed under, on any node that has the same one.

use aws_lc_rs::digest;
use raincheck_keyring::PolicyDigest;

/// Whether a client must show a certificate.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ClientAuthMode {
    /// None is asked for.
    Off,
    /// One is asked for, and verified if it comes.
    Optional,
    /// Without a valid one there is no connection.
    Required,
}

/// The part of a policy that every server name of a listener shares.
///
/// Never the certificate, its serial or names, the listener or its address: nodes differ in
/// those and must still open each other's tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    mode: ClientAuthMode,
    client_cas: Vec<[u8; 32]>,
}

impl Policy {
    /// The policy of a listener that asks for client certificates by `mode`, from any of
    /// `client_cas`: the SHA-256 of each CA certificate, in any order.
    pub fn new(mode: ClientAuthMode, mut client_cas: Vec<[u8; 32]>) -> Self {
        client_cas.sort_unstable();
        client_cas.dedup();
        Self { mode, client_cas }
    }

    /// The digest for one server name, as sent in lower case; `None` where none was sent.
    ///
    /// SHA-256 over: 0, or 1 | length 2 | name; mode 1; the sorted digests of the CAs.
    pub fn digest(&self, server_name: Option<&str>) -> PolicyDigest {
        let mut context = digest::Context::new(&digest::SHA256);
        match server_name {
            None => context.update(&[0]),
            Some(name) => {
                context.update(&[1]);
                // A name comes out of a vector whose length has two bytes.
                context.update(&(name.len() as u16).to_be_bytes());
                context.update(name.as_bytes());
            }
        }
        context.update(&[match self.mode {
            ClientAuthMode::Off => 0,
            ClientAuthMode::Optional => 1,
            ClientAuthMode::Required => 2,
        }]);
        for ca in &self.client_cas {
            context.update(ca);
        }
        let digest = context.finish();
        PolicyDigest(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Whether a client must show a certificate.
    pub fn mode(&self) -> ClientAuthMode {
        self.mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_of_cas_do_not_matter() {
        let one = Policy::new(ClientAuthMode::Required, vec![[1; 32], [2; 32]]);
        let other = Policy::new(ClientAuthMode::Required, vec![[2; 32], [1; 32], [2; 32]]);
        assert_eq!(one.digest(Some("a")), other.digest(Some("a")));
    }

    #[test]
    fn name_mode_and_cas_matter() {
        let off = Policy::new(ClientAuthMode::Off, vec![]);
        let required = Policy::new(ClientAuthMode::Required, vec![[1; 32]]);
        let optional = Policy::new(ClientAuthMode::Optional, vec![[1; 32]]);
        let other_ca = Policy::new(ClientAuthMode::Required, vec![[2; 32]]);
        let digests = [
            off.digest(None),
            off.digest(Some("")),
            off.digest(Some("a.example")),
            off.digest(Some("b.example")),
            required.digest(Some("a.example")),
            optional.digest(Some("a.example")),
            other_ca.digest(Some("a.example")),
        ];
        for (i, one) in digests.iter().enumerate() {
            for other in &digests[i + 1..] {
                assert_ne!(one, other);
            }
        }
    }
}
