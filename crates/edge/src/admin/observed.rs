//! What there is to ask about.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use super::rates::{Meters, Rates, Totals};
use crate::server::Snapshot;
use crate::service::Service;
use crate::upstream::{Server, Upstream};

/// The running edge, as those who answer see it.
#[derive(Debug)]
pub(super) struct Observed {
    snapshot: Arc<ArcSwap<Snapshot>>,
    phase: watch::Sender<Phase>,
    started: Instant,
    started_at: SystemTime,
    sampled: Mutex<Sampled>,
}

#[derive(Debug)]
struct Sampled {
    at: Instant,
    listeners: Meters,
    servers: Meters,
    upstreams: Meters,
}

/// How far along the edge is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not all listeners are open yet.
    Starting,
    /// It serves.
    Ready,
    /// It takes no more connections.
    Draining,
}

impl Phase {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

impl Observed {
    pub(super) fn new(snapshot: Arc<ArcSwap<Snapshot>>) -> Self {
        let now = Instant::now();
        Self {
            snapshot,
            phase: watch::Sender::new(Phase::Starting),
            started: now,
            started_at: SystemTime::now(),
            sampled: Mutex::new(Sampled {
                at: now,
                listeners: Meters::default(),
                servers: Meters::default(),
                upstreams: Meters::default(),
            }),
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    pub(super) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// What runs now. Hold it for one answer, so that the answer is of one piece.
    pub(super) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    pub(super) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// When the edge started, since 1970.
    pub(super) fn started_at(&self) -> Duration {
        self.started_at.duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// Ends a sample; called once a second.
    pub(super) fn sample(&self) {
        let snapshot = self.snapshot();
        let mut sampled = self.sampled();
        let now = Instant::now();
        let elapsed = now - sampled.at;
        sampled.at = now;
        sampled.listeners.tick(totals_by_listener(&snapshot), elapsed);
        sampled.servers.tick(totals_by_server(&snapshot), elapsed);
        let upstreams = snapshot.upstreams.iter().map(|upstream| (upstream.name(), totals_of_upstream(upstream)));
        sampled.upstreams.tick(upstreams, elapsed);
    }

    /// What all listeners do in a second.
    pub(super) fn rates(&self, snapshot: &Snapshot) -> Rates {
        let sampled = self.sampled();
        sampled.listeners.rates(totals_by_listener(snapshot), sampled.at.elapsed())
    }

    /// What the edge does to all servers in a second, checks included.
    pub(super) fn upstream_rates(&self, snapshot: &Snapshot) -> Rates {
        let sampled = self.sampled();
        sampled.servers.rates(totals_by_server(snapshot), sampled.at.elapsed())
    }

    /// What one listener does in a second.
    pub(super) fn rates_of(&self, service: &Service) -> Rates {
        let sampled = self.sampled();
        sampled.listeners.rates_of(&service.name, totals(service), sampled.at.elapsed())
    }

    /// What is done to one server of `upstream` in a second.
    pub(super) fn rates_of_server(&self, upstream: &Upstream, server: &Server) -> Rates {
        let sampled = self.sampled();
        sampled.servers.rates_of(&full_name(upstream, server), totals_of_server(server), sampled.at.elapsed())
    }

    /// What is done to all servers of `upstream` in a second.
    pub(super) fn rates_of_upstream(&self, upstream: &Upstream) -> Rates {
        let sampled = self.sampled();
        sampled.upstreams.rates_of(upstream.name(), totals_of_upstream(upstream), sampled.at.elapsed())
    }

    fn sampled(&self) -> MutexGuard<'_, Sampled> {
        self.sampled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a listener has counted so far.
pub(super) fn totals(service: &Service) -> Totals {
    let counters = &service.counters;
    let (handshakes, full) = counters.handshakes_and_full();
    Totals { connections: counters.connections.value(), handshakes, full, bytes_out: counters.bytes_out.value() }
}

fn totals_by_listener(snapshot: &Snapshot) -> impl Iterator<Item = (&str, Totals)> {
    snapshot.services.iter().map(|service| (service.name.as_str(), totals(service)))
}

fn totals_by_server(snapshot: &Snapshot) -> impl Iterator<Item = (String, Totals)> {
    snapshot.upstreams.iter().flat_map(|upstream| {
        upstream.servers().iter().map(|server| (full_name(upstream, server), totals_of_server(server)))
    })
}

/// A name that no other server has: those of upstreams have no slash.
fn full_name(upstream: &Upstream, server: &Server) -> String {
    format!("{}/{}", upstream.name(), server.name)
}

fn totals_of_upstream(upstream: &Upstream) -> Totals {
    upstream.servers().iter().map(|server| totals_of_server(server)).fold(Totals::default(), Totals::plus)
}

fn totals_of_server(server: &Server) -> Totals {
    let (handshakes, full) = server.counters.handshakes_and_full();
    Totals { connections: server.counters.connections.value(), handshakes, full, bytes_out: 0 }
}
