use super::{SessionId, Version};
use crate::Moment;

/// What a server chose (RFC 8446 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// When its last byte was seen.
    pub at: Moment,
    /// The version of the connection.
    pub version: Version,
    /// The cipher suite.
    pub suite: u16,
    /// The session ID: TLS 1.2's name for the session, TLS 1.3's echo.
    pub session_id: SessionId,
    /// Whether a ticket is to follow (TLS 1.2).
    pub ticket: bool,
    /// The index of the session it accepted (TLS 1.3).
    pub psk: Option<u16>,
    /// Whether it agrees to the extended master secret.
    pub extended_master_secret: bool,
}
