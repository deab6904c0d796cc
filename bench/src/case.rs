use std::fmt;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::Serialize;

use crate::version::Version;

/// All that can be asked for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    Terminator(Case),
    Checks(Checks),
    Captures(Captures),
}

/// What is measured of a terminator.
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

/// What is measured of who checks servers.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Checks {
    /// A health check of a server over TLS 1.2: microseconds of CPU time
    Checks12,
    /// A health check of a server over TLS 1.3: microseconds of CPU time
    Checks13,
}

impl Checks {
    /// What the servers speak.
    pub(crate) fn version(self) -> Version {
        match self {
            Self::Checks12 => Version::Tls12,
            Self::Checks13 => Version::Tls13,
        }
    }

    /// The part of a full check's cost that one that resumes is to stay within.
    pub(crate) fn mark_resumed(self) -> f64 {
        match self {
            Self::Checks12 => 0.50,
            // A key exchange is part of each handshake here.
            Self::Checks13 => 0.80,
        }
    }
}

impl fmt::Display for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Checks12 => "checks12",
            Self::Checks13 => "checks13",
        })
    }
}

/// What is measured of who reads captures.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum, Serialize)]
pub(crate) enum Captures {
    /// A capture that is data, most of it: seconds of CPU time per GB (10^9 bytes)
    #[value(name = "pcap-data")]
    #[serde(rename = "pcap-data")]
    Data,
    /// A capture of handshakes: seconds of CPU time per GB
    #[value(name = "pcap-handshakes")]
    #[serde(rename = "pcap-handshakes")]
    Handshakes,
    /// A capture of 100,000 connections that stay open: memory
    #[value(name = "pcap-open")]
    #[serde(rename = "pcap-open")]
    Open,
}

impl fmt::Display for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Data => "pcap-data",
            Self::Handshakes => "pcap-handshakes",
            Self::Open => "pcap-open",
        })
    }
}

impl Choice {
    pub(crate) const ALL: [Self; 11] = [
        Self::Terminator(Case::Full12),
        Self::Terminator(Case::Resumed12),
        Self::Terminator(Case::Full13),
        Self::Terminator(Case::Resumed13),
        Self::Terminator(Case::Bulk),
        Self::Terminator(Case::Idle),
        Self::Checks(Checks::Checks12),
        Self::Checks(Checks::Checks13),
        Self::Captures(Captures::Data),
        Self::Captures(Captures::Handshakes),
        Self::Captures(Captures::Open),
    ];
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Terminator(case) => case.to_possible_value(),
            Self::Checks(case) => case.to_possible_value(),
            Self::Captures(case) => case.to_possible_value(),
        }
    }
}
