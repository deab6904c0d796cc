use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// What is measured.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Case {
    /// A connection with a full TLS 1.2 handshake: microseconds of CPU time
    Full12,
    /// A connection resumed by a TLS 1.2 ticket: microseconds of CPU time
    Resumed12,
    /// A connection with a full TLS 1.3 handshake: microseconds of CPU time
    Full13,
    /// A connection resumed by a TLS 1.3 ticket: microseconds of CPU time
    Resumed13,
    /// Bytes from upstream to client over TLS 1.3: milliseconds of CPU time per GB (10^9 bytes)
    Bulk,
    /// Idle TLS 1.3 connections: KiB of anonymous memory for each
    Idle,
}

impl Case {
    pub(crate) const ALL: [Self; 6] =
        [Self::Full12, Self::Resumed12, Self::Full13, Self::Resumed13, Self::Bulk, Self::Idle];

    /// The part of HAProxy 2.6's cost that raincheck is to stay within.
    pub(crate) fn mark(self) -> f64 {
        match self {
            Self::Full12 => 0.42,
            Self::Resumed12 => 0.47,
            Self::Full13 => 0.37,
            Self::Resumed13 => 0.40,
            Self::Bulk => 0.60,
            Self::Idle => 0.35,
        }
    }

    /// Whether connections are what is counted.
    pub(crate) fn is_handshake(self) -> bool {
        !matches!(self, Self::Bulk | Self::Idle)
    }

    /// The unit of a cost in this case.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Full12 | Self::Resumed12 | Self::Full13 | Self::Resumed13 => "us/connection",
            Self::Bulk => "ms/GB",
            Self::Idle => "KiB/connection",
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full12 => "full12",
            Self::Resumed12 => "resumed12",
            Self::Full13 => "full13",
            Self::Resumed13 => "resumed13",
            Self::Bulk => "bulk",
            Self::Idle => "idle",
        })
    }
}
