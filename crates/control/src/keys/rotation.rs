//! Rotation, where the keys are made here.

use std::time::Duration;

use raincheck_keyring::{Decision, Epoch, KeySize, NodeName, Ring, Rollout, Schedule};

use super::{Control, Keys};
use crate::clock::Moment;
use crate::source::local;
use crate::{Event, fresh_key};

impl Keys {
    /// Rotates if that is due, and if every node of the fleet has the next key or has had its time for that. Answers how
    /// long there is nothing to do, unless a node acknowledges a ring meanwhile.
    ///
    /// Once, however many rotations were missed: keys that would never have sealed are not worth making. But of the
    /// retiring keys only those stay that had stayed if none had been missed.
    pub(crate) fn rotate_if_due(&self) -> Duration {
        let event = {
            let mut control = self.control();
            let now = Moment::now();
            let schedule = self.schedule();
            let without = match control.decide(&now, &schedule) {
                Due::In(wait) => return wait,
                Due::Now { without } => without,
            };
            let missed = local::rotations_due(&control.last_rotation, &now, schedule.rotate).saturating_sub(1);
            let retained = schedule.retained().saturating_sub(missed);
            let mut ring = Ring::clone(&self.ring());
            let changes =
                ring.advance(now.wall, fresh_key(KeySize::Bits256), retained).expect("a random key name is a new one");
            control.last_rotation = now;
            control.fleet.rotated(ring.epoch(), now.wall);
            self.publish(&control, ring);
            Event::Rotated { changes, without }
        };
        self.report([event]);
        self.schedule().rotate
    }

    /// Until a node acknowledges a ring, which may be what a rotation waits for.
    pub(crate) async fn acknowledgement(&self) {
        self.shared.acknowledged.notified().await;
    }
}

/// When to rotate.
enum Due {
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
