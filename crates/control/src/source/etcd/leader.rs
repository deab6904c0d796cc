//! What the node does that leads: it makes the rings, and wraps their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use raincheck_keyring::{Epoch, NodeName, Ring};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Fleet;
use super::store::{About, Stored, Term};
use crate::clock::Moment;
use crate::etcd::{Compare, Event, KeyValue, Op, Revision};
use crate::fleet::{Acknowledgement, PublicKey, Registration, RegistrationError, SealedRing, seal};
use crate::keys::Due;
use crate::task::joined;
use crate::{Error, Keys};

/// What a leader knows of its fleet.
struct Office {
    term: Term,
    /// When the newest ring was put.
    put: Revision,
    epoch: Epoch,
    nodes: BTreeMap<NodeName, Registration>,
    /// Whose registration has changed, or whose ring has: they may lack the newest ring's key.
    waiting: BTreeSet<NodeName>,
}

impl Fleet {
    /// Leads, until another one does.
    pub(super) async fn lead(&self, term: Term, keys: &Keys) -> Result<(), Error> {
        let mut stored = self.store.stored().await?;
        if let Some(foreign) = stored.foreign.take() {
            // Who has a ring of the fleet puts it there again; who has none would found another fleet of the same name.
            if keys.ring().shared().is_none() {
                return Err(foreign);
            }
            self.refuse_ring(stored.put, foreign, keys);
        }
        let (wrapped, _) = self.store.etcd.range_prefix(&self.store.keys()).await?;
        let (nodes, revision) = self.store.etcd.range_prefix(&self.store.nodes()).await?;
        let recipients: Vec<NodeName> = wrapped.iter().filter_map(|found| self.store.recipient(&found.key)).collect();
        let mut office =
            Office { term, put: stored.put, epoch: stored.epoch(), nodes: BTreeMap::new(), waiting: BTreeSet::new() };
        let made_at = stored.sealed.as_ref().map_or(Moment::now().wall, SealedRing::made_at);
        keys.lead(office.epoch, made_at, recipients);
        if !self.can_go_on(&stored, keys) && !self.publish(&mut office, self.inherited(&stored, keys), keys).await? {
            return Ok(());
        }
        self.note(&mut office, nodes.iter().map(Change::Put), keys);
        let mut watch = self.store.etcd.watch(&self.store.nodes(), revision.next(), self.waits.quiet).await?;
        loop {
            if !self.wrap(&mut office).await? {
                return Ok(());
            }
            let wait = match keys.due() {
                Due::In(wait) => wait,
                Due::Now { without } => {
                    let ring = Made { ring: keys.successor(office.epoch), without };
                    if !self.publish(&mut office, ring, keys).await? {
                        return Ok(());
                    }
                    continue;
                }
            };
            tokio::select! {
                events = watch.next() => self.note(&mut office, events?.iter().map(Change::from), keys),
                () = sleep(wait) => {}
            }
        }
    }

    /// Whether this node has the newest ring, and its key for nodes that come late.
    fn can_go_on(&self, stored: &Stored, keys: &Keys) -> bool {
        let epoch = stored.epoch();
        let has_key = self.own().epoch_key.as_ref().is_some_and(|key| key.epoch() == epoch);
        has_key && keys.ring().epoch() == epoch && epoch.generation >= self.source.generation
    }

    /// The ring to begin with, where the newest one in the store is not the newest, or not to be opened.
    fn inherited(&self, stored: &Stored, keys: &Keys) -> Made {
        let held = keys.ring().shared().filter(|held| held.epoch() >= stored.epoch());
        let newest = stored.epoch().max(keys.ring().epoch());
        // The counter goes on through generations.
        let newest = Epoch { generation: newest.generation.max(self.source.generation), ..newest };
        let ring = match held {
            // The store has lost the newest ring, or its key is lost, or an operator began another generation: the same keys
            // once more.
            Some(held) => held.counted_from(newest).again(),
            // Nobody who is there has the newest ring. The key that it brought has not sealed yet.
            None => keys.successor(newest),
        };
        Made { ring, without: Vec::new() }
    }

    /// Puts a ring into the store, and then to use. Whether this node leads still.
    async fn publish(&self, office: &mut Office, made: Made, keys: &Keys) -> Result<bool, Error> {
        let Made { ring, without } = made;
        let epoch = ring.epoch();
        let rotate = keys.schedule().rotate;
        let (epoch_key, sealed) = seal(&ring, &self.source.node, Moment::now().wall, rotate, &self.store.secret);
        loop {
            let put = Op::Put { key: self.store.ring(), value: sealed.as_bytes().to_vec(), lease: None };
            let unchanged = Compare::unchanged(self.store.ring(), office.put);
            let done = self.store.as_leader(office.term, Some(unchanged), vec![put]).await?;
            if done.succeeded {
                office.put = done.revision;
                break;
            }
            let stored = self.store.stored().await?;
            if done.repeated && stored.sealed.as_ref() == Some(&sealed) {
                // It was put all the same, the first time it was asked for.
                office.put = stored.put;
                break;
            }
            if stored.put == office.put || !self.store.is_term_of_this_node(office.term).await? {
                return Ok(false);
            }
            // Nobody but the one that leads may put a ring there, and what it put last was this node's.
            let found = stored.epoch();
            let error = stored.foreign.unwrap_or_else(|| self.outdated(found, epoch));
            self.refuse_ring(stored.put, error, keys);
            if found >= epoch {
                return Ok(false);
            }
            office.put = stored.put;
        }
        office.epoch = epoch;
        office.waiting = office.nodes.keys().filter(|node| **node != self.source.node).cloned().collect();
        self.own().epoch_key = Some(Arc::new(epoch_key));
        if let Err(outdated) = keys.rotated(ring, without) {
            keys.refuse(Error::Source { place: self.place(), fault: outdated.into() });
        }
        self.forget(office, keys).await?;
        Ok(true)
    }

    /// Deletes the wrapped keys of nodes that nobody waits for any more.
    async fn forget(&self, office: &Office, keys: &Keys) -> Result<(), Error> {
        let (wrapped, _) = self.store.etcd.range_prefix(&self.store.keys()).await?;
        let members: BTreeSet<NodeName> = keys.members().into_iter().map(|member| member.node).collect();
        let gone = wrapped
            .into_iter()
            .filter(|found| self.store.recipient(&found.key).is_none_or(|node| !members.contains(&node)))
            .map(|found| Op::Delete { key: found.key });
        let gone: Vec<Op> = gone.collect();
        for ops in gone.chunks(BATCH) {
            self.store.as_leader(office.term, None, ops.to_vec()).await?;
        }
        Ok(())
    }

    /// Wraps the newest ring's key for those who lack it. Whether this node leads still.
    async fn wrap(&self, office: &mut Office) -> Result<bool, Error> {
        loop {
            let batch: Vec<(NodeName, PublicKey)> = office
                .waiting
                .iter()
                .filter_map(|node| office.nodes.get(node))
                .filter(|registration| registration.epoch < office.epoch)
                .take(BATCH)
                .map(|registration| (registration.node.clone(), registration.public_key.clone()))
                .collect();
            let Some(last) = batch.last().map(|(node, _)| node.clone()) else {
                office.waiting.clear();
                return Ok(true);
            };
            let ops = self.wrapped(batch).await;
            if !self.store.as_leader(office.term, None, ops).await?.succeeded {
                return Ok(false);
            }
            office.waiting = office.waiting.split_off(&last);
            office.waiting.remove(&last);
        }
    }

    /// The keys of a batch of nodes, wrapped off this thread: each takes a fifth of a millisecond.
    async fn wrapped(&self, batch: Vec<(NodeName, PublicKey)>) -> Vec<Op> {
        let Some(epoch_key) = self.own().epoch_key.clone() else { return Vec::new() };
        let secret = Arc::clone(&self.store.secret);
        let wrap = move || {
            let wrap = |(node, key)| (epoch_key.wrap(&key, &node, &secret), node);
            batch.into_iter().map(wrap).collect::<Vec<_>>()
        };
        let wrapped = joined(spawn_blocking(wrap)).await;
        let put = |(value, node)| Op::Put { key: self.store.key_of(&node), value, lease: None };
        wrapped.into_iter().map(put).collect()
    }

    /// Takes in what nodes say of themselves.
    fn note<'a>(&self, office: &mut Office, changes: impl Iterator<Item = Change<'a>>, keys: &Keys) {
        // A node that has just come says both at once, and what it has counts for nothing before it is known.
        let mut held = Vec::new();
        for change in changes {
            let about = self.store.about(change.key());
            match (about, change) {
                (Some(About::Key(node)), Change::Put(found)) => match self.store.registration(&node, found) {
                    Ok(registration) => self.register(office, registration, keys),
                    Err(error) => keys.refuse(error),
                },
                (Some(About::Key(node)), Change::Gone(_)) => {
                    office.nodes.remove(&node);
                    keys.lapsed(&node);
                }
                (Some(About::Held(node)), Change::Put(found)) => held.push((node, found)),
                (None, Change::Put(found)) => {
                    keys.refuse(self.store.registration_error(&found.key, RegistrationError::Malformed));
                }
                (Some(About::Held(_)) | None, Change::Gone(_)) => {}
            }
        }
        for (node, found) in held {
            match self.store.acknowledgement(&node, found) {
                // The lease is over with it, and what it says came under that lease. Perhaps both are known at once.
                Ok(said) if said.epoch == Acknowledgement::GOODBYE => {
                    if office.nodes.get(&node).is_none_or(|known| known.lease == said.lease) {
                        office.nodes.remove(&node);
                        keys.left(&node);
                    }
                }
                // What it said in an earlier life it may have forgotten.
                Ok(said) if office.nodes.get(&node).is_none_or(|known| known.lease != said.lease) => {}
                Ok(said) => keys.acknowledged(&node, said.epoch),
                Err(error) => keys.refuse(error),
            }
        }
    }

    fn register(&self, office: &mut Office, registration: Registration, keys: &Keys) {
        let node = registration.node.clone();
        let before = office.nodes.get(&node);
        // Brought back by somebody else: this node has replaced it since, and could not open what is wrapped for it.
        if before.is_some_and(|before| before.lease == registration.lease && before.epoch > registration.epoch) {
            return;
        }
        if before.is_none_or(|before| before.lease != registration.lease) {
            keys.registered(node.clone(), Epoch::NONE);
        }
        if node != self.source.node {
            office.waiting.insert(node.clone());
        }
        office.nodes.insert(node, registration);
    }
}

/// A ring that is to be put into the store.
struct Made {
    ring: Ring,
    /// Nodes that lack the one before, though it waited for them.
    without: Vec<NodeName>,
}

/// What happened to a key.
enum Change<'a> {
    Put(&'a KeyValue),
    Gone(&'a [u8]),
}

impl Change<'_> {
    fn key(&self) -> &[u8] {
        match self {
            Self::Put(found) => &found.key,
            Self::Gone(key) => key,
        }
    }
}

impl<'a> From<&'a Event> for Change<'a> {
    fn from(event: &'a Event) -> Self {
        match event {
            Event::Put(found) => Self::Put(found),
            Event::Delete { key, .. } => Self::Gone(key),
        }
    }
}

/// Keys for one transaction: etcd takes 128 operations, and 1.5 MiB.
const BATCH: usize = 64;
