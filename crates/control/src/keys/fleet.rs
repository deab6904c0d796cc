//! Who else has the ring: the nodes that are served from here, and the products behind this node.

use std::sync::Arc;

use raincheck_keyring::{Epoch, Holding, NodeName, Ring};
use tokio::sync::watch;

use super::{Keys, Standing};
use crate::Event;
use crate::clock::Moment;
use crate::source::Source;

impl Keys {
    /// From now on the node can open with a ring when [`hold`](Self::hold) says so, not as soon as it has it: products
    /// open in its place.
    pub fn wait_for_sinks(&self) {
        let mut control = self.control();
        control.has_sinks = true;
        self.shared.held.send_replace(Epoch::NONE);
    }

    /// Every product behind this node can open with the ring of `epoch`.
    pub fn hold(&self, epoch: Epoch) {
        self.shared.held.send_if_modified(|held| {
            let newer = epoch > *held;
            *held = epoch.max(*held);
            newer
        });
    }

    /// The newest epoch with which everybody behind this node can open; changes.
    pub fn held(&self) -> watch::Receiver<Epoch> {
        self.shared.held.subscribe()
    }

    /// A node asks for the ring, and can open with that of epoch `held`: from now on rotation waits for it.
    pub fn registered(&self, node: NodeName, held: Epoch) {
        self.control().fleet.registered(node, held);
    }

    /// `node` can open with the ring of `epoch`. A node that has one of a later generation than this server makes shows
    /// that another server makes them now: this one stops.
    pub fn acknowledged(&self, node: &NodeName, epoch: Epoch) {
        let superseded = {
            let mut control = self.control();
            control.fleet.acknowledged(node, epoch);
            let is_later = epoch.generation > self.ring().epoch().generation;
            let is_news = is_later && control.source.is_local() && control.superseded.replace(epoch).is_none();
            is_news.then(|| Event::Superseded { by: epoch, node: node.clone() })
        };
        self.shared.acknowledged.notify_one();
        self.report(superseded);
    }

    /// `node` has not been heard of for as long as its registration lasts.
    pub fn lapsed(&self, node: &NodeName) {
        self.control().fleet.lapsed(node);
    }

    /// `node` serves no more.
    pub fn left(&self, node: &NodeName) {
        self.control().fleet.left(node);
        self.shared.acknowledged.notify_one();
    }

    /// The nodes that are served from here, by name.
    pub fn members(&self) -> Vec<Member> {
        let control = self.control();
        control.fleet.nodes().map(|(node, holding)| Member { node: node.clone(), holding: *holding }).collect()
    }

    /// Makes this server, which followed another one, the one that makes the keys: it goes on with the ring it has, in a
    /// later generation, so that nodes refuse whatever the other server still makes.
    ///
    /// # Errors
    /// It makes them already, or has no ring to go on with.
    pub fn promote(&self) -> Result<Epoch, CannotPromote> {
        let (epoch, event) = {
            let mut control = self.control();
            match &*control.source {
                source if source.is_local() => return Err(CannotPromote::MakesKeys),
                Source::Http(_) => {}
                source => return Err(CannotPromote::Source(source.name())),
            }
            if !control.has_heard {
                return Err(CannotPromote::NoRing);
            }
            let ring = Ring::clone(&self.ring());
            let generation = ring.epoch().generation + 1;
            let ring = ring.in_generation(generation);
            let epoch = ring.epoch();
            control.source = Arc::new(Source::Promoted);
            control.begin_to_rotate(Moment::now(), epoch);
            self.publish(&control, ring);
            self.shared.standing.send_replace(Standing::Supplied);
            (epoch, Event::Promoted { epoch })
        };
        self.shared.replaced.notify_one();
        self.report([event]);
        Ok(epoch)
    }
}

/// A node that is served from here.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub node: NodeName,
    /// What it has.
    pub holding: Holding,
}

/// A server that cannot begin to make keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum CannotPromote {
    #[error("it makes the keys already")]
    MakesKeys,
    #[error("it has never had a ring of the server it follows; start it with source = \"local\" instead")]
    NoRing,
    #[error("its source is \"{0}\", and only a standby, with source = \"http\", can be promoted")]
    Source(&'static str),
}
