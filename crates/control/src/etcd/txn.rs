//! Transactions.

use std::fmt;

use serde_json::{Value, json};

use super::key_value::Key;
use super::{KeyValue, LeaseId, Revision, wire};

/// If all of `compare` holds, `success` is done, else `failure`; at one revision. No key may be put twice in one of them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Txn {
    /// None of them: they hold.
    pub compare: Vec<Compare>,
    /// In this order.
    pub success: Vec<Op>,
    /// In this order.
    pub failure: Vec<Op>,
}

/// Something that is so, or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compare {
    /// About this key,
    pub key: Vec<u8>,
    /// this of it
    pub target: Target,
    /// is, to what is said of it,
    pub order: Order,
}

/// What of a key is compared, and to what. A key that is not there has the revisions 0 and no lease, and no value to compare.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// When it came to be.
    CreateRevision(Revision),
    /// When it was put last.
    ModRevision(Revision),
    /// What it is.
    Value(Vec<u8>),
    /// What it is bound to.
    Lease(Option<LeaseId>),
}

/// How what is there is to what is given.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Order {
    Equal,
    NotEqual,
    Greater,
    Less,
}

/// Something to do.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Op {
    Put { key: Vec<u8>, value: Vec<u8>, lease: Option<LeaseId> },
    Delete { key: Vec<u8> },
    DeletePrefix { prefix: Vec<u8> },
    Get { key: Vec<u8> },
    RangePrefix { prefix: Vec<u8> },
}

/// What came of a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TxnResponse {
    /// Whether what was compared held.
    pub succeeded: bool,
    /// One for each operation, in order.
    pub responses: Vec<OpResponse>,
    /// The store's revision after it.
    pub revision: Revision,
    /// An endpoint failed on it in a way that leaves open whether it was done, and another was asked to do it. Where what is
    /// compared is what is written, not to have `succeeded` may then mean that it was done the first time.
    pub repeated: bool,
}

/// What came of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpResponse {
    /// It was put.
    Put,
    /// So many keys were deleted.
    Deleted(u64),
    /// These are there.
    Range(Vec<KeyValue>),
}

impl Txn {
    pub(super) fn to_json(&self) -> Value {
        let ops = |ops: &[Op]| ops.iter().map(Op::to_json).collect::<Vec<_>>();
        let compare: Vec<_> = self.compare.iter().map(Compare::to_json).collect();
        json!({ "compare": compare, "success": ops(&self.success), "failure": ops(&self.failure) })
    }
}

impl Compare {
    /// The key is not there.
    pub fn absent(key: impl Into<Vec<u8>>) -> Self {
        Self { key: key.into(), target: Target::CreateRevision(Revision(0)), order: Order::Equal }
    }

    /// The key was put last at this revision.
    pub fn unchanged(key: impl Into<Vec<u8>>, since: Revision) -> Self {
        Self { key: key.into(), target: Target::ModRevision(since), order: Order::Equal }
    }

    fn to_json(&self) -> Value {
        let key = wire::base64(&self.key);
        let result = match self.order {
            Order::Equal => "EQUAL",
            Order::NotEqual => "NOT_EQUAL",
            Order::Greater => "GREATER",
            Order::Less => "LESS",
        };
        match &self.target {
            Target::CreateRevision(Revision(revision)) => {
                json!({ "key": key, "result": result, "target": "CREATE", "create_revision": revision.to_string() })
            }
            Target::ModRevision(Revision(revision)) => {
                json!({ "key": key, "result": result, "target": "MOD", "mod_revision": revision.to_string() })
            }
            Target::Value(value) => {
                json!({ "key": key, "result": result, "target": "VALUE", "value": wire::base64(value) })
            }
            Target::Lease(lease) => {
                let lease = lease.map_or(0, |lease| lease.0).to_string();
                json!({ "key": key, "result": result, "target": "LEASE", "lease": lease })
            }
        }
    }
}

impl Op {
    fn to_json(&self) -> Value {
        match self {
            Self::Put { key, value, lease } => json!({ "request_put": wire::put(key, value, *lease) }),
            Self::Delete { key } => json!({ "request_delete_range": { "key": wire::base64(key) } }),
            Self::DeletePrefix { prefix } => json!({ "request_delete_range": wire::prefix(prefix) }),
            Self::Get { key } => json!({ "request_range": { "key": wire::base64(key) } }),
            Self::RangePrefix { prefix } => json!({ "request_range": wire::prefix(prefix) }),
        }
    }
}

impl TxnResponse {
    pub(super) fn read(answer: wire::TxnAnswer, repeated: bool) -> Self {
        let responses = answer.responses.into_iter().map(wire::OpAnswer::read).collect();
        Self { succeeded: answer.succeeded, responses, revision: answer.header.revision(), repeated }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateRevision(Revision(revision)) => write!(f, "create_revision {revision}"),
            Self::ModRevision(Revision(revision)) => write!(f, "mod_revision {revision}"),
            Self::Value(value) => write!(f, "value of {} bytes", value.len()),
            Self::Lease(lease) => write!(f, "{lease:?}"),
        }
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value, lease } => write!(f, "put {} = {} bytes, {lease:?}", Key(key), value.len()),
            Self::Delete { key } => write!(f, "delete {}", Key(key)),
            Self::DeletePrefix { prefix } => write!(f, "delete {}...", Key(prefix)),
            Self::Get { key } => write!(f, "get {}", Key(key)),
            Self::RangePrefix { prefix } => write!(f, "get {}...", Key(prefix)),
        }
    }
}
