use std::fmt;

use crate::{Moment, Side};

/// An alert (RFC 8446 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who sent it.
    pub side: Side,
    /// When it was seen.
    pub at: Moment,
    /// What it says, as far as that can be read.
    pub content: AlertContent,
}

/// What an alert says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertContent {
    /// It was sent in clear, or could be decrypted.
    Read(Description),
    /// It is encrypted; that it is an alert its record says (TLS 1.2).
    Sealed,
}

/// The description of an alert (RFC 8446 §6, RFC 5246 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Description(pub u8);

impl Description {
    /// The sender will not send any more.
    pub const CLOSE_NOTIFY: Self = Self(0);
    /// A message that was not due.
    pub const UNEXPECTED_MESSAGE: Self = Self(10);
    /// A version that is not spoken.
    pub const PROTOCOL_VERSION: Self = Self(70);
    /// Nothing that both sides can do.
    pub const HANDSHAKE_FAILURE: Self = Self(40);
    /// A name that the server does not know (RFC 6066 §3). OpenSSL sends it as a warning.
    pub const UNRECOGNIZED_NAME: Self = Self(112);
    /// A certificate of the client's is asked for, and there is none.
    pub const CERTIFICATE_REQUIRED: Self = Self(116);
    /// The client gives the handshake up for a reason of its own.
    pub const USER_CANCELED: Self = Self(90);
    /// A fallback that was not called for (RFC 7507).
    pub const INAPPROPRIATE_FALLBACK: Self = Self(86);
    /// A renegotiation that is declined, which is a warning (TLS 1.2).
    pub const NO_RENEGOTIATION: Self = Self(100);

    /// The name that the RFCs give it.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            _ => return None,
        })
    }

    /// Whether the connection goes on after it.
    pub fn is_warning(self) -> bool {
        matches!(self, Self::CLOSE_NOTIFY | Self::USER_CANCELED | Self::NO_RENEGOTIATION | Self::UNRECOGNIZED_NAME)
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "alert {}", self.0),
        }
    }
}
