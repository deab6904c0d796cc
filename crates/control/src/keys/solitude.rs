//! What a node does that nobody brings keys to: it seals with keys of its own, so that full handshakes are the worst that
//! can happen.

use std::convert::Infallible;
use std::time::Duration;

use raincheck_keyring::{Epoch, KeySize, Ring, Schedule, TicketKey, UnixTime};
use tokio::sync::watch;
use tokio::time::sleep;

use super::{Control, Keys};
use crate::clock::Moment;
use crate::{Event, fresh_key};

/// How a node stands with its source.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It has just started, or a reload has given it another source, and has not heard of that yet. It is not ready.
    Waiting,
    /// Its keys are the source's.
    Supplied,
    /// Its keys are its own, and open nowhere else: the source gave none in time, or none for longer than a ring lasts.
    Alone,
}

impl Standing {
    /// The word for it, in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Supplied => "supplied",
            Self::Alone => "alone",
        }
    }
}

impl Keys {
    /// How the node stands with its source; changes.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.shared.standing.subscribe()
    }

    /// Until the source has brought keys, or has had five seconds for it and the node seals alone.
    /// [`run`](Self::run) must be running meanwhile.
    pub async fn settled(&self) {
        let waiting = self.standing().wait_for(|standing| *standing != Standing::Waiting).await.is_err();
        debug_assert!(!waiting, "whoever holds the keys holds the sender");
    }

    /// What the node made for itself alone is for others, too, from now on: nobody is waited for any more, and the ring has
    /// an epoch.
    pub(super) fn own(&self, control: &Control) {
        if *self.shared.standing.borrow() == Standing::Supplied {
            return;
        }
        let mut ring = Ring::clone(&self.ring());
        let advanced = ring.advance(Moment::now().wall, fresh(), self.schedule().retained());
        advanced.expect("a random key name is a new one");
        self.publish(control, ring.adopted());
        self.shared.standing.send_replace(Standing::Supplied);
    }

    /// The keys were made here, or read from a file, and so were their epochs; another source counts otherwise. They serve
    /// until it brings its own.
    pub(super) fn disown(&self, control: &mut Control) {
        let now = Moment::now();
        control.begin_to_rotate(now, Epoch::NONE);
        (control.heard, control.has_heard) = (now, false);
        self.publish(control, Ring::clone(&self.ring()).disowned());
        self.shared.held.send_replace(Epoch::NONE);
        self.shared.standing.send_replace(Standing::Waiting);
    }

    /// Goes alone if that is due. Answers when to look again.
    fn go_alone_if_due(&self) -> Duration {
        let events = {
            let mut control = self.control();
            let now = Moment::now();
            let schedule = self.schedule();
            let standing = *self.shared.standing.borrow();
            let (since, limit) = match standing {
                Standing::Waiting => (control.heard, PATIENCE),
                Standing::Supplied => (control.heard, lasts(&schedule)),
                Standing::Alone => (control.last_rotation, schedule.rotate),
            };
            let elapsed = now.since(&since);
            if elapsed < limit {
                return limit - elapsed;
            }
            let mut ring = Ring::clone(&self.ring());
            let retained = schedule.retained();
            let changes = match standing {
                // The ring is the node's own already.
                Standing::Waiting => Ok(Vec::new()),
                Standing::Supplied => ring.seal_alone(now.wall, [(); 2].map(|()| fresh()), retained),
                Standing::Alone => ring.advance_alone(now.wall, fresh(), retained),
            };
            let changes = changes.expect("a random key name is a new one");
            control.last_rotation = now;
            self.publish(&control, ring);
            self.shared.standing.send_replace(Standing::Alone);
            match standing {
                Standing::Alone => Event::Rotated { changes, without: Vec::new() },
                _ => Event::Alone { source: control.source.place(), heard: control.heard_ago(&now), changes },
            }
        };
        self.report([events]);
        Duration::ZERO
    }
}

impl Control {
    /// How long ago the source was heard of; none if it never was.
    fn heard_ago(&self, now: &Moment) -> Option<Duration> {
        self.has_heard.then(|| now.since(&self.heard))
    }
}

/// A ring that no source has made, older than whatever one brings.
pub(super) fn first_ring(now: UnixTime) -> Ring {
    let own = |()| (fresh(), Epoch::NONE, now);
    Ring::of_fleet(Epoch::NONE, [(); 2].map(own).into()).expect("two random key names differ")
}

/// Goes alone as soon as that is due.
pub(super) async fn watch(keys: &Keys) -> Infallible {
    loop {
        sleep(keys.go_alone_if_due().min(LONGEST_SLEEP)).await;
    }
}

/// How long after its source was last heard of a node's ring is of use. Where the source goes on rotating for others,
/// the issuing key has left all rings after that.
fn lasts(schedule: &Schedule) -> Duration {
    let rotations = u32::try_from(schedule.retained()).unwrap_or(u32::MAX);
    schedule.rotate.saturating_mul(rotations)
}

fn fresh() -> TicketKey {
    fresh_key(KeySize::Bits256)
}

/// How long a node that starts waits for its source.
const PATIENCE: Duration = Duration::from_secs(5);

/// A suspended machine's monotonic clock stands still, and a sleep with it.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
