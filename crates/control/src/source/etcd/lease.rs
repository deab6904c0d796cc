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
        self.own().lease = Some(lease.id);
        Ok(lease)
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
