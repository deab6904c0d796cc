//! What a fleet keeps in etcd, and where.
//!
//! ```text
//! /raincheck/FLEET/leader             the leader's name             under its lease
//! /raincheck/FLEET/ring               the newest ring, sealed
//! /raincheck/FLEET/keys/NODE          that ring's key, for NODE     by the leader
//! /raincheck/FLEET/nodes/NODE/key     NODE's registration           under its lease
//! /raincheck/FLEET/nodes/NODE/held    NODE's acknowledgement        under its lease
//! ```
//!
//! All that only the leader may write is written on the condition that it leads still.

use std::sync::Arc;

use raincheck_keyring::{Epoch, NodeName};

use crate::etcd::{Compare, Etcd, KeyValue, LeaseId, Op, Order, Revision, Target, Txn, TxnResponse};
use crate::fleet::{Acknowledgement, EnvelopeError, FleetSecret, Registration, RegistrationError, SealedRing};
use crate::{Error, EtcdError};

#[derive(Debug)]
pub(super) struct Store {
    pub(super) etcd: Etcd,
    pub(super) secret: Arc<FleetSecret>,
    pub(super) node: NodeName,
    prefix: String,
}

/// A term of office: the revision at which this node came to lead.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Term(pub(super) Revision);

/// The newest ring as it lies in the store.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) sealed: Option<SealedRing>,
    /// What lies in its place is not this fleet's.
    pub(super) foreign: Option<Error>,
    /// When it was put; 0 if there is none.
    pub(super) put: Revision,
}

/// What a key below `nodes/` is about.
#[derive(Debug)]
pub(super) enum About {
    Key(NodeName),
    Held(NodeName),
}

impl Store {
    pub(super) fn new(etcd: Etcd, secret: FleetSecret, node: NodeName) -> Self {
        let prefix = format!("/raincheck/{}/", secret.fleet());
        Self { etcd, secret: Arc::new(secret), node, prefix }
    }

    pub(super) fn leader(&self) -> Vec<u8> {
        format!("{}leader", self.prefix).into_bytes()
    }

    pub(super) fn ring(&self) -> Vec<u8> {
        format!("{}ring", self.prefix).into_bytes()
    }

    /// The prefix of all nodes' wrapped keys.
    pub(super) fn keys(&self) -> Vec<u8> {
        format!("{}keys/", self.prefix).into_bytes()
    }

    pub(super) fn key_of(&self, node: &NodeName) -> Vec<u8> {
        format!("{}keys/{node}", self.prefix).into_bytes()
    }

    /// The prefix of all that nodes say of themselves.
    pub(super) fn nodes(&self) -> Vec<u8> {
        format!("{}nodes/", self.prefix).into_bytes()
    }

    pub(super) fn registration_of(&self, node: &NodeName) -> Vec<u8> {
        format!("{}nodes/{node}/key", self.prefix).into_bytes()
    }

    /// What a key below [`nodes`](Self::nodes) is about; `None` for what does not belong there.
    pub(super) fn about(&self, key: &[u8]) -> Option<About> {
        let rest = str::from_utf8(key).ok()?.strip_prefix(&*self.prefix)?.strip_prefix("nodes/")?;
        match rest.split_once('/')? {
            (node, "key") => Some(About::Key(node.parse().ok()?)),
            (node, "held") => Some(About::Held(node.parse().ok()?)),
            _ => None,
        }
    }

    /// The node that a key below [`keys`](Self::keys) is for.
    pub(super) fn recipient(&self, key: &[u8]) -> Option<NodeName> {
        str::from_utf8(key).ok()?.strip_prefix(&*self.prefix)?.strip_prefix("keys/")?.parse().ok()
    }

    /// The newest ring.
    pub(super) async fn stored(&self) -> Result<Stored, Error> {
        let key = self.ring();
        let (found, _) = self.etcd.get(&key).await?;
        let put = found.as_ref().map_or(Revision(0), |found| found.mod_revision);
        let (sealed, foreign) = match found.map(|found| SealedRing::decode(found.value, &self.secret)) {
            None => (None, None),
            Some(Ok(sealed)) => (Some(sealed), None),
            Some(Err(fault)) => (None, Some(self.envelope_error(&key, fault))),
        };
        Ok(Stored { sealed, foreign, put })
    }

    /// Says what this node has: its registration, its acknowledgement, or both at once.
    pub(super) async fn say(
        &self,
        registration: Option<&Registration>,
        acknowledgement: Option<&Acknowledgement>,
        lease: LeaseId,
    ) -> Result<(), EtcdError> {
        let put = |what: &str, value| Op::Put {
            key: format!("{}nodes/{}/{what}", self.prefix, self.node).into_bytes(),
            value,
            lease: Some(lease),
        };
        let registration = registration.map(|registration| put("key", registration.encode(&self.secret)));
        let acknowledgement = acknowledgement.map(|said| put("held", said.encode(&self.secret)));
        let success = registration.into_iter().chain(acknowledgement).collect();
        self.etcd.txn(&Txn { success, ..Txn::default() }).await.map(drop)
    }

    /// Says that this node serves no more, under its lease, and takes away the key that waits for it: whoever leads next does
    /// not wait for it either.
    pub(super) async fn say_goodbye(&self, lease: LeaseId) -> Result<(), EtcdError> {
        let goodbye = Acknowledgement { node: self.node.clone(), epoch: Acknowledgement::GOODBYE, lease: lease.0 };
        let key = format!("{}nodes/{}/held", self.prefix, self.node).into_bytes();
        let put = Op::Put { key, value: goodbye.encode(&self.secret), lease: Some(lease) };
        let success = vec![put, Op::Delete { key: self.key_of(&self.node) }];
        self.etcd.txn(&Txn { success, ..Txn::default() }).await.map(drop)
    }

    /// Reads what is found below `nodes/NODE/key`.
    pub(super) fn registration(&self, node: &NodeName, found: &KeyValue) -> Result<Registration, Error> {
        Registration::decode(&found.value, &self.secret, node, lease_of(found))
            .map_err(|fault| self.registration_error(&found.key, fault))
    }

    /// Reads what is found below `nodes/NODE/held`.
    pub(super) fn acknowledgement(&self, node: &NodeName, found: &KeyValue) -> Result<Acknowledgement, Error> {
        Acknowledgement::decode(&found.value, &self.secret, node, lease_of(found))
            .map_err(|fault| self.registration_error(&found.key, fault))
    }

    /// Does all of `ops` if this node leads still.
    pub(super) async fn as_leader(
        &self,
        term: Term,
        also: Option<Compare>,
        ops: Vec<Op>,
    ) -> Result<TxnResponse, EtcdError> {
        let leads = Compare { key: self.leader(), target: Target::CreateRevision(term.0), order: Order::Equal };
        let compare = [leads].into_iter().chain(also).collect();
        self.etcd.txn(&Txn { compare, success: ops, failure: Vec::new() }).await
    }

    /// Whether this node leads still.
    pub(super) async fn is_term_of_this_node(&self, term: Term) -> Result<bool, EtcdError> {
        let (leader, _) = self.etcd.get(&self.leader()).await?;
        Ok(leader.is_some_and(|leader| leader.create_revision == term.0))
    }

    pub(super) fn envelope_error(&self, key: &[u8], fault: EnvelopeError) -> Error {
        Error::Envelope { place: self.place(key), fault }
    }

    pub(super) fn registration_error(&self, key: &[u8], fault: RegistrationError) -> Error {
        Error::Registration { place: self.place(key), fault }
    }

    fn place(&self, key: &[u8]) -> String {
        format!("etcd key {}", key.escape_ascii())
    }
}

impl Stored {
    /// The newest epoch there is.
    pub(super) fn epoch(&self) -> Epoch {
        self.sealed.as_ref().map_or(Epoch::NONE, SealedRing::epoch)
    }
}

/// No lease is called 0: what has none was not put by a node.
fn lease_of(found: &KeyValue) -> i64 {
    found.lease.map_or(0, |lease| lease.0)
}
