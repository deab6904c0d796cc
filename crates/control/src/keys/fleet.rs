//! Who else has the ring: the nodes that are served from here, and the products behind this node.

use std::sync::Arc;

use raincheck_keyring::{Epoch, Holding, NodeName, Ring};
use tokio::sync::watch;

use super::{Control, Keys, Standing};
use crate::Event;
use crate::clock::Moment;
use crate::source::{Source, local};

impl Keys {
    /// From now on the node can open with a ring when [`hold`](Self::hold) says so, not as soon as it has it: products
    /// open in its place.
    pub fn wait_for_sinks(&self) {
        let mut control = self.control();
        control.has_sinks = true;
        self.shared.held.send_replace(Epoch::NONE);
        if control.source.is_local() {
            control.fleet.registered(products(), Epoch::NONE);
        }
    }

    /// Every product behind this node can open with the ring of `epoch`.
    pub fn hold(&self, epoch: Epoch) {
        self.shared.held.send_if_modified(|held| {
            let newer = epoch > *held;
            *held = epoch.max(*held);
            newer
        });
        let mut control = self.control();
        // Where the keys are made here, nobody else is told, and rotation waits for the products as it does for nodes.
        if control.source.is_local() {
            if control.fleet.holding(&products()).is_none() {
                control.fleet.registered(products(), epoch);
            }
            control.fleet.acknowledged(&products(), epoch);
            self.shared.acknowledged.notify_one();
        }
    }

    /// The newest epoch with which everybody behind this node can open; changes.
    pub fn held(&self) -> watch::Receiver<Epoch> {
        self.shared.held.subscribe()
    }

    /// A node asks for the ring, and can open with that of epoch `held`: from now on rotation waits for it.
    pub fn registered(&self, node: NodeName, held: Epoch) {
        self.control().fleet.registered(node, held);
    }

    /// `node` can open with the ring of `epoch`.
    ///
    /// One of a later generation than this server makes shows that another server makes them now: this one stops. One of
    /// its own generation that it does not know was made by it before it was started anew: it goes on after that one, or
    /// the node would refuse what it makes now as older.
    pub fn acknowledged(&self, node: &NodeName, epoch: Epoch) {
        self.acknowledged_by(node, epoch, false);
    }

    /// A node that was not known, and has the first ring, has that of an earlier start: nobody gave it this one.
    fn acknowledged_by(&self, node: &NodeName, epoch: Epoch, is_stranger: bool) {
        let event = {
            let mut control = self.control();
            let own = self.ring().epoch();
            let is_anothers = is_stranger && control.source.is_local() && epoch == own && own == local::FIRST;
            let event = match control.role() {
                Role::Primary if control.source.is_local() && epoch.generation > own.generation => {
                    control.superseded = Some(epoch);
                    Some(Event::Superseded { by: epoch, node: node.clone() })
                }
                Role::Primary if is_anothers || (epoch.generation == own.generation && epoch > own) => {
                    let now = Moment::now();
                    let ring = Ring::clone(&self.ring()).following(epoch);
                    let following = ring.epoch();
                    control.last_rotation = now;
                    control.fleet.rotated(following, now.wall);
                    self.publish(&control, ring);
                    Some(Event::Following { node: node.clone(), held: epoch, epoch: following })
                }
                _ => None,
            };
            control.fleet.acknowledged(node, epoch);
            event
        };
        self.shared.acknowledged.notify_one();
        self.report(event);
    }

    /// A node asks for the ring, and can open with that of epoch `held`: it is registered, unless it was. One that has less
    /// than it had has started anew, and is registered anew. Says whether that was so.
    pub fn heard(&self, node: &NodeName, held: Epoch) -> bool {
        let known = self.control().fleet.holding(node);
        let is_new = known.is_none_or(|holding| holding.lapsed || held < holding.epoch);
        if is_new {
            self.registered(node.clone(), held);
        }
        self.acknowledged_by(node, held, known.is_none());
        is_new
    }

    /// The ring as it may be handed on: never one that a node has made for itself alone, and not by a server in whose place
    /// another one makes keys.
    ///
    /// # Errors
    /// There is none, and why.
    pub fn offered(&self) -> Result<Arc<Ring>, Withheld> {
        let control = self.control();
        let is_supplied = *self.shared.standing.borrow() == Standing::Supplied && control.has_heard;
        match control.role() {
            Role::Superseded => Err(Withheld::Superseded),
            Role::Standby if !is_supplied => Err(Withheld::NoRing),
            Role::Standby | Role::Primary => Ok(self.load_full()),
        }
    }

    /// What this node is to those that are served from here.
    pub fn role(&self) -> Role {
        self.control().role()
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
    /// later generation, so that nodes refuse whatever the other server still makes. So does one that was superseded.
    ///
    /// # Errors
    /// It makes them already, or has no ring to go on with.
    pub fn promote(&self) -> Result<Epoch, CannotPromote> {
        let (epoch, event) = {
            let mut control = self.control();
            let mut ring = Ring::clone(&self.ring());
            match (&*control.source, control.superseded) {
                (source, Some(by)) if source.is_local() => ring = ring.following(by),
                (source, None) if source.is_local() => return Err(CannotPromote::MakesKeys),
                (Source::Http(_), _) if !control.has_heard => return Err(CannotPromote::NoRing),
                (Source::Http(followed), _) => control.source = Arc::new(Source::Promoted(Arc::clone(followed))),
                (source, _) => return Err(CannotPromote::Source(source.name())),
            }
            let generation = ring.epoch().generation + 1;
            let ring = ring.in_generation(generation).adopted();
            let epoch = ring.epoch();
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

impl Control {
    fn role(&self) -> Role {
        match (self.source.is_remote(), self.superseded) {
            (true, _) => Role::Standby,
            (false, Some(_)) => Role::Superseded,
            (false, None) => Role::Primary,
        }
    }
}

/// What a server of keys is to its nodes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// Its keys are made there, or read from a file.
    Primary,
    /// It hands on what another server makes, and makes none itself.
    Standby,
    /// Another server was promoted while this one made keys.
    Superseded,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Primary, Self::Standby, Self::Superseded];

    /// The word for it, in status and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::Superseded => "superseded",
        }
    }
}

/// Why there is no ring to hand on.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Withheld {
    /// A standby has heard nothing of the server it follows, or nothing for too long.
    #[error("this standby has no ring of the server it follows; look at that one, or promote this one")]
    NoRing,
    /// Another server makes the keys now.
    #[error(
        "another server was promoted and makes the keys now; end this one, have it follow the other, or promote it"
    )]
    Superseded,
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

/// What the products behind this node are called together.
fn products() -> NodeName {
    "products".parse().expect("letters")
}
