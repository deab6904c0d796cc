//! How a handshake ended, in the field's words.

use std::time::Duration;

use raincheck_keyring::{KeyName, KeyState, Refused};
use rustls::ProtocolVersion;

/// Full, or resumed and by what.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A handshake with certificate and key exchange.
    Full,
    /// Resumed from a session ID (TLS 1.2).
    SessionId,
    /// Resumed from a ticket (TLS 1.2, RFC 5077).
    Ticket,
    /// Resumed from a pre-shared key (TLS 1.3).
    Psk,
}

impl Kind {
    /// Every kind, full first.
    pub const ALL: [Self; 4] = [Self::Full, Self::SessionId, Self::Ticket, Self::Psk];

    /// The word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::SessionId => "session-id",
            Self::Ticket => "ticket",
            Self::Psk => "psk",
        }
    }
}

/// Why a handshake was full.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The client offered no session.
    NotOffered,
    /// The ticket names a key that is not in the ring.
    UnknownKey,
    /// The session ID is not in the cache.
    UnknownSession,
    /// The ticket is older than its window.
    Expired,
    /// The ticket was sealed under another policy.
    OtherPolicy,
    /// The client certificate behind the session no longer verifies.
    ClientCertificate,
    /// The ticket does not open under the key it names.
    Forged,
    /// The first full handshake behind the session is too long ago.
    ChainTooOld,
    /// The session has another cipher suite than the one negotiated now.
    Suite,
    /// The session lacks the extended master secret that is offered now (RFC 7627 §5.3).
    Ems,
    /// The session belongs to another TLS version than the one negotiated now.
    Version,
    /// The listener keeps no sessions of this kind.
    Disabled,
}

impl Reason {
    /// Every reason, in the order of their definition.
    pub const ALL: [Self; 12] = [
        Self::NotOffered,
        Self::UnknownKey,
        Self::UnknownSession,
        Self::Expired,
        Self::OtherPolicy,
        Self::ClientCertificate,
        Self::Forged,
        Self::ChainTooOld,
        Self::Suite,
        Self::Ems,
        Self::Version,
        Self::Disabled,
    ];

    /// The word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotOffered => "not-offered",
            Self::UnknownKey => "unknown-key",
            Self::UnknownSession => "unknown-session",
            Self::Expired => "expired",
            Self::OtherPolicy => "other-policy",
            Self::ClientCertificate => "client-certificate",
            Self::Forged => "forged",
            Self::ChainTooOld => "chain-too-old",
            Self::Suite => "suite",
            Self::Ems => "ems",
            Self::Version => "version",
            Self::Disabled => "disabled",
        }
    }
}

impl From<Refused> for Reason {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::UnknownKey => Self::UnknownKey,
            Refused::OtherPolicy => Self::OtherPolicy,
            Refused::Forged => Self::Forged,
            Refused::Expired => Self::Expired,
            Refused::ChainTooOld => Self::ChainTooOld,
        }
    }
}

/// What is known of a handshake once it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The negotiated version.
    pub version: ProtocolVersion,
    /// The name the client asked for, in lower case.
    pub server_name: Option<String>,
    /// Full, or resumed and by what.
    pub kind: Kind,
    /// Why it was full; `None` where it was resumed.
    pub reason: Option<Reason>,
    /// The key the offered ticket names, whether it opened or not.
    pub key_name: Option<KeyName>,
    /// Where in the ring that key stands; `None` for session IDs and foreign keys.
    pub key_state: Option<KeyState>,
    /// How long ago the offered session was sealed, where that could be read.
    pub age: Option<Duration>,
}
