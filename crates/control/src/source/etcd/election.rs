//! Who leads: whoever puts its name first, and for as long as its lease lasts.

use std::convert::Infallible;

use raincheck_keyring::Epoch;
use tokio::time::sleep;

use super::Fleet;
use super::store::{About, Term};
use crate::etcd::{Compare, Lease, Op, Txn};
use crate::fleet::Acknowledgement;
use crate::{Error, Keys};

impl Fleet {
    /// Leads whenever nobody else does.
    pub(super) async fn stand_for_election(&self, lease: Lease, keys: &Keys) -> Result<Infallible, Error> {
        let key = self.store.leader();
        loop {
            let (leader, revision) = self.store.etcd.get(&key).await?;
            match leader {
                Some(leader) if leader.lease == Some(lease.id) => {
                    self.lead(Term(leader.create_revision), keys).await?;
                    keys.follow_again();
                    // The lease may hold still, but what it was for is lost.
                    continue;
                }
                // Put by somebody who is no node, it would never go. Deleted first, because a term begins when the key is created.
                Some(leader) if leader.lease.is_none() && self.may_lead(keys).await? => {
                    let unchanged = Compare::unchanged(key.clone(), leader.mod_revision);
                    let delete = Op::Delete { key: key.clone() };
                    self.store
                        .etcd
                        .txn(&Txn { compare: vec![unchanged], success: vec![delete], failure: vec![] })
                        .await?;
                    continue;
                }
                Some(_) => {}
                None if self.may_lead(keys).await? => {
                    let put =
                        Op::Put { key: key.clone(), value: self.source.node.to_string().into(), lease: Some(lease.id) };
                    let absent = Compare::absent(key.clone());
                    self.store.etcd.txn(&Txn { compare: vec![absent], success: vec![put], failure: vec![] }).await?;
                    continue;
                }
                None => {
                    // Whoever has the newest ring will stand now, or is gone before its lease is over.
                    sleep(lease.ttl / 3).await;
                    continue;
                }
            }
            let mut watch = self.store.etcd.watch(&key, revision.next(), self.waits.quiet).await?;
            watch.next().await?;
        }
    }

    /// Whether this node has the newest ring, or nobody who is there has a newer one: whoever leads makes the next ring out
    /// of its own, and what is not in that is lost.
    async fn may_lead(&self, keys: &Keys) -> Result<bool, Error> {
        let held = keys.ring().epoch();
        let stored = self.store.stored().await?;
        if let Some(foreign) = stored.foreign {
            // Of another fleet by the same name, perhaps; its ring is not to be lost.
            let has_ring = held != Epoch::NONE;
            self.refuse_ring(stored.put, foreign, keys);
            return Ok(has_ring);
        }
        let newest = stored.sealed.map_or(Epoch::NONE, |sealed| sealed.epoch());
        if held != Epoch::NONE && held >= newest {
            return Ok(true);
        }
        let (nodes, _) = self.store.etcd.range_prefix(&self.store.nodes()).await?;
        let newer = nodes.iter().any(|found| match self.store.about(&found.key) {
            Some(About::Held(node)) if node != self.source.node => self
                .store
                .acknowledgement(&node, found)
                .is_ok_and(|said| said.epoch > held && said.epoch != Acknowledgement::GOODBYE),
            _ => false,
        });
        Ok(!newer)
    }
}
