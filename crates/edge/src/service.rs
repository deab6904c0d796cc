//! What the connections of one listener share. A reload builds a new one and swaps it in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use raincheck_control::Keys;
use raincheck_keyring::{Ring, Schedule};
use raincheck_tls::{ClientAuthMode, Endpoint, Policy, Renewal, Rings, SessionCache, Settings};
use tokio::sync::Semaphore;

use crate::access_log::AccessLog;
use crate::config::{self, MinVersion};
use crate::counters::{ListenerCounters, TicketCounters};
use crate::listener::Wanted;
use crate::notice::Notices;
use crate::upstream::Upstream;

/// A listener as it runs.
#[derive(Debug)]
pub struct Service {
    /// Its name in the configuration.
    pub name: String,
    /// Where it listens.
    pub bind: Vec<Wanted>,
    /// Its side of TLS.
    pub endpoint: Arc<Endpoint>,
    /// The servers behind it.
    pub upstream: Arc<Upstream>,
    /// Whether each connection begins with a PROXY protocol header.
    pub accept_proxy: bool,
    /// How many connections it has room for. A reload hands it on, with those that are in it.
    pub room: Arc<Semaphore>,
    /// Whether an operator knows that there is none left.
    pub is_full: AtomicBool,
    /// How many that is when it is empty.
    pub max_connections: usize,
    /// How long a client may take until TLS stands.
    pub handshake_timeout: Duration,
    /// How long a connection may rest.
    pub idle_timeout: Duration,
    /// Sessions by ID. They survive a reload, as the counters do.
    pub sessions: Arc<SessionCache>,
    /// What is counted.
    pub counters: Arc<ListenerCounters>,
    /// What is counted of tickets, for all listeners.
    pub tickets: Arc<TicketCounters>,
    /// Where its access log goes.
    pub access_log: Option<AccessLog>,
    /// Who is told what an operator should know.
    pub notices: Notices,
}

/// What a listener has in common with the others, or with its predecessor.
#[derive(Clone, Debug)]
pub struct Common {
    /// The ticket keys.
    pub keys: Keys,
    /// What is counted of tickets.
    pub tickets: Arc<TicketCounters>,
    /// Where the access log goes.
    pub access_log: Option<AccessLog>,
    /// Who is told what an operator should know.
    pub notices: Notices,
}

impl Service {
    /// The listener `config` describes, tickets judged by `schedule`.
    ///
    /// # Errors
    /// What rustls has against the combination of certificates and versions.
    pub fn new(
        config: &config::Listener,
        schedule: Schedule,
        upstream: Arc<Upstream>,
        common: &Common,
        predecessor: Option<&Self>,
    ) -> Result<Self, rustls::Error> {
        let sessions = predecessor
            .map(|predecessor| Arc::clone(&predecessor.sessions))
            .filter(|sessions| sessions.capacity() == config.session_cache)
            .unwrap_or_else(|| Arc::new(SessionCache::new(config.session_cache)));
        let (mode, client_cas) = match &config.client_auth {
            None => (ClientAuthMode::Off, Vec::new()),
            Some(auth) => (
                match auth.mode {
                    config::ClientAuthMode::Optional => ClientAuthMode::Optional,
                    config::ClientAuthMode::Required => ClientAuthMode::Required,
                },
                auth.ca_digests.clone(),
            ),
        };
        let settings = Settings {
            rings: Arc::new(PublishedRing(common.keys.clone())),
            schedule,
            tickets: config.tickets,
            tickets_on_resumption: config.tickets_on_resumption,
            renewal: match config.renewal {
                config::Renewal::Never => Renewal::Never,
                config::Renewal::Inline => Renewal::Inline,
            },
            sessions: Arc::clone(&sessions),
            policy: Policy::new(mode, client_cas),
            verifier: config.client_auth.as_ref().map(|auth| Arc::clone(&auth.verifier)),
        };
        let tls12 = config.min_version == MinVersion::Tls12;
        let endpoint = Endpoint::new(settings, Arc::clone(&config.certificates) as _, config.alpn.clone(), tls12)?;
        Ok(Self {
            name: config.name.clone(),
            bind: Wanted::by(&config.name, &config.bind),
            endpoint: Arc::new(endpoint),
            upstream,
            accept_proxy: config.accept_proxy,
            room: predecessor
                .map(|predecessor| Arc::clone(&predecessor.room))
                .unwrap_or_else(|| Arc::new(Semaphore::new(config.max_connections))),
            is_full: AtomicBool::new(
                predecessor.is_some_and(|predecessor| predecessor.is_full.load(Ordering::Relaxed)),
            ),
            max_connections: config.max_connections,
            handshake_timeout: config.handshake_timeout,
            idle_timeout: config.idle_timeout,
            sessions,
            counters: predecessor.map(|predecessor| Arc::clone(&predecessor.counters)).unwrap_or_default(),
            tickets: Arc::clone(&common.tickets),
            access_log: common.access_log.clone(),
            notices: common.notices.clone(),
        })
    }
}

impl Service {
    /// Makes the room it has taken over from `predecessor` as large as it is to be. Where it is to be smaller,
    /// connections that end leave no room behind until it is.
    pub fn resize(&self, predecessor: &Self) {
        let (before, after) = (predecessor.max_connections, self.max_connections);
        if after >= before {
            self.room.add_permits(after - before);
            return;
        }
        let room = Arc::clone(&self.room);
        let surplus = u32::try_from(before - after).unwrap_or(u32::MAX);
        tokio::spawn(async move {
            if let Ok(surplus) = room.acquire_many_owned(surplus).await {
                surplus.forget();
            }
        });
    }
}

/// The ring the control plane publishes.
struct PublishedRing(Keys);

impl Rings for PublishedRing {
    fn ring(&self) -> Arc<Ring> {
        self.0.load_full()
    }
}
