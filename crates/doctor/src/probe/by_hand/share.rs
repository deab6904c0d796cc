//! Key shares (RFC 8446 §4.2.8): one in each group that is offered, so that hardly any server has to ask again.

use aws_lc_rs::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;

/// The private halves of the key shares, of each group one.
pub(super) struct Shares(Vec<(u16, EphemeralPrivateKey)>);

impl Shares {
    /// New ones, with their public halves.
    pub(super) fn generate() -> Result<(Self, Public), Unspecified> {
        let random = SystemRandom::new();
        let (mut private, mut public) = (Vec::new(), Vec::new());
        for (group, algorithm) in GROUPS {
            let key = EphemeralPrivateKey::generate(algorithm, &random)?;
            public.push((group, key.compute_public_key()?.as_ref().to_vec()));
            private.push((group, key));
        }
        Ok((Self(private), public))
    }

    /// What both sides know, now that the server has shown its share of `group`.
    pub(super) fn agree(self, group: u16, peer: &[u8]) -> Option<Vec<u8>> {
        let (_, key) = self.0.into_iter().find(|(offered, _)| *offered == group)?;
        let peer = UnparsedPublicKey::new(key.algorithm(), peer);
        agree_ephemeral(key, peer, Unspecified, |shared| Ok(shared.to_vec())).ok()
    }
}

/// The public halves.
pub(super) type Public = Vec<(u16, Vec<u8>)>;

// x25519, secp256r1, secp384r1
const GROUPS: [(u16, &Algorithm); 3] = [(0x001d, &X25519), (0x0017, &ECDH_P256), (0x0018, &ECDH_P384)];
