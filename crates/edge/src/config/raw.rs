//! The first stage: what the file says, of the right types, nothing judged yet.

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

/// A value that may be left out, with where it stands.
pub(super) type Value<T> = Option<Spanned<T>>;
/// What may be written and is refused by name: a later version reads it.
pub(super) type NotBuilt = Option<Spanned<IgnoredAny>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawConfig {
    pub(super) edge: RawEdge,
    pub(super) keys: RawKeys,
    pub(super) listener: Vec<Spanned<RawListener>>,
    pub(super) upstream: Vec<Spanned<RawUpstream>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawEdge {
    pub(super) workers: Value<usize>,
    pub(super) admin: Value<String>,
    pub(super) stats_socket: Value<String>,
    pub(super) access_log: Value<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawKeys {
    pub(super) source: Value<String>,
    pub(super) rotate: Value<String>,
    pub(super) accept: Value<String>,
    pub(super) chain: Value<String>,
    pub(super) rotation_patience: NotBuilt,
    pub(super) file: Option<Spanned<RawKeyFile>>,
    pub(super) http: NotBuilt,
    pub(super) etcd: NotBuilt,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawKeyFile {
    pub(super) path: Value<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawListener {
    pub(super) name: Value<String>,
    pub(super) bind: Value<Vec<Spanned<String>>>,
    pub(super) mode: Value<String>,
    pub(super) upstream: Value<String>,
    pub(super) alpn: Value<Vec<Spanned<String>>>,
    pub(super) min_version: Value<String>,
    pub(super) tickets: Value<usize>,
    pub(super) tickets_on_resumption: Value<usize>,
    pub(super) session_cache: Value<usize>,
    pub(super) accept_proxy: Value<bool>,
    pub(super) max_connections: Value<usize>,
    pub(super) handshake_timeout: Value<String>,
    pub(super) idle_timeout: Value<String>,
    pub(super) tls12_renewal: Value<String>,
    pub(super) certificate: Vec<Spanned<RawCertificate>>,
    pub(super) client_auth: Option<Spanned<RawClientAuth>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCertificate {
    pub(super) chain: Value<String>,
    pub(super) key: Value<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawClientAuth {
    pub(super) ca: Value<String>,
    pub(super) crl: Value<String>,
    pub(super) mode: Value<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawUpstream {
    pub(super) name: Value<String>,
    pub(super) balance: Value<String>,
    pub(super) servers: Value<Vec<Spanned<String>>>,
    pub(super) send_proxy: Value<String>,
    pub(super) tls: NotBuilt,
    pub(super) check: NotBuilt,
}
