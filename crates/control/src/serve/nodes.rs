//! The nodes that ask for the ring, and when each was last heard of.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_keyring::{Epoch, NodeName};
use tokio::time::Instant;

use crate::source::http::wire;
use crate::{Keys, Role};

/// Who has a registration, which lasts as long as its node goes on asking.
#[derive(Debug)]
pub(super) struct Nodes {
    keys: Keys,
    leases: Mutex<HashMap<NodeName, Lease>>,
}

#[derive(Debug)]
struct Lease {
    /// Requests that are not answered yet.
    open: usize,
    heard: Instant,
}

impl Nodes {
    pub(super) fn new(keys: Keys) -> Self {
        Self { keys, leases: Mutex::default() }
    }

    /// `node` asks, and can open with the ring of epoch `held`. It is there until the visit is dropped, and for a while
    /// after that. Says whether it has registered by that.
    pub(super) fn visit(&self, node: NodeName, held: Epoch) -> (Visit<'_>, bool) {
        let mut leases = self.leases();
        let lease = leases.entry(node.clone()).or_insert_with(|| Lease { open: 0, heard: Instant::now() });
        lease.open += 1;
        // Under the lock, lest a lease that ends at this moment end the registration that begins.
        let is_new = self.keys.heard(&node, held);
        drop(leases);
        (Visit { nodes: self, node }, is_new)
    }

    /// Ends the registrations that are over; those of nodes behind a standby leave no trace, for it rotates nothing.
    pub(super) fn sweep(&self) -> Vec<NodeName> {
        let mut leases = self.leases();
        let now = Instant::now();
        let mut lapsed = Vec::new();
        leases.retain(|node, lease| {
            let lasts = lease.open > 0 || now - lease.heard < LEASE;
            if !lasts {
                lapsed.push(node.clone());
            }
            lasts
        });
        let end = match self.keys.role() {
            Role::Standby => Keys::left,
            Role::Primary | Role::Superseded => Keys::lapsed,
        };
        lapsed.iter().for_each(|node| end(&self.keys, node));
        lapsed
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<NodeName, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request of a node that is not answered yet.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    nodes: &'a Nodes,
    node: NodeName,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if let Some(lease) = self.nodes.leases().get_mut(&self.node) {
            lease.open -= 1;
            lease.heard = Instant::now();
        }
    }
}

/// How long a registration lasts after the last word of its node, which asks again as soon as it is answered.
pub(super) const LEASE: Duration = wire::WAIT.saturating_mul(2);

/// How often they are looked at.
pub(super) const SWEEP: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use raincheck_keyring::Schedule;
    use tokio::time::advance;

    use super::*;
    use crate::KeySource;

    #[tokio::test(start_paused = true)]
    async fn a_registration_lasts_while_its_node_asks_and_a_while_longer() {
        let keys = Keys::start(&KeySource::Local, Schedule::default(), |_| ()).unwrap();
        let nodes = Nodes::new(keys.clone());
        let [a, b]: [NodeName; 2] = ["a", "b"].map(|name| name.parse().unwrap());
        let epoch = keys.ring().epoch();
        let (long, is_new) = nodes.visit(a.clone(), Epoch::NONE);
        assert!(is_new);
        assert!(nodes.visit(b.clone(), epoch).1);
        assert!(!nodes.visit(b.clone(), epoch).1);
        // It has lost what it had, as one does that restarts.
        assert!(nodes.visit(b.clone(), Epoch::NONE).1);
        assert_eq!(keys.members()[1].holding.epoch, Epoch::NONE);
        advance(LEASE - Duration::from_millis(1)).await;
        assert_eq!(nodes.sweep(), []);
        advance(Duration::from_millis(1)).await;
        assert_eq!(nodes.sweep(), std::slice::from_ref(&b));
        assert_eq!(keys.members().iter().map(|member| member.holding.lapsed).collect::<Vec<_>>(), [false, true]);
        drop(long);
        assert!(nodes.visit(b.clone(), epoch).1);
        advance(LEASE).await;
        assert_eq!(nodes.sweep().len(), 2);
    }
}
