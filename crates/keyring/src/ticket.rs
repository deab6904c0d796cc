//! A session, sealed into a ticket and opened again.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::key::{KeyName, TicketKey};
use crate::ring::{KeyState, Ring};
use crate::schedule::Schedule;
use crate::time::UnixTime;

// A ticket, all integers big-endian:
//
//     0          1             17        49                           n-16     n
//     +----------+-------------+---------+----------------------------+--------+
//     | version 1| key name 16 | salt 32 | AES-256-GCM of the session | tag 16 |
//     +----------+-------------+---------+----------------------------+--------+
//     |<------ in clear, authenticated ->|
//
//     key   = HKDF-SHA256(salt, cipher key | MAC key, "raincheck ticket v1"), 32 bytes
//     nonce = zero: a key seals one ticket, so there is no second nonce to keep apart,
//             and no limit on the tickets of a ring key
//
// The session in it:
//
//     0                  32         40            48        49
//     +------------------+----------+-------------+---------+----------------------+-------+
//     | policy digest 32 | origin 8 | sealed at 8 | count 1 | count x certificate  | state |
//     +------------------+----------+-------------+---------+----------------------+-------+
//
//     origin, sealed at: milliseconds since 1970
//     certificate:       length 3 | DER; the leaf first
//     state:             what rustls wrote, to the end

/// Seals `session` under a key derived from `key` and `salt`, which must be random and used for no
/// other ticket.
///
/// The ticket is as long as the state, and 114 bytes more, and 3 more for each certificate and its
/// own length.
pub fn seal(key: &TicketKey, salt: &[u8; SALT_LEN], session: &Session) -> Result<Vec<u8>, TicketTooLarge> {
    let length = CLEAR_LEN + session.encoded_len() + AES_256_GCM.tag_len();
    let too_large = TicketTooLarge { length, certificates: session.client_chain.len() };
    let certificates = u8::try_from(too_large.certificates).map_err(|_| too_large)?;
    if length > LONGEST {
        return Err(too_large);
    }

    // In its full size from the start: if it grew, a copy of the session would be left behind.
    let mut ticket = Vec::with_capacity(length);
    ticket.push(VERSION);
    ticket.extend_from_slice(key.name().as_bytes());
    ticket.extend_from_slice(salt);
    session.encode(certificates, &mut ticket);
    let (clear, plaintext) = ticket.split_at_mut(CLEAR_LEN);
    let tag = derive(key, salt)
        .seal_in_place_separate_tag(only_nonce(), Aad::from(&*clear), plaintext)
        .expect("AES-GCM seals whatever is shorter than 64 GiB");
    ticket.extend_from_slice(tag.as_ref());
    Ok(ticket)
}

/// Opens a ticket, whatever it is, by the key it names, and tells whether its session may resume
/// `now` under `policy`.
pub fn open(ring: &Ring, schedule: &Schedule, now: UnixTime, policy: &PolicyDigest, ticket: &[u8]) -> Opened {
    let refused = |name, why, session_age| Opened::Refused { name, why, session_age };
    let Some(name) = ticket.get(NAME_AT).and_then(<[u8]>::first_chunk).copied().map(KeyName::from) else {
        return refused(None, Refused::Forged, None);
    };
    let Some(entry) = ring.find(name) else {
        return refused(Some(name), Refused::UnknownKey, None);
    };
    let Some(session) = decrypt(&entry.key, ticket).and_then(Session::decode) else {
        return refused(Some(name), Refused::Forged, None);
    };
    match session.admit(policy, schedule, now) {
        Ok(()) => Opened::Accepted { state: entry.state, name, session },
        Err(why) => refused(Some(name), why, Some(session.age(now))),
    }
}

/// What opening a ticket came to.
#[derive(Debug)]
pub enum Opened {
    /// The session may resume.
    Accepted {
        /// The state of the key that opened it.
        state: KeyState,
        /// The name of that key.
        name: KeyName,
        /// What was sealed.
        session: Session,
    },
    /// A full handshake is needed.
    Refused {
        /// The key the ticket names: `None` where it is too short to name any, and anything at all
        /// where the ring does not know it, because then whoever sent it chose it.
        name: Option<KeyName>,
        /// Why.
        why: Refused,
        /// How long ago the first full handshake was, where the ticket could be opened.
        session_age: Option<Duration>,
    },
}

/// Why a ticket or a session does not resume.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Refused {
    /// The ring has no key of that name: the key is gone, or another fleet or product sealed the
    /// ticket.
    UnknownKey,
    /// The session was made under another policy: another server name, or other client
    /// authentication.
    OtherPolicy,
    /// The ticket names a key of the ring, or none, and was not sealed under it: it was made up, or
    /// changed on the way.
    Forged,
    /// The ticket was sealed too long ago, or by a clock that is too far ahead.
    Expired,
    /// The first full handshake is too long ago, however new the ticket.
    ChainTooOld,
}

impl Refused {
    /// The reason, as logs and metrics have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown-key",
            Self::OtherPolicy => "other-policy",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::ChainTooOld => "chain-too-old",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a session carries from the handshake that made it to the one that resumes it.
///
/// Neither cloned nor shown: `state` holds the secret of the connection, and is wiped when dropped.
pub struct Session {
    /// The policy it was made under.
    pub policy: PolicyDigest,
    /// When the first full handshake was, however often the session was renewed since.
    pub origin: UnixTime,
    /// When this ticket was sealed, or this entry of a session cache made.
    pub sealed_at: UnixTime,
    /// The client's certificates in DER, leaf first; empty where it sent none.
    pub client_chain: Vec<Vec<u8>>,
    /// The session as rustls wrote it.
    pub state: Zeroizing<Vec<u8>>,
}

impl Session {
    /// Whether the session may resume `now` under `policy`. [`open`] asks this for tickets; a
    /// session cache must itself.
    pub fn admit(&self, policy: &PolicyDigest, schedule: &Schedule, now: UnixTime) -> Result<(), Refused> {
        if self.policy != *policy {
            return Err(Refused::OtherPolicy);
        }
        if schedule.is_chain_over(self.origin, now) {
            return Err(Refused::ChainTooOld);
        }
        if schedule.is_expired(self.sealed_at, now) {
            return Err(Refused::Expired);
        }
        Ok(())
    }

    /// How long ago the first full handshake was.
    pub fn age(&self, now: UnixTime) -> Duration {
        now.since(self.origin)
    }

    fn encoded_len(&self) -> usize {
        let chain: usize = self.client_chain.iter().map(|certificate| DER_LENGTH_LEN + certificate.len()).sum();
        FIXED_LEN + chain + self.state.len()
    }

    /// `certificates` is the length of the chain; all of it is known to fit.
    fn encode(&self, certificates: u8, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.policy.0);
        to.extend_from_slice(&self.origin.as_millis().to_be_bytes());
        to.extend_from_slice(&self.sealed_at.as_millis().to_be_bytes());
        to.push(certificates);
        for certificate in &self.client_chain {
            let length = u32::try_from(certificate.len()).expect("shorter than a ticket");
            to.extend_from_slice(&length.to_be_bytes()[1..]);
            to.extend_from_slice(certificate);
        }
        to.extend_from_slice(&self.state);
    }

    fn decode(mut plaintext: Zeroizing<Vec<u8>>) -> Option<Self> {
        let (&policy, rest) = plaintext.split_first_chunk()?;
        let (&origin, rest) = rest.split_first_chunk()?;
        let (&sealed_at, rest) = rest.split_first_chunk()?;
        let (&certificates, mut rest) = rest.split_first()?;
        // Allocates nothing where there is no chain, which is the rule.
        let mut client_chain = Vec::new();
        for _ in 0..certificates {
            let (&[high, middle, low], after) = rest.split_first_chunk()?;
            let length = u32::from_be_bytes([0, high, middle, low]);
            let (certificate, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
            client_chain.push(certificate.to_vec());
            rest = after;
        }
        // The state stays in the buffer it was decrypted into.
        let state_at = plaintext.len() - rest.len();
        plaintext.drain(..state_at);
        Some(Self {
            policy: PolicyDigest(policy),
            origin: UnixTime::from_millis(u64::from_be_bytes(origin)),
            sealed_at: UnixTime::from_millis(u64::from_be_bytes(sealed_at)),
            client_chain,
            state: plaintext,
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("policy", &self.policy)
            .field("origin", &self.origin)
            .field("sealed_at", &self.sealed_at)
            .field("client_chain", &self.client_chain.len())
            .finish_non_exhaustive()
    }
}

/// What a listener trusts and asks for, as SHA-256; a session resumes only under the policy it was
/// made under.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct PolicyDigest(pub [u8; 32]);

impl fmt::Debug for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A session that does not fit into a ticket, mostly for its client certificates. The client gets
/// no ticket, and is none the worse.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "a ticket of {length} bytes with {certificates} client certificates is more than TLS carries \
     (65535 bytes) or a ticket counts (255); shorten the client's certificate chain"
)]
pub struct TicketTooLarge {
    /// Bytes the ticket would have had.
    pub length: usize,
    /// Certificates in the client's chain.
    pub certificates: usize,
}

fn decrypt(key: &TicketKey, ticket: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (clear, sealed) = ticket.split_at_checked(CLEAR_LEN)?;
    if clear.first() != Some(&VERSION) {
        return None;
    }
    let salt = clear.last_chunk()?;
    let (ciphertext, tag) = sealed.split_at_checked(sealed.len().checked_sub(AES_256_GCM.tag_len())?)?;
    let mut plaintext = Zeroizing::new(vec![0; ciphertext.len()]);
    derive(key, salt).open_separate_gather(only_nonce(), Aad::from(clear), ciphertext, tag, &mut plaintext).ok()?;
    Some(plaintext)
}

/// The key of the one ticket with this salt.
fn derive(key: &TicketKey, salt: &[u8; SALT_LEN]) -> LessSafeKey {
    let mut derived = Zeroizing::new([0; DERIVED_LEN]);
    Salt::new(HKDF_SHA256, salt)
        .extract(key.expose_all())
        .expand(&[INFO], HKDF_SHA256)
        .and_then(|okm| okm.fill(derived.as_mut_slice()))
        .expect("HKDF-SHA256 gives up to 255 times 32 bytes");
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, derived.as_slice()).expect("AES-256 takes 32 bytes"))
}

/// "Less safe" is the key that takes a nonce from its caller; it is safe for a key that seals once.
fn only_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

const VERSION: u8 = 1;
const SALT_LEN: usize = 32;
const DERIVED_LEN: usize = 32;
const NAME_AT: std::ops::Range<usize> = 1..1 + KeyName::LEN;
/// Version, name and salt.
const CLEAR_LEN: usize = NAME_AT.end + SALT_LEN;
/// Policy, origin, sealed at and the number of certificates.
const FIXED_LEN: usize = 32 + 8 + 8 + 1;
const DER_LENGTH_LEN: usize = 3;
/// `opaque ticket<1..2^16-1>`, RFC 9846 §4.6.1 and RFC 5077 §3.3.
const LONGEST: usize = 0xffff;
const INFO: &[u8] = b"raincheck ticket v1";

#[cfg(test)]
mod tests;
