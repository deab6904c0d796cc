//! A ring as it lies in the store, and the key to it for each node.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, PskBundle, Serializable, setup_receiver, setup_sender};
use raincheck_keyring::{DocumentError, Epoch, NodeName, Ring, UnixTime};
use thiserror::Error;
use zeroize::Zeroizing;

use super::node_key::{KEY_ID_LEN, PublicKey};
use super::reader::{Reader, write_name};
use super::secret::{FleetSecret, Signed, TAG_LEN};

// All integers are big-endian. A sealed ring is what a leader must know before it has the key, in clear,
//
//     0           1                2
//     +-----------+----------------+-------+-----------------+--------+----------+-----------+----------+
//     | version 1 | fleet length 1 | fleet | leader length 1 | leader | epoch 16 | made at 8 | rotate 8 |
//     +-----------+----------------+-------+-----------------+--------+----------+-----------+----------+
//
// and the ring, for which the above is additional data:
//
//                                n-48     n-32     n
//     +-------------------------+--------+--------+
//     | AES-256-GCM of the ring | tag 16 | MAC 32 |
//     +-------------------------+--------+--------+
//
//     epoch:   generation 8 | counter 8
//     made at: milliseconds since 1970 on the leader's clock
//     rotate:  milliseconds
//     ring:    as keyring's document.rs draws it, under the epoch key; the nonce is zero, because an epoch key seals
//              one ring
//     MAC:     HMAC-SHA256 of all that stands before it, under the fleet's key for this (secret.rs)
//
// An epoch key, wrapped for one public key of one node:
//
//     0           1          17         25                  1145                1177     1193
//     +-----------+----------+----------+-------------------+-------------------+--------+
//     | version 1 | epoch 16 | key id 8 | encapsulated 1120 | epoch key 32      | tag 16 |
//     +-----------+----------+----------+-------------------+-------------------+--------+
//
//     key id: the first bytes of SHA-256(public key)
//     HPKE:   mode PSK, X-Wing (0x647a), HKDF-SHA256 (0x0001), ChaCha20-Poly1305 (0x0003)
//             psk     the fleet's key for this (secret.rs)
//             psk_id  the fleet's name
//             info    "raincheck epoch key v1"
//             aad     fleet length 1 | fleet | epoch 16 | node length 1 | node

/// Seals `ring` for the store, under a fresh key for it alone, as `leader` made it at `made_at`; the next is due after
/// `rotate`.
pub fn seal(
    ring: &Ring,
    leader: &NodeName,
    made_at: UnixTime,
    rotate: Duration,
    secret: &FleetSecret,
) -> (EpochKey, SealedRing) {
    let epoch = ring.epoch();
    let head = Head { leader: leader.clone(), epoch, made_at, rotate };
    let key = EpochKey::generate(epoch);
    let sealed = key.seal(head, &ring.expose_encoded(), secret);
    (key, sealed)
}

/// A ring that only the [`EpochKey`] opens, with what anybody may know of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedRing {
    head: Head,
    bytes: Vec<u8>,
    /// Where in `bytes` the encrypted ring begins.
    ring_at: usize,
}

impl SealedRing {
    /// The ring that [`seal`] sealed, if somebody with this secret did.
    pub fn decode(bytes: Vec<u8>, secret: &FleetSecret) -> Result<Self, EnvelopeError> {
        let mut reader = Reader(&bytes);
        read_version(&mut reader)?;
        let fleet = reader.name().ok_or(EnvelopeError::Malformed)?;
        let head = Head::read(&mut reader).ok_or(EnvelopeError::Malformed)?;
        if reader.0.len() < AES_256_GCM.tag_len() + TAG_LEN {
            return Err(EnvelopeError::Malformed);
        }
        if fleet != secret.fleet().as_str() {
            return Err(EnvelopeError::OtherFleet);
        }
        if !secret.verifies(Signed::SealedRing, &bytes) {
            return Err(EnvelopeError::Forged);
        }
        let ring_at = bytes.len() - reader.0.len();
        Ok(Self { head, bytes, ring_at })
    }

    /// What the store gets, and [`decode`](Self::decode) reads.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The ring's epoch.
    pub fn epoch(&self) -> Epoch {
        self.head.epoch
    }

    /// The node that sealed it.
    pub fn leader(&self) -> &NodeName {
        &self.head.leader
    }

    /// When that was, on the leader's clock.
    pub fn made_at(&self) -> UnixTime {
        self.head.made_at
    }

    /// How long after that the next one is due.
    pub fn rotate(&self) -> Duration {
        self.head.rotate
    }
}

/// The key of one ring: 32 random bytes that seal it and nothing else.
///
/// Who has it can read the ring, and wrap it for nodes that register later in the epoch. Wiped when dropped, and never
/// cloned. `Debug` shows the epoch alone.
pub struct EpochKey {
    epoch: Epoch,
    key: Box<Zeroizing<[u8; KEY_LEN]>>,
}

impl EpochKey {
    /// The epoch of its ring.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// This key for `node`, which registered `recipient`: 1193 bytes for the store.
    ///
    /// Who may have it is for the caller to know: `recipient` must come from a
    /// [`Registration`](super::Registration) of that node.
    pub fn wrap(&self, recipient: &PublicKey, node: &NodeName, secret: &FleetSecret) -> Vec<u8> {
        let mode = OpModeS::Psk(psk(secret));
        let (encapsulated, mut context) =
            setup_sender::<ChaCha20Poly1305, HkdfSha256, XWing>(&mode, &recipient.to_hpke(), INFO)
                .expect("X-Wing encapsulates for every public key");
        let mut bytes = Vec::with_capacity(WRAPPED_LEN);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.epoch.to_bytes());
        bytes.extend_from_slice(&recipient.id());
        bytes.extend_from_slice(&encapsulated.to_bytes());
        // From one buffer to another: in clear, the key goes nowhere near the bytes for the store.
        let mut encrypted = [0; KEY_LEN];
        let buffers = InOutBuf::new(self.key.as_slice(), &mut encrypted).expect("of one length");
        let tag = context
            .seal_inout_detached(buffers, &additional_data(self.epoch, node, secret))
            .expect("a context seals a first message");
        bytes.extend_from_slice(&encrypted);
        bytes.extend_from_slice(&tag.to_bytes());
        bytes
    }

    /// Of which epoch's ring it is the key, as what [`wrap`](Self::wrap) made says; nobody has vouched for that.
    pub fn epoch_of(wrapped: &[u8]) -> Result<Epoch, EnvelopeError> {
        let mut reader = Reader(wrapped);
        read_version(&mut reader)?;
        let wrapped = Wrapped::read(&mut reader).filter(|_| reader.0.is_empty());
        wrapped.map(|wrapped| wrapped.epoch).ok_or(EnvelopeError::Malformed)
    }

    /// What [`NodeKey::open`](super::NodeKey::open) does.
    pub(super) fn unwrapped(
        wrapped: &[u8],
        private: &<XWing as Kem>::PrivateKey,
        public: &PublicKey,
        epoch: Epoch,
        node: &NodeName,
        secret: &FleetSecret,
    ) -> Result<Self, EnvelopeError> {
        let mut reader = Reader(wrapped);
        read_version(&mut reader)?;
        let wrapped = Wrapped::read(&mut reader).filter(|_| reader.0.is_empty()).ok_or(EnvelopeError::Malformed)?;
        if wrapped.epoch != epoch {
            return Err(EnvelopeError::OtherEpoch { expected: epoch, found: wrapped.epoch });
        }
        if wrapped.key_id != public.id() {
            return Err(EnvelopeError::OtherKey);
        }
        let encapsulated = Deserializable::from_bytes(&wrapped.encapsulated).map_err(|_| EnvelopeError::Forged)?;
        let mode = OpModeR::Psk(psk(secret));
        let mut context = setup_receiver::<ChaCha20Poly1305, HkdfSha256, XWing>(&mode, private, &encapsulated, INFO)
            .map_err(|_| EnvelopeError::Forged)?;
        let tag = AeadTag::from_bytes(&wrapped.tag).map_err(|_| EnvelopeError::Forged)?;
        let mut key = Box::new(Zeroizing::new([0; KEY_LEN]));
        let buffers = InOutBuf::new(wrapped.key.as_slice(), key.as_mut_slice()).expect("of one length");
        context
            .open_inout_detached(buffers, &additional_data(epoch, node, secret), &tag)
            .map_err(|_| EnvelopeError::Forged)?;
        Ok(Self { epoch, key })
    }

    /// The ring, if this is the key of it.
    pub fn open(&self, sealed: &SealedRing) -> Result<Ring, EnvelopeError> {
        if sealed.epoch() != self.epoch {
            return Err(EnvelopeError::OtherEpoch { expected: self.epoch, found: sealed.epoch() });
        }
        let (clear, encrypted) = sealed.bytes.split_at(sealed.ring_at);
        let (encrypted, _mac) = encrypted.split_at(encrypted.len() - TAG_LEN);
        let (ciphertext, tag) = encrypted.split_at(encrypted.len() - AES_256_GCM.tag_len());
        let mut document = Zeroizing::new(vec![0; ciphertext.len()]);
        self.cipher()
            .open_separate_gather(only_nonce(), Aad::from(clear), ciphertext, tag, &mut document)
            .map_err(|_| EnvelopeError::Forged)?;
        let ring = Ring::decode(&document)?;
        if ring.epoch() != self.epoch {
            return Err(EnvelopeError::OtherEpoch { expected: self.epoch, found: ring.epoch() });
        }
        Ok(ring)
    }

    fn generate(epoch: Epoch) -> Self {
        let mut key = Box::new(Zeroizing::new([0; KEY_LEN]));
        rand::fill(key.as_mut_slice()).expect("AWS-LC ends the process itself where the kernel gives no entropy");
        Self { epoch, key }
    }

    /// Once for each key: there is one nonce.
    fn seal(&self, head: Head, document: &[u8], secret: &FleetSecret) -> SealedRing {
        let mut bytes = head.encode(secret);
        let ring_at = bytes.len();
        // In its full size before the ring is in it: if it grew, a copy would be left behind.
        bytes.reserve_exact(document.len() + AES_256_GCM.tag_len() + TAG_LEN);
        bytes.extend_from_slice(document);
        let (clear, plaintext) = bytes.split_at_mut(ring_at);
        let tag = self
            .cipher()
            .seal_in_place_separate_tag(only_nonce(), Aad::from(&*clear), plaintext)
            .expect("AES-GCM seals whatever is shorter than 64 GiB");
        bytes.extend_from_slice(tag.as_ref());
        secret.sign(Signed::SealedRing, &mut bytes);
        SealedRing { head, bytes, ring_at }
    }

    fn cipher(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, self.key.as_slice()).expect("AES-256 takes 32 bytes"))
    }
}

impl fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EpochKey({})", self.epoch)
    }
}

/// Why an envelope does not open. The fault of whoever wrote it or of whoever can write to the store; the node goes on
/// with the ring it has.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum EnvelopeError {
    /// Bytes are missing or left over.
    #[error("not an envelope; see who else writes under this fleet's prefix in the store")]
    Malformed,
    /// Written by another version of raincheck.
    #[error("an envelope in format {0}, and this raincheck reads {VERSION}; run the same release on every node")]
    Version(u8),
    /// It was not made with the fleet's secret, or not for this node, or was changed afterwards.
    #[error(
        "an envelope that was not made with this fleet's secret for this node; give the same secret file to every node, \
         or find out who else can write to the store"
    )]
    Forged,
    /// It is for another key: of another node, or one this node had earlier and has replaced since.
    #[error(
        "an envelope for another key; the leader makes one for the key that is registered now: if not, see its log"
    )]
    OtherKey,
    /// It belongs to another ring than the one beside it.
    #[error(
        "an envelope of epoch {found} in place of {expected}; if it stays so, find out who else can write to the store"
    )]
    OtherEpoch {
        /// The epoch it should be of.
        expected: Epoch,
        /// The epoch it is of.
        found: Epoch,
    },
    /// It belongs to a fleet of another name.
    #[error("an envelope of another fleet; give each fleet a prefix of its own in the store")]
    OtherFleet,
    /// What was sealed is no ring: whoever sealed it is at fault.
    #[error("the envelope opens, but holds {0}")]
    Document(#[from] DocumentError),
}

/// What stands in clear of a sealed ring, but for the fleet.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Head {
    leader: NodeName,
    epoch: Epoch,
    made_at: UnixTime,
    rotate: Duration,
}

impl Head {
    fn encode(&self, secret: &FleetSecret) -> Vec<u8> {
        let rotate = u64::try_from(self.rotate.as_millis()).unwrap_or(u64::MAX);
        let mut bytes = vec![VERSION];
        write_name(secret.fleet().as_str(), &mut bytes);
        write_name(self.leader.as_str(), &mut bytes);
        bytes.extend_from_slice(&self.epoch.to_bytes());
        bytes.extend_from_slice(&self.made_at.as_millis().to_be_bytes());
        bytes.extend_from_slice(&rotate.to_be_bytes());
        bytes
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let leader = reader.name()?.parse().ok()?;
        let epoch = Epoch::from_bytes(reader.take()?);
        let [made_at, rotate] = [reader.take()?, reader.take()?].map(u64::from_be_bytes);
        Some(Self { leader, epoch, made_at: UnixTime::from_millis(made_at), rotate: Duration::from_millis(rotate) })
    }
}

/// A wrapped epoch key, taken apart.
struct Wrapped {
    epoch: Epoch,
    key_id: [u8; KEY_ID_LEN],
    encapsulated: [u8; ENCAPSULATED_LEN],
    key: [u8; KEY_LEN],
    tag: [u8; HPKE_TAG_LEN],
}

impl Wrapped {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            epoch: Epoch::from_bytes(reader.take()?),
            key_id: reader.take()?,
            encapsulated: reader.take()?,
            key: reader.take()?,
            tag: reader.take()?,
        })
    }
}

fn read_version(reader: &mut Reader<'_>) -> Result<(), EnvelopeError> {
    let [version] = reader.take().ok_or(EnvelopeError::Malformed)?;
    if version == VERSION { Ok(()) } else { Err(EnvelopeError::Version(version)) }
}

fn psk(secret: &FleetSecret) -> PskBundle<'_> {
    PskBundle::new(secret.expose_psk(), secret.fleet().as_str().as_bytes()).expect("neither is empty")
}

fn additional_data(epoch: Epoch, node: &NodeName, secret: &FleetSecret) -> Vec<u8> {
    let mut data = Vec::new();
    write_name(secret.fleet().as_str(), &mut data);
    data.extend_from_slice(&epoch.to_bytes());
    write_name(node.as_str(), &mut data);
    data
}

/// "Less safe" is the key that takes a nonce from its caller; it is safe for a key that seals once.
fn only_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

const VERSION: u8 = 1;
const KEY_LEN: usize = 32;
const ENCAPSULATED_LEN: usize = 1120;
const HPKE_TAG_LEN: usize = 16;
const WRAPPED_LEN: usize = 1 + Epoch::LEN + KEY_ID_LEN + ENCAPSULATED_LEN + KEY_LEN + HPKE_TAG_LEN;
const INFO: &[u8] = b"raincheck epoch key v1";

#[cfg(test)]
mod tests;
