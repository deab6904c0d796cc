use std::sync::Arc;

use super::{Profile, SessionId, Version};
use crate::Moment;

/// What a client said first (RFC 8446 §4.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// When its last byte was seen.
    pub at: Moment,
    /// The client's random bytes, by which a key log names the connection.
    pub random: [u8; 32],
    /// The highest version it offers.
    pub version: Version,
    /// The name of the server it asks for, in lower case.
    pub server_name: Option<Box<str>>,
    /// The session ID. TLS 1.3 clients fill it with random bytes.
    pub session_id: SessionId,
    /// The session_ticket extension: `None` without one, empty where the client asks for a ticket and has none.
    pub ticket: Option<Box<[u8]>>,
    /// The sessions it offers in pre_shared_key.
    pub psks: Box<[Identity]>,
    /// Whether early data follows.
    pub early_data: bool,
    /// Whether it offers the extended master secret (RFC 7627).
    pub extended_master_secret: bool,
    /// Whether it says that it comes back with a lower version (TLS_FALLBACK_SCSV, RFC 7507).
    pub fallback: bool,
    /// How many tickets it asks for (RFC 9149).
    pub ticket_request: Option<TicketRequest>,
    /// What it says in every hello, which connections that are read together share; after a HelloRetryRequest, of the first
    /// hello, which nobody asked it to change.
    pub profile: Arc<Profile>,
}

impl ClientHello {
    /// How much memory it takes, in bytes, its profile included.
    pub(super) fn memory(&self) -> usize {
        let identities = self.psks.iter().map(|psk| size_of::<Identity>() + psk.identity.len()).sum::<usize>();
        size_of::<Self>()
            + self.server_name.as_ref().map_or(0, |name| name.len())
            + self.ticket.as_ref().map_or(0, |ticket| ticket.len())
            + identities
            + self.profile.memory()
    }
}

/// How many tickets a client asks for (RFC 9149 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketRequest {
    /// Where a new session is made.
    pub full: u8,
    /// Where one is resumed.
    pub resumed: u8,
}

/// A session offered in pre_shared_key (RFC 8446 §4.2.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The ticket, or the name of an external key.
    pub identity: Box<[u8]>,
    /// The ticket's age in milliseconds plus the ticket's `age_add`, modulo 2^32; 0 for an external key.
    pub obfuscated_age: u32,
}
