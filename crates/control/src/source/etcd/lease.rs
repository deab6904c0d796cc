//! The lease that all a node has in the store lives under.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Fleet;
use crate::etcd::Lease;
use crate::{Error, EtcdError, Keys};

impl Fleet {
    /// The lease this node had, if it still holds, or a new one.
    pub(super) async fn lease(&self, keys: &Keys) -> Result<Lease, Error> {
        let had = self.own().lease;
        if let Some(id) = had {
            match self.store.etcd.keep_alive(id).await {
                Ok(ttl) => return Ok(Lease { id, ttl }),
                Err(EtcdError::LeaseNotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let lease = self.store.etcd.grant(length(keys.schedule().rotate)).await?;
        if had.is_none() {
            self.end_former_life().await?;
        }
        self.own().lease = Some(lease.id);
        Ok(lease)
    }

    /// Ends the lease of a process that was this node before and ended without a word. As long as it holds, it may lead, and
    /// nobody wraps keys for who comes; and what it has acknowledged counts.
    async fn end_former_life(&self) -> Result<(), Error> {
        let (found, _) = self.store.etcd.get(&self.store.registration_of(&self.source.node)).await?;
        let Some(found) = found else { return Ok(()) };
        // Whose it is only who has the fleet's secret can say.
        if self.store.registration(&self.source.node, &found).is_ok()
            && let Some(lease) = found.lease
        {
            match self.store.etcd.revoke(lease).await {
                Ok(()) | Err(EtcdError::LeaseNotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes leave, so that no rotation waits for this node: its word for the one that leads, then the end of all it has in
    /// the store.
    pub(crate) async fn leave(&self) -> Result<(), Error> {
        self.leaving.send_replace(true);
        let lease = self.own().lease.take();
        if let Some(lease) = lease {
            self.store.say_goodbye(lease).await?;
            self.store.etcd.revoke(lease).await?;
        }
        Ok(())
    }

    /// Keeps the lease.
    pub(super) async fn keep(&self, lease: Lease) -> Result<Infallible, Error> {
        let mut ttl = lease.ttl;
        loop {
            let renewed = Instant::now();
            sleep_until(renewed + ttl / 3).await;
            ttl = loop {
                match self.store.etcd.keep_alive(lease.id).await {
                    Ok(ttl) => break ttl,
                    // One member may be gone, or the leader of them all: as long as the lease holds, another may answer.
                    Err(EtcdError::NoEndpoint { .. }) if renewed.elapsed() < ttl => sleep(PAUSE).await,
                    Err(error) => return Err(error.into()),
                }
            };
        }
    }
}

/// How long a node that says nothing counts as there: the longer, the less there is to say; the shorter, the sooner another
/// one leads.
fn length(rotate: Duration) -> Duration {
    (rotate * 3).clamp(Duration::from_secs(5), Duration::from_secs(30))
}

const PAUSE: Duration = Duration::from_millis(200);
