//! What every node of a fleet does, the leader too: it takes the rings that are wrapped for it, and says what it has.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use raincheck_keyring::{Epoch, Outdated, Ring};
use tokio::time::{Instant, timeout_at};

use super::Fleet;
use crate::etcd::{Event, KeyValue, LeaseId, Revision};
use crate::fleet::{Acknowledgement, EnvelopeError, EpochKey, NodeKey, Registration, Unopened};
use crate::{Error, Keys, SourceFault};

impl Fleet {
    /// Registers, acknowledges what it has, and does so again whenever that changes.
    pub(super) async fn announce(&self, lease: LeaseId, keys: &Keys) -> Result<Infallible, Error> {
        let (mut published, mut held) = (keys.published(), keys.held());
        let mut said = (None, None);
        loop {
            let (epoch, holds) = (*published.borrow_and_update(), *held.borrow_and_update());
            let (node, lease_number) = (self.source.node.clone(), lease.0);
            let public_key = self.own().node_key.public().clone();
            let registration = Registration { node: node.clone(), epoch, lease: lease_number, public_key };
            let acknowledgement = Acknowledgement { node, epoch: holds, lease: lease_number };
            let now = (Some(registration), Some(acknowledgement).filter(|said| said.epoch != Epoch::NONE));
            if now != said {
                let registration = now.0.as_ref().filter(|_| now.0 != said.0);
                let acknowledgement = now.1.as_ref().filter(|_| now.1 != said.1);
                self.store.say(registration, acknowledgement, lease).await?;
                said = now;
            }
            tokio::select! {
                _ = published.changed() => {}
                _ = held.changed() => {}
                () = self.renewed.notified() => said.0 = None,
            }
        }
    }

    /// Takes each ring whose key is wrapped for this node.
    pub(super) async fn follow(&self, keys: &Keys) -> Result<Infallible, Error> {
        let key = self.store.key_of(&self.source.node);
        let (wrapped, mut seen) = self.store.etcd.get(&key).await?;
        let revision = seen;
        let mut rotate = self.catch_up(wrapped.as_ref(), keys).await?;
        let mut watch = self.store.etcd.watch(&key, revision.next(), self.waits.quiet).await?;
        let mut looked = Instant::now();
        loop {
            // Whoever is left out would hear nothing of that, but of nodes whose names begin with its own.
            let Ok(events) = timeout_at(looked + rotate + rotate / 2, watch.next()).await else {
                let wrapped;
                (wrapped, seen) = self.store.etcd.get(&key).await?;
                rotate = self.catch_up(wrapped.as_ref(), keys).await?;
                looked = Instant::now();
                continue;
            };
            for event in events? {
                if let Event::Put(wrapped) = event
                    && wrapped.key == key
                    && wrapped.mod_revision > seen
                {
                    rotate = self.catch_up(Some(&wrapped), keys).await?;
                    looked = Instant::now();
                }
            }
        }
    }

    /// Takes the newest ring, if the node does not have it, and `wrapped` opens it. Answers how often there is a new one.
    async fn catch_up(&self, wrapped: Option<&KeyValue>, keys: &Keys) -> Result<Duration, Error> {
        let stored = self.store.stored().await?;
        if let Some(foreign) = stored.foreign {
            self.refuse_ring(stored.put, foreign, keys);
        }
        let Some(sealed) = stored.sealed else { return Ok(keys.schedule().rotate) };
        let rotate = sealed.rotate();
        let epoch = keys.ring().epoch();
        if sealed.epoch() < epoch {
            self.refuse_ring(stored.put, self.outdated(sealed.epoch(), epoch), keys);
            return Ok(rotate);
        }
        if sealed.epoch() == epoch && !keys.is_supplied() {
            // The node was alone meanwhile, and the fleet has not rotated.
            let epoch_key = self.own().epoch_key.clone();
            if let Some(Ok(ring)) = epoch_key.map(|epoch_key| epoch_key.open(&sealed)) {
                self.take(ring, keys);
            }
            return Ok(rotate);
        }
        if sealed.epoch() == epoch {
            keys.confirm();
            if let Some(wrapped) = wrapped {
                self.refuse_old_key(wrapped, epoch, keys);
            }
            return Ok(rotate);
        }
        let Some(wrapped) = wrapped else { return Ok(rotate) };
        if sealed.epoch().generation < self.source.generation {
            let fault = SourceFault::OldGeneration { epoch: sealed.epoch(), generation: self.source.generation };
            keys.refuse(Error::Source { place: self.place(), fault });
            return Ok(rotate);
        }
        let node_key = std::mem::replace(&mut self.own().node_key, NodeKey::generate());
        let opened = match node_key.open(&wrapped.value, sealed.epoch(), &self.source.node, &self.store.secret) {
            Ok(epoch_key) => epoch_key.open(&sealed).map(|ring| (epoch_key, ring)),
            Err(Unopened { key, fault }) => {
                self.own().node_key = key;
                Err(fault)
            }
        };
        match opened {
            Ok((epoch_key, ring)) => {
                self.own().epoch_key = Some(Arc::new(epoch_key));
                self.take(ring, keys);
            }
            // It is for the key of before, or of a ring that has been followed by another since: the right one will come.
            Err(EnvelopeError::OtherKey | EnvelopeError::OtherEpoch { .. }) => self.renewed.notify_one(),
            Err(fault) => keys.refuse(self.store.envelope_error(&wrapped.key, fault)),
        }
        Ok(rotate)
    }

    fn take(&self, ring: Ring, keys: &Keys) {
        if let Err(outdated) = keys.take_ring(ring) {
            keys.refuse(Error::Source { place: self.place(), fault: outdated.into() });
        }
    }

    /// Counts a ring that nobody should have put where the newest one is, once.
    pub(super) fn refuse_ring(&self, put: Revision, error: Error, keys: &Keys) {
        if self.own().refused_ring.replace(put) != Some(put) {
            keys.refuse(error);
        }
    }

    pub(super) fn outdated(&self, offered: Epoch, held: Epoch) -> Error {
        Error::Source { place: self.place(), fault: Outdated { offered, held }.into() }
    }

    /// Counts what is no key of the ring that the node has, once. Nobody who leads would put it there, now that it has that ring.
    fn refuse_old_key(&self, wrapped: &KeyValue, epoch: Epoch, keys: &Keys) {
        let fault = match EpochKey::epoch_of(&wrapped.value) {
            Ok(found) if found < epoch => EnvelopeError::OtherEpoch { expected: epoch, found },
            Ok(_) => return,
            Err(fault) => fault,
        };
        if self.own().refused_key.replace(wrapped.mod_revision) != Some(wrapped.mod_revision) {
            keys.refuse(self.store.envelope_error(&wrapped.key, fault));
        }
    }
}
