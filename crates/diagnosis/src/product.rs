//! Software that resumes sessions, or keeps others from it.

use std::fmt;

/// A product that a remedy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "they are products")]
pub enum Product {
    /// Whatever it is.
    Any,
    Apache,
    BoringSsl,
    Chromium,
    Curl,
    Envoy,
    GnuTls,
    Go,
    H2o,
    HaProxy,
    Java,
    Nginx,
    NodeJs,
    Nss,
    OpenSsl,
    Python,
    Raincheck,
    Rustls,
    /// Of Windows; .NET uses it there.
    SChannel,
}

impl Product {
    /// The name as its makers write it; `any` of [`Product::Any`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Apache => "Apache",
            Self::BoringSsl => "BoringSSL",
            Self::Chromium => "Chromium",
            Self::Curl => "curl",
            Self::Envoy => "Envoy",
            Self::GnuTls => "GnuTLS",
            Self::Go => "Go",
            Self::H2o => "h2o",
            Self::HaProxy => "HAProxy",
            Self::Java => "Java",
            Self::Nginx => "nginx",
            Self::NodeJs => "Node.js",
            Self::Nss => "NSS",
            Self::OpenSsl => "OpenSSL",
            Self::Python => "Python",
            Self::Raincheck => "raincheck",
            Self::Rustls => "rustls",
            Self::SChannel => "SChannel",
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
