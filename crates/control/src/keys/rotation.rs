//! Rotation, where the keys are made here.

use std::time::Duration;

use raincheck_keyring::{Decision, Epoch, KeySize, NodeName, Outdated, Ring, Rollout, Schedule, UnixTime};
use tokio::time::Instant;

use super::{Control, Keys, Standing};
use crate::clock::Moment;
use crate::source::local;
use crate::{Event, fresh_key};

impl Keys {
    /// Rotates if that is due, and if every node of the fleet has the next key or has had its time for that. Answers how
    /// long there is nothing to do, unless a node acknowledges a ring meanwhile.
    pub(crate) fn rotate_if_due(&self) -> Duration {
        let without = match self.due() {
            Due::In(wait) => return wait,
            Due::Now { without } => without,
        };
        match self.rotated(self.successor(self.ring().epoch()), without) {
            Ok(()) => self.schedule().rotate,
            // An operator has pushed a key between the two.
            Err(Outdated { .. }) => Duration::ZERO,
        }
    }

    /// When to rotate, if nothing else happens.
    pub(crate) fn due(&self) -> Due {
        self.control().decide(&Moment::now(), &self.schedule())
    }

    /// The ring after this one, newer than `newest` too: rotated once, however many rotations were missed, for keys that
    /// would never have sealed are not worth making. But of the retiring keys only those stay that had stayed if none had
    /// been missed. Keys that this node has made for itself alone are not in it.
    pub(crate) fn successor(&self, newest: Epoch) -> Ring {
        let now = Moment::now();
        let schedule = self.schedule();
        let missed = local::rotations_due(&self.control().last_rotation, &now, schedule.rotate).saturating_sub(1);
        let Some(ring) = self.ring().shared() else { return local::first_ring(newest, now.wall) };
        let mut ring = ring.counted_from(newest);
        ring.advance(now.wall, fresh_key(KeySize::Bits256), schedule.retained().saturating_sub(missed))
            .expect("a random key name is a new one");
        ring
    }

    /// Publishes the ring of a rotation, which goes on without some nodes. An older ring than that which is there by now
    /// is refused.
    pub(crate) fn rotated(&self, ring: Ring, without: Vec<NodeName>) -> Result<(), Outdated> {
        let event = {
            let mut control = self.control();
            let (ring, changes) = self.ring().succeeded_by(ring)?;
            let now = Moment::now();
            control.last_rotation = now;
            control.fleet.rotated(ring.epoch(), now.wall);
            control.hear(now);
            self.publish(&control, ring);
            self.shared.standing.send_replace(Standing::Supplied);
            Event::Rotated { changes, without }
        };
        self.report([event]);
        Ok(())
    }

    /// From now on this node makes the rings of a fleet, whose newest was made at `made_at`, for `nodes`.
    pub(crate) fn lead(&self, epoch: Epoch, made_at: UnixTime, nodes: impl IntoIterator<Item = NodeName>) {
        let mut control = self.control();
        control.begin_to_rotate(Moment { monotonic: Instant::now(), wall: made_at }, epoch);
        nodes.into_iter().for_each(|node| control.fleet.expected(node));
        control.leads = true;
    }

    /// Another node makes the rings from now on, or none: what this one knew of the others is old.
    pub(crate) fn follow_again(&self) {
        self.control().leads = false;
    }

    /// Whether this node makes the rings of a fleet that has no server.
    pub fn leads(&self) -> bool {
        self.control().leads
    }

    /// Until a node acknowledges a ring, which may be what a rotation waits for.
    pub(crate) async fn acknowledgement(&self) {
        self.shared.acknowledged.notified().await;
    }
}

/// When to rotate.
pub(crate) enum Due {
    In(Duration),
    Now {
        /// Who lacks the next key all the same.
        without: Vec<NodeName>,
    },
}

impl Control {
    /// From now on keys are made here, and nobody is known to have them.
    pub(super) fn begin_to_rotate(&mut self, now: Moment, epoch: Epoch) {
        self.last_rotation = now;
        self.fleet = Rollout::new(epoch, now.wall);
        self.superseded = None;
    }

    fn decide(&mut self, now: &Moment, schedule: &Schedule) -> Due {
        if self.superseded.is_some() {
            return Due::In(Duration::MAX);
        }
        // As much time has passed as the clock says that saw more of it.
        let now = self.fleet.made_at() + now.since(&self.last_rotation);
        match self.fleet.decide(now, schedule.rotate, schedule.patience) {
            Decision::NotDue { due } => Due::In(due.since(now)),
            Decision::Wait { until, .. } => Due::In(until.since(now)),
            Decision::Rotate { without } => Due::Now { without },
        }
    }
}
