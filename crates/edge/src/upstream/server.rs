//! One server: where it is, how it stands, and what was counted of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use raincheck_tls::{Connector, ConnectorSettings};
use rustls::pki_types::ServerName;

use super::check::Report;
use super::health::{self, Ejection, EjectionRules, Health, Thresholds};
use crate::config::{self, MinVersion};
use crate::counters::ServerCounters;

/// A server, as its configuration has it and as it stands.
#[derive(Debug)]
pub struct Server {
    /// As the configuration has it.
    pub name: String,
    /// What is counted. It outlives reloads.
    pub counters: Arc<ServerCounters>,
    /// The name to look up again and again.
    pub(super) host: Option<String>,
    pub(super) backup: bool,
    /// A hash of its name, the same in every edge.
    pub(super) key: u64,
    weight: u32,
    rules: Rules,
    tls: Option<config::UpstreamTls>,
    target: ArcSwap<Target>,
    standing: Arc<Mutex<Standing>>,
}

/// Where a server is now, and how TLS is spoken to it.
#[derive(Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its TLS connections share, if it has any. Another address has other sessions.
    pub connector: Option<Arc<Connector>>,
    /// The same for whoever asks over HTTP/1.1, whatever traffic speaks.
    pub http1: Option<Arc<Connector>>,
}

/// How a server stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What checks make of it.
    pub health: Health,
    /// What an operator wants of it.
    pub wanted: Wanted,
    /// The weight that an operator set in place of the configured one.
    pub weight: Option<u32>,
    /// What traffic makes of it.
    pub ejection: Ejection,
    /// When it was last taken out or brought back.
    pub changed: Instant,
    /// How long it was down, or in maintenance, up to that change.
    down_for: Duration,
    /// When checks last brought it up; `None` if it was never down.
    pub up_since: Option<Instant>,
    /// What the last check found.
    pub last_check: Option<Report>,
}

/// What an operator wants of a server.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It serves if it can.
    Ready,
    /// It takes no new connections; it is checked still.
    Drain,
    /// It takes no new connections, and is not checked.
    Maintenance,
}

/// What a check changed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The server takes connections again.
    Up,
    /// It takes none.
    Down,
}

#[derive(Debug)]
struct Rules {
    thresholds: Thresholds,
    ejection: EjectionRules,
    slow_start: Duration,
}

impl Server {
    /// The server that `config` describes, of an upstream. What is known of a `predecessor`, a server of the same name,
    /// goes on to be true.
    ///
    /// # Errors
    /// What rustls has to say against the upstream's settings.
    pub(super) fn new(
        config: &config::Server,
        upstream: &config::Upstream,
        predecessor: Option<&Self>,
    ) -> Result<Self, rustls::Error> {
        let check = upstream.check.as_ref();
        let target = match predecessor.and_then(|predecessor| predecessor.target_for(config, upstream.tls.as_ref())) {
            Some(target) => target,
            None => Arc::new(Target::new(config.address, config.host.as_deref(), upstream.tls.as_ref())?),
        };
        let mut hasher = DefaultHasher::new();
        config.name.hash(&mut hasher);
        Ok(Self {
            name: config.name.clone(),
            counters: predecessor.map(|predecessor| Arc::clone(&predecessor.counters)).unwrap_or_default(),
            host: config.host.clone(),
            backup: config.backup,
            key: hasher.finish(),
            weight: config.weight,
            rules: Rules {
                thresholds: Thresholds {
                    rise: check.map_or(1, |check| check.rise),
                    fall: check.map_or(1, |check| check.fall),
                },
                ejection: EjectionRules { after: upstream.eject_after, period: upstream.eject_for },
                slow_start: upstream.slow_start,
            },
            tls: upstream.tls.clone(),
            target: ArcSwap::new(target),
            standing: match predecessor {
                None => Arc::new(Mutex::new(Standing::new())),
                Some(predecessor) if check.is_some() => Arc::clone(&predecessor.standing),
                // What nobody checks any more is up.
                Some(predecessor) => Arc::new(Mutex::new(Standing { health: Health::FRESH, ..predecessor.standing() })),
            },
        })
    }

    /// Where it is now.
    pub fn target(&self) -> Arc<Target> {
        self.target.load_full()
    }

    /// Where it listens now.
    pub fn address(&self) -> SocketAddr {
        self.target.load().address
    }

    /// The name it is looked up by, if it is not an address.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Whether it is kept for when no other can serve.
    pub fn is_backup(&self) -> bool {
        self.backup
    }

    /// Its weight: an operator's, or the configured one.
    pub fn weight(&self) -> u32 {
        self.locked().weight.unwrap_or(self.weight)
    }

    /// The configured weight.
    pub fn configured_weight(&self) -> u32 {
        self.weight
    }

    /// How many checks in a row it takes.
    pub fn thresholds(&self) -> Thresholds {
        self.rules.thresholds
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.locked().clone()
    }

    /// Its share of new connections `now`, in units of [`WEIGHT_OF_ONE`](super::balance::WEIGHT_OF_ONE); 0 while it
    /// takes none. Ejected servers take some if `spare_ejected`.
    pub fn share(&self, now: Instant, spare_ejected: bool) -> u32 {
        let standing = self.locked();
        if !standing.takes_connections() || standing.ejection.is_ejected(now) && !spare_ejected {
            return 0;
        }
        self.weight_of(&standing, now)
    }

    /// What its share would be if it took connections, in the same units: less than its weight during a slow start.
    pub fn effective_weight(&self, now: Instant) -> u32 {
        self.weight_of(&self.locked(), now)
    }

    /// A connection could be made.
    pub(super) fn succeeded(&self) {
        self.counters.connections.increment();
        let mut standing = self.locked();
        standing.ejection = standing.ejection.after_success();
    }

    /// A connection could not be made.
    pub(super) fn failed(&self, now: Instant) {
        self.counters.failures.increment();
        let mut standing = self.locked();
        standing.ejection = standing.ejection.after_failure(now, &self.rules.ejection);
    }

    /// Takes in what a check found, and says what that changed.
    pub(super) fn checked(&self, report: Report, now: Instant) -> Option<Change> {
        let passed = report.result.is_ok();
        if passed { &self.counters.checks_passed } else { &self.counters.checks_failed }.increment();
        let mut standing = self.locked();
        let was_up = standing.health.is_up();
        if was_up && !passed {
            self.counters.checks_failed_up.increment();
        }
        let health = standing.health.after(passed, &self.rules.thresholds);
        if was_up != health.is_up() {
            standing.change(now);
        }
        standing.health = health;
        standing.last_check = Some(report);
        match (was_up, health.is_up()) {
            (true, false) => {
                self.counters.downs.increment();
                Some(Change::Down)
            }
            (false, true) => {
                standing.up_since = Some(now);
                // What made traffic fail is over, as far as can be seen.
                standing.ejection = standing.ejection.after_success();
                Some(Change::Up)
            }
            _ => None,
        }
    }

    /// Does as an operator wants.
    pub fn set_wanted(&self, wanted: Wanted) {
        let mut standing = self.locked();
        if standing.wanted != wanted {
            standing.change(Instant::now());
            standing.wanted = wanted;
        }
    }

    /// Gives it another weight than the configured one, or that one again.
    pub fn set_weight(&self, weight: Option<u32>) {
        self.locked().weight = weight;
    }

    /// It is at another address now, if it is at none of `addresses` where it was. Answers whether that is so.
    pub(super) fn moved(&self, addresses: &[SocketAddr]) -> bool {
        let Some(first) = addresses.first().filter(|_| !addresses.contains(&self.address())) else {
            return false;
        };
        // What was accepted once is accepted again.
        if let Ok(target) = Target::new(*first, self.host.as_deref(), self.tls.as_ref()) {
            self.target.store(Arc::new(target));
        }
        true
    }

    /// The target, with its sessions, if it would be the same for `config`.
    fn target_for(&self, config: &config::Server, tls: Option<&config::UpstreamTls>) -> Option<Arc<Target>> {
        let same_tls = match (&self.tls, tls) {
            (None, None) => true,
            (Some(before), Some(now)) => {
                before.digest == now.digest
                    && before.server_name == now.server_name
                    && before.alpn == now.alpn
                    && before.min_version == now.min_version
                    && before.sessions == now.sessions
            }
            _ => false,
        };
        let target = self.target();
        // A name that is looked up again stays where it was found last.
        let same_place = target.address == config.address || config.host.is_some() && self.host == config.host;
        (same_tls && same_place).then_some(target)
    }

    fn weight_of(&self, standing: &Standing, now: Instant) -> u32 {
        let weight = standing.weight.unwrap_or(self.weight);
        let since_up = standing.up_since.map_or(Duration::MAX, |since| now.saturating_duration_since(since));
        health::slow_start(weight, since_up, self.rules.slow_start)
    }

    fn locked(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    fn new(address: SocketAddr, host: Option<&str>, tls: Option<&config::UpstreamTls>) -> Result<Self, rustls::Error> {
        let connector = tls.map(|tls| connector(address, host, tls)).transpose()?.map(Arc::new);
        let http1 = connector.clone().map(|connector| match tls {
            Some(tls) if !tls.alpn.is_empty() => Arc::new(connector.with_alpn(vec![b"http/1.1".to_vec()])),
            _ => connector,
        });
        Ok(Self { address, connector, http1 })
    }
}

impl Standing {
    fn new() -> Self {
        Self {
            health: Health::FRESH,
            wanted: Wanted::Ready,
            weight: None,
            ejection: Ejection::default(),
            changed: Instant::now(),
            down_for: Duration::ZERO,
            up_since: None,
            last_check: None,
        }
    }

    /// How long it was down, or in maintenance, in all.
    pub fn downtime(&self, now: Instant) -> Duration {
        let is_out = !self.health.is_up() || self.wanted == Wanted::Maintenance;
        self.down_for + if is_out { now.saturating_duration_since(self.changed) } else { Duration::ZERO }
    }

    /// Something is about to change.
    fn change(&mut self, now: Instant) {
        (self.down_for, self.changed) = (self.downtime(now), now);
    }

    fn takes_connections(&self) -> bool {
        self.health.is_up() && self.wanted == Wanted::Ready
    }
}

fn connector(address: SocketAddr, host: Option<&str>, tls: &config::UpstreamTls) -> Result<Connector, rustls::Error> {
    let settings = ConnectorSettings {
        verifier: Arc::clone(&tls.verifier),
        identity: tls.identity.clone(),
        alpn: tls.alpn.clone(),
        tls12: tls.min_version == MinVersion::Tls12,
    };
    let own_name = || host.and_then(|host| ServerName::try_from(host.to_owned()).ok());
    let server_name = tls.server_name.clone().or_else(own_name).unwrap_or_else(|| ServerName::from(address.ip()));
    Connector::new(&settings, server_name, tls.sessions)
}

#[cfg(test)]
mod tests;
