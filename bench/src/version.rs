use std::fmt;
use std::sync::Arc;

use clap::ValueEnum;
use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::version::{TLS12, TLS13};

/// The only TLS version that our side of a connection will have.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Version {
    #[value(name = "1.2")]
    Tls12,
    #[value(name = "1.3")]
    Tls13,
}

impl Version {
    /// As rustls has it.
    pub(crate) fn supported(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &TLS12,
            Self::Tls13 => &TLS13,
        }
    }

    /// One suite (AES-128-GCM), and X25519 before any other group, so that every product does equal work. (P-256 must be
    /// among the groups for a P-256 certificate to be used in TLS 1.2: RFC 8422 §5.1.)
    pub(crate) fn provider(self) -> Arc<CryptoProvider> {
        let suite = match self {
            Self::Tls12 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            Self::Tls13 => cipher_suite::TLS13_AES_128_GCM_SHA256,
        };
        Arc::new(CryptoProvider {
            cipher_suites: vec![suite],
            kx_groups: vec![kx_group::X25519, kx_group::SECP256R1],
            ..aws_lc_rs::default_provider()
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}
