//! The source `etcd`: a fleet whose nodes make their ring themselves, by way of a store that cannot read it.
//!
//! One node leads, under a lease. It makes the rings, and wraps each ring's key for every node (`leader`). Each node
//! registers a public key, takes the rings that are wrapped for it, and says which it has (`member`). Whichever of the nodes
//! has the newest ring may lead next (`election`). What lies in the store is in `store`, and how it is sealed in
//! [`fleet`](crate::fleet).

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_keyring::{NodeName, Schedule};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::etcd::{Etcd, LeaseId, Revision};
use crate::fleet::{EpochKey, FleetName, FleetSecret, NodeKey};
use crate::https::{Trust, Url};
use crate::{Error, Keys};

mod election;
mod leader;
mod lease;
mod member;
mod store;

use store::Store;

/// Which fleet, in which store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSource {
    /// The members of etcd; one is enough.
    pub endpoints: Vec<Url>,
    /// The fleet's name.
    pub fleet: FleetName,
    /// The file with the fleet's secret.
    pub secret_file: PathBuf,
    /// What this node is called. No other node of the fleet may be called so.
    pub node: NodeName,
    /// Raised by an operator when etcd was put back from a backup.
    pub generation: u64,
    /// What TLS is made with.
    pub trust: Trust,
}

impl EtcdSource {
    pub(crate) fn place(&self) -> String {
        let endpoints: Vec<String> = self.endpoints.iter().map(Url::origin).collect();
        format!("fleet {} at {}", self.fleet, endpoints.join(", "))
    }
}

/// A node of a fleet, whose files were read.
#[derive(Debug)]
pub(crate) struct Fleet {
    source: EtcdSource,
    waits: Waits,
    store: Store,
    own: Arc<Mutex<Own>>,
    /// The node is to be registered once more: what was wrapped for it does not open, or it was left out.
    renewed: Notify,
    /// Whether the node takes leave, and takes no part any more.
    leaving: watch::Sender<bool>,
}

/// What a node has besides its ring.
#[derive(Debug)]
struct Own {
    lease: Option<LeaseId>,
    /// Opens the next ring.
    node_key: NodeKey,
    /// Of the newest ring this node has opened or made: whoever leads wraps it for nodes that come late.
    epoch_key: Option<Arc<EpochKey>>,
    /// What was found last in the place of the newest ring, and was none.
    refused_ring: Option<Revision>,
    /// What was found last in the place of its key for this node, and was none.
    refused_key: Option<Revision>,
}

impl Fleet {
    pub(crate) fn new(source: &EtcdSource, schedule: &Schedule) -> Result<Self, Error> {
        let waits = Waits::at(schedule.rotate);
        let etcd = Etcd::new(source.endpoints.clone(), &source.trust, waits.request)?;
        let secret = FleetSecret::load(source.fleet.clone(), &source.secret_file)?;
        Ok(Self {
            source: source.clone(),
            waits,
            store: Store::new(etcd, secret, source.node.clone()),
            own: Arc::new(Mutex::new(Own {
                lease: None,
                node_key: NodeKey::generate(),
                epoch_key: None,
                refused_ring: None,
                refused_key: None,
            })),
            renewed: Notify::new(),
            leaving: watch::Sender::new(false),
        })
    }

    pub(crate) fn place(&self) -> String {
        self.source.place()
    }

    /// The same node as before a reload, if it is: who it is to the others, and what it leads with, stays.
    pub(crate) fn succeed(&mut self, before: &Self) {
        if (&self.source.node, &self.source.fleet) == (&before.source.node, &before.source.fleet) {
            self.own = Arc::clone(&before.own);
        }
    }

    pub(crate) async fn run(&self, keys: &Keys) -> Infallible {
        let mut leaving = self.leaving.subscribe();
        let left = async { leaving.wait_for(|leaving| *leaving).await.is_ok() };
        tokio::select! {
            biased;
            _ = left => std::future::pending().await,
            never = self.take_part_again_and_again(keys) => never,
        }
    }

    async fn take_part_again_and_again(&self, keys: &Keys) -> Infallible {
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            let Err(error) = self.take_part(keys).await;
            keys.follow_again();
            // What worked for long is no reason to wait long.
            failures = if begun.elapsed() > self.waits.pause { 0 } else { failures + 1 };
            keys.complain(error);
            let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(MOST_DOUBLINGS)).min(self.waits.pause);
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    /// Until something goes wrong: the store cannot be reached, the lease has run out, events were lost. Begun again, it
    /// reads all anew.
    async fn take_part(&self, keys: &Keys) -> Result<Infallible, Error> {
        let lease = self.lease(keys).await?;
        tokio::select! {
            ended = self.keep(lease) => ended,
            ended = self.announce(lease.id, keys) => ended,
            ended = self.follow(keys) => ended,
            ended = self.stand_for_election(lease, keys) => ended,
        }
    }

    /// A panic elsewhere cannot have left it half changed.
    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a node waits for etcd, where it may have to ask another member.
///
/// All together is less than a rotation: a node that has lost its member, or all of them, has the newest ring before another
/// rotation goes on without it.
#[derive(Copy, Clone, Debug)]
struct Waits {
    /// For one request to one endpoint.
    request: Duration,
    /// How long a watch may be silent before it is made anew. Between two rotations there is nothing to hear.
    quiet: Duration,
    /// Between two attempts, at most.
    pause: Duration,
}

impl Waits {
    fn at(rotate: Duration) -> Self {
        let [request, quiet, pause] = [3, 60, 5].map(Duration::from_secs);
        Self { request: request.min(rotate / 2), quiet: quiet.min(rotate), pause: pause.min(rotate / 4) }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MOST_DOUBLINGS: u32 = 6;
