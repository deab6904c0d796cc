//! A client of etcd v3, by its JSON gateway: each call is a `POST` of JSON, bytes are in base64, 64-bit numbers are strings,
//! and what is zero is left out (grpc-gateway). For etcd 3.4 and later, where it is at `/v3`.
//!
//! Of several endpoints one is asked, for as long as it works; then the next. What is secret never goes to a store in clear,
//! so values are not wiped here; all the same none is shown.
//!
//! The gateway takes no client certificate for a user's name, and there are no passwords here: with etcd's own
//! authentication (`auth enable`) this client is nobody. TLS with client certificates (`--client-cert-auth`) works.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::https::{Client, Limits, Request, Trust, Url};
use crate::{EndpointFault, Error, EtcdError, WatchError};

mod key_value;
mod txn;
mod watch;
mod wire;

pub use key_value::{KeyValue, LeaseId, Revision};
pub use txn::{Compare, Op, OpResponse, Order, Target, Txn, TxnResponse};
pub use watch::{Event, Watch};

use wire::Fault;

/// A handle to etcd, cheap to clone. For use within a tokio runtime.
#[derive(Clone, Debug)]
pub struct Etcd {
    client: Client,
    endpoints: Arc<[Url]>,
    /// The one that worked last.
    kept: Arc<AtomicUsize>,
    /// For one endpoint.
    limit: Duration,
}

/// A lease as it was granted.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// How long it holds unless it is kept alive. etcd may give more than was asked for.
    pub ttl: Duration,
}

/// What a member says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The endpoint that was asked.
    pub origin: String,
    /// etcd's version.
    pub version: String,
    /// The latest revision this member has.
    pub revision: Revision,
    /// Whether it knows of a leader.
    pub has_leader: bool,
    /// What is wrong with it, in its own words.
    pub errors: Vec<String>,
}

/// An answer, and whether it may be the second one.
struct Reply<A> {
    answer: A,
    /// An endpoint that failed before may have done the same already.
    repeated: bool,
}

impl Etcd {
    /// A client of these endpoints, of which there is at least one. Each is given `limit` for a request before the next is asked.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(endpoints: Vec<Url>, trust: &Trust, limit: Duration) -> Result<Self, Error> {
        let client = Client::new(trust)?;
        Ok(Self { client, endpoints: endpoints.into(), kept: Arc::default(), limit })
    }

    /// What the endpoint in use says of itself. It may have no leader.
    ///
    /// # Errors
    /// [`EtcdError`].
    pub async fn status(&self) -> Result<Status, EtcdError> {
        let ask = |endpoint: Url| async move {
            let origin = endpoint.origin();
            let status = self.ask(endpoint, "/v3/maintenance/status", b"{}".to_vec(), Need::Anybody).await?;
            Ok(wire::Status::read(status, origin))
        };
        Ok(self.each(ask).await?.answer)
    }

    /// The value of a key, if it has one, and the revision at which that is so.
    ///
    /// # Errors
    /// [`EtcdError`].
    pub async fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, Revision), EtcdError> {
        let range: wire::Range = self.call("/v3/kv/range", &json!({ "key": wire::base64(key) })).await?.answer;
        let revision = range.header.revision();
        Ok((range.key_values().pop(), revision))
    }

    /// All keys with this prefix, in order, as they are at one revision.
    ///
    /// # Errors
    /// [`EtcdError`]; [`EtcdError::Compacted`] if that revision was compacted before all was read.
    pub async fn range_prefix(&self, prefix: &[u8]) -> Result<(Vec<KeyValue>, Revision), EtcdError> {
        self.range_paged(prefix, PAGE).await
    }

    async fn range_paged(&self, prefix: &[u8], page: usize) -> Result<(Vec<KeyValue>, Revision), EtcdError> {
        let mut request = wire::prefix(prefix);
        request["limit"] = json!(page.to_string());
        let mut found = Vec::new();
        let mut at = None;
        loop {
            let range: wire::Range = self.call("/v3/kv/range", &request).await?.answer;
            let revision = *at.get_or_insert(range.header.revision());
            let more = range.more;
            found.extend(range.key_values());
            match found.last() {
                Some(KeyValue { key, .. }) if more => {
                    request["key"] = json!(wire::base64(&[key, &b"\0"[..]].concat()));
                    request["revision"] = json!(revision.0.to_string());
                }
                _ => return Ok((found, revision)),
            }
        }
    }

    /// Sets a key, bound to a lease or to none.
    ///
    /// # Errors
    /// [`EtcdError`]; [`EtcdError::LeaseNotFound`].
    pub async fn put(&self, key: &[u8], value: &[u8], lease: Option<LeaseId>) -> Result<Revision, EtcdError> {
        let request = wire::put(key, value, lease);
        Ok(self.call::<wire::Headed>("/v3/kv/put", &request).await?.answer.header.revision())
    }

    /// Deletes a key; gives the revision after that, whether the key was there or not.
    ///
    /// # Errors
    /// [`EtcdError`].
    pub async fn delete(&self, key: &[u8]) -> Result<Revision, EtcdError> {
        let request = json!({ "key": wire::base64(key) });
        Ok(self.call::<wire::Headed>("/v3/kv/deleterange", &request).await?.answer.header.revision())
    }

    /// Deletes all keys with this prefix; gives the revision after that.
    ///
    /// # Errors
    /// [`EtcdError`].
    pub async fn delete_prefix(&self, prefix: &[u8]) -> Result<Revision, EtcdError> {
        Ok(self.call::<wire::Headed>("/v3/kv/deleterange", &wire::prefix(prefix)).await?.answer.header.revision())
    }

    /// Compares, and does the one or the other, all at one revision.
    ///
    /// # Errors
    /// [`EtcdError`]; [`EtcdError::LeaseNotFound`].
    pub async fn txn(&self, txn: &Txn) -> Result<TxnResponse, EtcdError> {
        let Reply { answer, repeated } = self.call::<wire::TxnAnswer>("/v3/kv/txn", &txn.to_json()).await?;
        Ok(TxnResponse::read(answer, repeated))
    }

    /// Asks for a lease that holds for `ttl`, in whole seconds, one at least.
    ///
    /// # Errors
    /// [`EtcdError`].
    pub async fn grant(&self, ttl: Duration) -> Result<Lease, EtcdError> {
        let request = json!({ "TTL": ttl.as_secs().max(1).to_string() });
        let lease: wire::Lease = self.call("/v3/lease/grant", &request).await?.answer;
        Ok(Lease { id: LeaseId(lease.id.0), ttl: lease.ttl() })
    }

    /// Renews a lease; gives how long it holds from now.
    ///
    /// # Errors
    /// [`EtcdError`]; [`EtcdError::LeaseNotFound`] where it is too late.
    pub async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, EtcdError> {
        let request = json!({ "ID": lease.0.to_string() });
        // A stream of one answer.
        let lease: wire::Streamed<wire::Lease> = self.call("/v3/lease/keepalive", &request).await?.answer;
        // A lease that is gone is no error for etcd, but has no time left.
        Some(lease.result.ttl()).filter(|ttl| !ttl.is_zero()).ok_or(EtcdError::LeaseNotFound)
    }

    /// Ends a lease, and deletes the keys that are bound to it.
    ///
    /// # Errors
    /// [`EtcdError`]; [`EtcdError::LeaseNotFound`].
    pub async fn revoke(&self, lease: LeaseId) -> Result<(), EtcdError> {
        let request = json!({ "ID": lease.0.to_string() });
        self.call::<wire::Headed>("/v3/lease/revoke", &request).await?;
        Ok(())
    }

    /// Watches all keys with this prefix, for what happened at `from` and since. After a read at a revision that is
    /// [`Revision::next`]. One that hears nothing for `quiet` is made anew, so that it notices when nobody is there any more.
    ///
    /// # Errors
    /// [`WatchError`].
    pub async fn watch(&self, prefix: &[u8], from: Revision, quiet: Duration) -> Result<Watch, WatchError> {
        Watch::open(self.clone(), prefix, from, quiet).await
    }

    /// Asks one endpoint after the other.
    async fn call<A: DeserializeOwned>(&self, path: &'static str, request: &Value) -> Result<Reply<A>, EtcdError> {
        let body = request.to_string().into_bytes();
        self.each(|endpoint| self.ask(endpoint, path, body.clone(), Need::Leader)).await
    }

    /// Asks one endpoint after the other, from the one that is kept, until one does it; that one is kept.
    async fn each<A, F>(&self, ask: impl Fn(Url) -> F) -> Result<Reply<A>, EtcdError>
    where
        F: Future<Output = Result<A, Fault>>,
    {
        let count = self.endpoints.len();
        let first = self.kept.load(Ordering::Relaxed);
        let mut faults: Vec<EndpointFault> = Vec::new();
        let mut repeated = false;
        for index in (0..count).map(|offset| (first + offset) % count) {
            let endpoint = &self.endpoints[index];
            let mut asked = ask(endpoint.clone()).await;
            if asked.as_ref().is_err_and(Fault::is_closed) {
                // A connection of before, most likely, whose server is another process by now.
                repeated = true;
                asked = ask(endpoint.clone()).await;
            }
            match asked {
                Ok(answer) => {
                    self.kept.store(index, Ordering::Relaxed);
                    repeated |= faults.iter().any(EndpointFault::may_have_happened);
                    return Ok(Reply { answer, repeated });
                }
                Err(fault) => faults.push(fault.or_of_endpoint()?),
            }
        }
        Err(EtcdError::NoEndpoint { faults })
    }

    async fn ask<A: DeserializeOwned>(
        &self,
        endpoint: Url,
        path: &'static str,
        body: Vec<u8>,
        need: Need,
    ) -> Result<A, Fault> {
        let limits = Limits { time: self.limit, bytes: LARGEST };
        let answer = self.client.request(need.post(&endpoint, path, body), limits).await?;
        wire::read(&endpoint.origin(), answer.status, &answer.body)
    }
}

/// Whom a request is for.
#[derive(Copy, Clone)]
enum Need {
    /// Whoever is there.
    Anybody,
    /// A member that has a leader.
    Leader,
}

impl Need {
    /// The gateway hands on as gRPC metadata what begins with `Grpc-Metadata-`, so `hasleader` reaches etcd, which has no other
    /// setting for it (`WithRequireLeader` in its own clients sends the same). Seen with 3.4.23: a member without a leader
    /// refuses at once, where it would otherwise take six seconds, and it ends the watches that said so about three election
    /// timeouts after it lost its leader, by a line with `etcdserver: no leader`. Without it a watch stays as it is, in silence.
    fn post(self, endpoint: &Url, path: &'static str, body: Vec<u8>) -> Request {
        let mut request = Request::post_json(endpoint.below(path), body);
        if let Self::Leader = self {
            request.headers.insert(HAS_LEADER, HeaderValue::from_static("true"));
        }
        request
    }
}

const HAS_LEADER: HeaderName = HeaderName::from_static("grpc-metadata-hasleader");
/// Keys for one answer.
const PAGE: usize = 256;
/// The largest answer, in bytes; also the largest line of a watch. etcd takes requests of 1.5 MiB.
const LARGEST: usize = 32 * 1024 * 1024;

#[cfg(test)]
mod tests;
