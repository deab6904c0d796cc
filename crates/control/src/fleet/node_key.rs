//! A node's key pair, which opens one epoch key.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, Serializable};
use raincheck_keyring::{Epoch, NodeName};
use zeroize::Zeroizing;

use super::envelope::{EnvelopeError, EpochKey};
use super::secret::FleetSecret;

/// A key pair of X-Wing (ML-KEM-768 and X25519 in one), for one epoch key.
///
/// The private half is in this process alone, and wiped when it is dropped or has opened something: a node registers
/// a new key for each epoch, so that a stolen one opens nothing that the store held before. `Debug` shows the public
/// half.
pub struct NodeKey {
    /// What both halves are derived from. The private half exists while something is opened, and no longer.
    seed: Box<Zeroizing<[u8; SEED_LEN]>>,
    public: PublicKey,
}

impl NodeKey {
    /// A key pair that nobody else has, from AWS-LC's random generator.
    pub fn generate() -> Self {
        let mut seed = Box::new(Zeroizing::new([0; SEED_LEN]));
        rand::fill(seed.as_mut_slice()).expect("AWS-LC ends the process itself where the kernel gives no entropy");
        let (_, public) = XWing::derive_keypair(seed.as_slice());
        Self { seed, public: PublicKey::from_hpke(&public) }
    }

    /// What to register.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Opens the key of `epoch` that [`EpochKey::wrap`] wrapped for this key of `node`. That is the end of this key;
    /// what cannot be opened leaves it as it was, or any forgery would cost a node its key.
    pub fn open(
        self,
        wrapped: &[u8],
        epoch: Epoch,
        node: &NodeName,
        secret: &FleetSecret,
    ) -> Result<EpochKey, Unopened> {
        let (private, _) = XWing::derive_keypair(self.seed.as_slice());
        EpochKey::unwrapped(wrapped, &private, &self.public, epoch, node, secret)
            .map_err(|fault| Unopened { key: self, fault })
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({:?})", self.public)
    }
}

/// A node key that opened nothing, and why.
#[derive(Debug)]
pub struct Unopened {
    /// The key, which still may open something.
    pub key: NodeKey,
    /// What was wrong.
    pub fault: EnvelopeError,
}

/// The public half of a node's key: 1216 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Box<[u8; PublicKey::LEN]>);

impl PublicKey {
    /// Bytes in a public key.
    pub const LEN: usize = 1216;

    /// The key of these bytes; `None` where they are none (FIPS 203 §7.2).
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Option<Self> {
        <XWing as Kem>::PublicKey::from_bytes(bytes).ok()?;
        Some(Self(Box::new(*bytes)))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// As many bytes of its SHA-256 as tell the keys of a fleet apart.
    pub(super) fn id(&self) -> [u8; KEY_ID_LEN] {
        let digest = digest(&SHA256, self.as_bytes());
        *digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
    }

    pub(super) fn to_hpke(&self) -> <XWing as Kem>::PublicKey {
        Deserializable::from_bytes(self.as_bytes()).expect("checked when it was made")
    }

    fn from_hpke(key: &<XWing as Kem>::PublicKey) -> Self {
        let mut bytes = Box::new([0; Self::LEN]);
        key.write_exact(bytes.as_mut_slice());
        Self(bytes)
    }
}

/// Shows as much of its SHA-256 as tells the keys of a fleet apart.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:016x})", u64::from_be_bytes(self.id()))
    }
}

pub(super) const KEY_ID_LEN: usize = 8;
const SEED_LEN: usize = 32;
