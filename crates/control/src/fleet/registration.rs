//! What a node says of itself in the store.

use raincheck_keyring::{Epoch, NodeName};
use thiserror::Error;

use super::node_key::PublicKey;
use super::reader::{Reader, write_name};
use super::secret::{FleetSecret, Signed, TAG_LEN};

// All integers are big-endian:
//
//     registration:
//     0           1               2
//     +-----------+---------------+------+----------+---------+-----------------+--------+
//     | version 1 | node length 1 | node | epoch 16 | lease 8 | public key 1216 | MAC 32 |
//     +-----------+---------------+------+----------+---------+-----------------+--------+
//
//     acknowledgement:
//     0           1               2
//     +-----------+---------------+------+----------+---------+--------+
//     | version 1 | node length 1 | node | epoch 16 | lease 8 | MAC 32 |
//     +-----------+---------------+------+----------+---------+--------+
//
//     epoch: generation 8 | counter 8
//     MAC:   HMAC-SHA256 of all that stands before it, under a key that is bound to the fleet's name, and to which of
//            the two it is (secret.rs)

/// A node that wants keys: one for each epoch, because a node key opens one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// Which node it is.
    pub node: NodeName,
    /// The epoch of the newest ring it has opened; [`Epoch::NONE`] at first.
    pub epoch: Epoch,
    /// The store's lease that it lives under, so that it does not outlive the node, nor come back after it.
    pub lease: i64,
    /// What to wrap the next epoch's key for.
    pub public_key: PublicKey,
}

impl Registration {
    /// The registration in bytes that [`decode`](Self::decode) reads.
    pub fn encode(&self, secret: &FleetSecret) -> Vec<u8> {
        let head = Head { node: self.node.clone(), epoch: self.epoch, lease: self.lease };
        head.sign(secret, Signed::Registration, self.public_key.as_bytes())
    }

    /// The registration that `node` made under `lease`, which are the ones that the store has it under.
    pub fn decode(bytes: &[u8], secret: &FleetSecret, node: &NodeName, lease: i64) -> Result<Self, RegistrationError> {
        let (Head { node, epoch, lease }, key) = open(bytes, secret, Signed::Registration, node, lease)?;
        let public_key = PublicKey::from_bytes(&key).ok_or(RegistrationError::NoPublicKey)?;
        Ok(Self { node, epoch, lease, public_key })
    }
}

/// A node that has a ring, and opens tickets with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledgement {
    /// Which node it is.
    pub node: NodeName,
    /// The epoch of the ring.
    pub epoch: Epoch,
    /// As for [`Registration::lease`].
    pub lease: i64,
}

impl Acknowledgement {
    /// Says as an epoch, after all others, that the node serves no more.
    pub const GOODBYE: Epoch = Epoch { generation: u64::MAX, counter: u64::MAX };

    /// The acknowledgement in bytes that [`decode`](Self::decode) reads.
    pub fn encode(&self, secret: &FleetSecret) -> Vec<u8> {
        let head = Head { node: self.node.clone(), epoch: self.epoch, lease: self.lease };
        head.sign(secret, Signed::Acknowledgement, &[])
    }

    /// The acknowledgement that `node` made under `lease`, which are the ones that the store has it under.
    pub fn decode(bytes: &[u8], secret: &FleetSecret, node: &NodeName, lease: i64) -> Result<Self, RegistrationError> {
        let (Head { node, epoch, lease }, []) = open(bytes, secret, Signed::Acknowledgement, node, lease)?;
        Ok(Self { node, epoch, lease })
    }
}

/// Why a registration or an acknowledgement does not count. The fault of whoever wrote it, or of whoever can write to
/// the store; the node it names gets no keys by it.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum RegistrationError {
    /// Bytes are missing or left over.
    #[error("not what a node writes; see who else writes under this fleet's prefix in the store")]
    Malformed,
    /// Written by another version of raincheck.
    #[error("in format {0}, and this raincheck reads format {VERSION}; run the same release on every node")]
    Version(u8),
    /// Whoever wrote it does not have the fleet's secret, or has that of another fleet, or changed it afterwards.
    #[error(
        "not made with this fleet's secret; give the same secret file to every node, or find out who else can write to \
         the store"
    )]
    Forged,
    /// It was made by another node than the one whose place it is in.
    #[error("made by another node, and moved here since; find out who else can write to the store")]
    OtherNode,
    /// It was made under another lease.
    #[error("made under another lease, and brought back since; find out who else can write to the store")]
    OtherLease,
    /// Made with the secret, and yet what should be an X-Wing public key is none.
    #[error("made with this fleet's secret, and has no public key; run the same release on every node")]
    NoPublicKey,
}

/// What both begin with.
struct Head {
    node: NodeName,
    epoch: Epoch,
    lease: i64,
}

impl Head {
    fn sign(&self, secret: &FleetSecret, kind: Signed, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        write_name(self.node.as_str(), &mut bytes);
        bytes.extend_from_slice(&self.epoch.to_bytes());
        bytes.extend_from_slice(&self.lease.to_be_bytes());
        bytes.extend_from_slice(body);
        secret.sign(kind, &mut bytes);
        bytes
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let node = reader.name()?.parse().ok()?;
        let epoch = Epoch::from_bytes(reader.take()?);
        let lease = i64::from_be_bytes(reader.take()?);
        Some(Self { node, epoch, lease })
    }
}

/// Head and body, if `expected` signed them under `lease` as this kind.
fn open<const BODY: usize>(
    bytes: &[u8],
    secret: &FleetSecret,
    kind: Signed,
    expected: &NodeName,
    lease: i64,
) -> Result<(Head, [u8; BODY]), RegistrationError> {
    let mut reader = Reader(bytes);
    let [version] = reader.take().ok_or(RegistrationError::Malformed)?;
    if version != VERSION {
        return Err(RegistrationError::Version(version));
    }
    let head = Head::read(&mut reader).ok_or(RegistrationError::Malformed)?;
    let body = reader.take().ok_or(RegistrationError::Malformed)?;
    if reader.0.len() != TAG_LEN {
        return Err(RegistrationError::Malformed);
    }
    if !secret.verifies(kind, bytes) {
        return Err(RegistrationError::Forged);
    }
    if head.node != *expected {
        return Err(RegistrationError::OtherNode);
    }
    if head.lease != lease {
        return Err(RegistrationError::OtherLease);
    }
    Ok((head, body))
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests;
