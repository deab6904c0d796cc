use std::fmt;

/// A version of TLS, as the wire has it (RFC 8446 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16);

impl Version {
    /// SSL 3.0.
    pub const SSL3: Self = Self(0x0300);
    /// TLS 1.0.
    pub const TLS10: Self = Self(0x0301);
    /// TLS 1.1.
    pub const TLS11: Self = Self(0x0302);
    /// TLS 1.2.
    pub const TLS12: Self = Self(0x0303);
    /// TLS 1.3.
    pub const TLS13: Self = Self(0x0304);
}

impl fmt::Display for Version {
    /// `TLSv1.2` and its like.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SSL3 => f.write_str("SSLv3"),
            Self::TLS10 => f.write_str("TLSv1.0"),
            Self::TLS11 => f.write_str("TLSv1.1"),
            Self::TLS12 => f.write_str("TLSv1.2"),
            Self::TLS13 => f.write_str("TLSv1.3"),
            Self(other) => write!(f, "0x{other:04x}"),
        }
    }
}
