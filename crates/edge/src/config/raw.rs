//! The first stage: what the file says, of the right types, nothing judged yet.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use toml::Spanned;

/// A value that may be left out, with where it stands.
pub(super) type Value<T> = Option<Spanned<T>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawConfig {
    pub(super) edge: RawEdge,
    pub(super) keys: RawKeys,
    pub(super) serve: Option<Spanned<RawServe>>,
    pub(super) agent: RawAgent,
    pub(super) sink: Vec<Spanned<RawSink>>,
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
    pub(super) rotation_patience: Value<String>,
    pub(super) node: Value<String>,
    pub(super) file: Option<Spanned<RawKeyFile>>,
    pub(super) http: Option<Spanned<RawKeyServer>>,
    pub(super) etcd: Option<Spanned<RawFleet>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawFleet {
    pub(super) endpoints: Value<Vec<Spanned<String>>>,
    pub(super) fleet: Value<String>,
    pub(super) secret_file: Value<String>,
    pub(super) generation: Value<usize>,
    pub(super) ca: Value<String>,
    pub(super) certificate: Value<String>,
    pub(super) key: Value<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawKeyServer {
    pub(super) url: Option<Spanned<OneOrMore>>,
    pub(super) every: Value<String>,
    pub(super) ca: Value<String>,
    pub(super) certificate: Value<String>,
    pub(super) key: Value<String>,
}

/// What may be written alone, or as an array.
#[derive(Debug)]
pub(super) struct OneOrMore(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrArray;

        impl<'de> Visitor<'de> for StringOrArray {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string in quotes or an array of them")
            }

            fn visit_str<E: de::Error>(self, one: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![one.to_owned()]))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, more: S) -> Result<OneOrMore, S::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(more)).map(OneOrMore)
            }
        }

        deserializer.deserialize_any(StringOrArray)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawKeyFile {
    pub(super) path: Value<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawServe {
    pub(super) listen: Value<Vec<Spanned<String>>>,
    pub(super) certificate: Value<String>,
    pub(super) key: Value<String>,
    pub(super) client_ca: Value<String>,
    pub(super) admin: Value<String>,
    pub(super) ticket_keys: Option<Spanned<RawTicketKeys>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawAgent {
    pub(super) admin: Value<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawSink {
    pub(super) name: Value<String>,
    pub(super) kind: Value<String>,
    pub(super) file: Value<String>,
    pub(super) on_disk: Value<bool>,
    pub(super) rotate: Value<String>,
    pub(super) accept: Value<String>,
    pub(super) bits: Value<usize>,
    pub(super) product: Value<String>,
    pub(super) socket: Value<String>,
    pub(super) reference: Value<String>,
    pub(super) test: Value<Vec<String>>,
    pub(super) reload: Value<Vec<String>>,
    pub(super) pid_file: Value<String>,
    pub(super) secret: Value<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawTicketKeys {
    pub(super) listen: Value<Vec<Spanned<String>>>,
    pub(super) plain: Value<bool>,
    pub(super) certificate: Value<String>,
    pub(super) key: Value<String>,
    pub(super) client_ca: Value<String>,
    pub(super) allow: Value<Vec<Spanned<String>>>,
    pub(super) bits: Value<usize>,
    pub(super) rotate: Value<String>,
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
    pub(super) servers: Value<Vec<Spanned<RawServer>>>,
    pub(super) send_proxy: Value<String>,
    pub(super) connect_timeout: Value<String>,
    pub(super) slow_start: Value<String>,
    pub(super) eject_after: Value<usize>,
    pub(super) eject_for: Value<String>,
    pub(super) resolve_every: Value<String>,
    pub(super) tls: Option<Spanned<RawUpstreamTls>>,
    pub(super) check: Option<Spanned<RawCheck>>,
}

/// A server may be written as its address alone.
#[derive(Debug)]
pub(super) enum RawServer {
    Address(String),
    Table(RawServerTable),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawServerTable {
    pub(super) address: Value<String>,
    pub(super) weight: Value<usize>,
    pub(super) backup: Value<bool>,
}

/// Not `untagged`, which would say of an unknown key no more than that nothing fits.
impl<'de> Deserialize<'de> for RawServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrTable;

        impl<'de> Visitor<'de> for StringOrTable {
            type Value = RawServer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string in quotes or a table")
            }

            fn visit_str<E: de::Error>(self, address: &str) -> Result<RawServer, E> {
                Ok(RawServer::Address(address.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<RawServer, M::Error> {
                RawServerTable::deserialize(MapAccessDeserializer::new(map)).map(RawServer::Table)
            }
        }

        deserializer.deserialize_any(StringOrTable)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawUpstreamTls {
    pub(super) ca: Value<String>,
    pub(super) server_name: Value<String>,
    pub(super) verify: Value<String>,
    pub(super) certificate: Value<String>,
    pub(super) key: Value<String>,
    pub(super) alpn: Value<Vec<Spanned<String>>>,
    pub(super) min_version: Value<String>,
    pub(super) sessions: Value<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCheck {
    pub(super) kind: Value<String>,
    pub(super) method: Value<String>,
    pub(super) path: Value<String>,
    pub(super) host: Value<String>,
    pub(super) status: Value<Vec<Spanned<String>>>,
    pub(super) body: Value<String>,
    pub(super) every: Value<String>,
    pub(super) fast_every: Value<String>,
    pub(super) timeout: Value<String>,
    pub(super) rise: Value<usize>,
    pub(super) fall: Value<usize>,
    pub(super) keep_alive: Value<bool>,
}
