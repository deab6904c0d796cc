//! The JSON that grpc-gateway reads and writes.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{KeyValue, LeaseId, OpResponse, Revision};
use crate::{EndpointFault, EtcdError, HttpsError, HttpsFault};

/// Why an endpoint did not do what was asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// Another may.
    Endpoint(EndpointFault),
    /// No other would.
    Etcd(EtcdError),
}

impl Fault {
    /// Whether the connection ended in the middle.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Endpoint(EndpointFault::Https(HttpsError { fault: HttpsFault::Closed { .. }, .. })))
    }

    /// What is left of it if it is the endpoint's.
    pub(super) fn or_of_endpoint(self) -> Result<EndpointFault, EtcdError> {
        match self {
            Self::Endpoint(fault) => Ok(fault),
            Self::Etcd(error) => Err(error),
        }
    }
}

impl From<HttpsError> for Fault {
    fn from(error: HttpsError) -> Self {
        Self::Endpoint(error.into())
    }
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn put(key: &[u8], value: &[u8], lease: Option<LeaseId>) -> Value {
    let lease = lease.map_or(0, |lease| lease.0).to_string();
    json!({ "key": base64(key), "value": base64(value), "lease": lease })
}

/// The range of all keys with this prefix.
pub(super) fn prefix(prefix: &[u8]) -> Value {
    // Its end is the first key behind them. Behind a last byte of 0xff there is none, so the one before counts up; with
    // nothing left to count up it is all there is from the key on, which is written as "\0". So is the least key.
    let mut end = prefix.to_vec();
    while end.last() == Some(&0xff) {
        end.pop();
    }
    match end.last_mut() {
        Some(last) => *last += 1,
        None => end.push(0),
    }
    let key = if prefix.is_empty() { &b"\0"[..] } else { prefix };
    json!({ "key": base64(key), "range_end": base64(&end) })
}

/// Reads an answer.
pub(super) fn read<A: DeserializeOwned>(origin: &str, status: StatusCode, body: &[u8]) -> Result<A, Fault> {
    if status.is_success()
        && let Ok(answer) = serde_json::from_slice(body)
    {
        return Ok(answer);
    }
    // A stream may begin well and go wrong: then the status does not tell.
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => Err(refusal.read(origin, status)),
        Err(_) => Err(not_etcd(origin, status)),
    }
}

pub(super) fn not_etcd(origin: &str, status: StatusCode) -> Fault {
    Fault::Endpoint(EndpointFault::NotEtcd { origin: origin.to_owned(), status: status.as_u16() })
}

/// What is not done; of a call, or, one level deeper and in other words, of a stream.
#[derive(Deserialize)]
#[serde(untagged)]
enum Refusal {
    Streamed { error: StreamRefusal },
    Plain { code: u32, message: String },
}

#[derive(Deserialize)]
struct StreamRefusal {
    #[serde(alias = "code")] // of etcd 3.6
    grpc_code: u32,
    message: String,
}

impl Refusal {
    fn read(self, origin: &str, status: StatusCode) -> Fault {
        let (code, message) = match self {
            Self::Streamed { error } => (error.grpc_code, error.message),
            Self::Plain { code, message } => (code, message),
        };
        let origin = origin.to_owned();
        match code {
            NOT_FOUND if message.contains("lease not found") => Fault::Etcd(EtcdError::LeaseNotFound),
            OUT_OF_RANGE if message.contains("compacted") => Fault::Etcd(EtcdError::Compacted),
            // A member that lags behind the one that was asked before.
            OUT_OF_RANGE if message.contains("future revision") => {
                Fault::Endpoint(EndpointFault::Unavailable { origin, message, untouched: true })
            }
            UNAVAILABLE | DEADLINE_EXCEEDED => unavailable(origin, message),
            // As it says itself when a writing gets no majority: "context deadline exceeded", and the code is UNKNOWN.
            _ if status.is_server_error() => unavailable(origin, message),
            // A path that the gateway has not.
            NOT_FOUND | UNIMPLEMENTED => not_etcd(&origin, status),
            _ => Fault::Etcd(EtcdError::Refused { origin, code, message }),
        }
    }
}

fn unavailable(origin: String, message: String) -> Fault {
    // Of all its reasons this one alone comes before anything is done.
    let untouched = message == "etcdserver: no leader";
    Fault::Endpoint(EndpointFault::Unavailable { origin, message, untouched })
}

/// An element of a stream.
#[derive(Deserialize)]
pub(super) struct Streamed<A> {
    pub(super) result: A,
}

#[derive(Deserialize)]
pub(super) struct Headed {
    pub(super) header: Header,
}

#[derive(Deserialize)]
pub(super) struct Header {
    #[serde(default)]
    revision: Int,
}

impl Header {
    pub(super) fn revision(&self) -> Revision {
        self.revision.revision()
    }
}

#[derive(Deserialize)]
pub(super) struct Status {
    header: Header,
    version: String,
    #[serde(default)]
    leader: String,
    #[serde(default)]
    errors: Vec<String>,
}

impl Status {
    pub(super) fn read(self, origin: String) -> super::Status {
        let has_leader = !matches!(&self.leader[..], "" | "0");
        let revision = self.header.revision();
        super::Status { origin, version: self.version, revision, has_leader, errors: self.errors }
    }
}

#[derive(Deserialize)]
pub(super) struct Range {
    pub(super) header: Header,
    #[serde(default)]
    kvs: Vec<Kv>,
    #[serde(default)]
    pub(super) more: bool,
}

impl Range {
    pub(super) fn key_values(self) -> Vec<KeyValue> {
        self.kvs.into_iter().map(Kv::read).collect()
    }
}

#[derive(Deserialize)]
pub(super) struct Lease {
    #[serde(rename = "ID")]
    pub(super) id: Int,
    #[serde(rename = "TTL", default)]
    ttl: Int,
}

impl Lease {
    pub(super) fn ttl(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.ttl.0).unwrap_or(0))
    }
}

#[derive(Deserialize)]
pub(super) struct TxnAnswer {
    pub(super) header: Header,
    #[serde(default)]
    pub(super) succeeded: bool,
    #[serde(default)]
    pub(super) responses: Vec<OpAnswer>,
}

#[derive(Deserialize)]
pub(super) enum OpAnswer {
    #[serde(rename = "response_put")]
    Put {},
    #[serde(rename = "response_delete_range")]
    Delete {
        #[serde(default)]
        deleted: Int,
    },
    #[serde(rename = "response_range")]
    Range(Range),
}

impl OpAnswer {
    pub(super) fn read(self) -> OpResponse {
        match self {
            Self::Put {} => OpResponse::Put,
            Self::Delete { deleted } => OpResponse::Deleted(u64::try_from(deleted.0).unwrap_or(0)),
            Self::Range(range) => OpResponse::Range(range.key_values()),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct WatchAnswer {
    pub(super) header: Header,
    #[serde(default)]
    pub(super) created: bool,
    #[serde(default)]
    pub(super) canceled: bool,
    #[serde(default)]
    pub(super) cancel_reason: String,
    #[serde(default)]
    compact_revision: Int,
    #[serde(default)]
    pub(super) events: Vec<EventAnswer>,
}

impl WatchAnswer {
    /// Where events begin, if that is why it was canceled.
    pub(super) fn compacted(&self) -> Option<Revision> {
        (self.compact_revision.0 > 0).then(|| self.compact_revision.revision())
    }
}

#[derive(Deserialize)]
pub(super) struct EventAnswer {
    #[serde(default, rename = "type")]
    kind: Kind,
    kv: Kv,
}

#[derive(Deserialize, Default)]
enum Kind {
    #[default]
    #[serde(rename = "PUT")]
    Put,
    #[serde(rename = "DELETE")]
    Delete,
}

impl EventAnswer {
    pub(super) fn read(self) -> super::Event {
        match self.kind {
            Kind::Put => super::Event::Put(self.kv.read()),
            Kind::Delete => {
                let KeyValue { key, mod_revision, .. } = self.kv.read();
                super::Event::Delete { key, mod_revision }
            }
        }
    }
}

#[derive(Deserialize)]
struct Kv {
    #[serde(default)]
    key: Bytes,
    #[serde(default)]
    value: Bytes,
    #[serde(default)]
    create_revision: Int,
    #[serde(default)]
    mod_revision: Int,
    #[serde(default)]
    lease: Int,
}

impl Kv {
    fn read(self) -> KeyValue {
        KeyValue {
            key: self.key.0,
            value: self.value.0,
            create_revision: self.create_revision.revision(),
            mod_revision: self.mod_revision.revision(),
            lease: Some(self.lease.0).filter(|lease| *lease != 0).map(LeaseId),
        }
    }
}

/// A string of digits; left out where it is zero.
#[derive(Copy, Clone, Default)]
pub(super) struct Int(pub(super) i64);

impl Int {
    fn revision(self) -> Revision {
        Revision(u64::try_from(self.0).unwrap_or(0))
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        digits.parse().map(Self).map_err(D::Error::custom)
    }
}

/// In base64; left out where there are none.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(D::Error::custom)
    }
}

// From grpc's codes.
const DEADLINE_EXCEEDED: u32 = 4;
const NOT_FOUND: u32 = 5;
const OUT_OF_RANGE: u32 = 11;
const UNIMPLEMENTED: u32 = 12;
const UNAVAILABLE: u32 = 14;

#[cfg(test)]
mod tests;
