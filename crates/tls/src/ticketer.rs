//! One connection's tickets: what was offered, whether it may resume, and what is issued.
//!
//! rustls asks a ticketer two things that seem unrelated, `decrypt` and `enabled`, and asks the
//! session storage `can_cache` on the full path only. One object behind all three, made for one
//! connection, can tell where the handshake stands and answer accordingly:
//!
//! - TLS 1.2 asks `decrypt`, then `enabled` when it writes its ServerHello. `false` there leaves
//!   the NewSessionTicket out of an abbreviated handshake.
//! - Where rustls refuses after `decrypt` (another suite, no EMS), it asks `can_cache` before
//!   the ServerHello of the full handshake: then `enabled` is true again and a ticket is issued.
//! - TLS 1.3 asks `enabled` to choose between stateless and stateful tickets: always true there.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand;
use raincheck_keyring::{self as keyring, KeyName, KeyState, Opened, PolicyDigest, UnixTime, ticket};
use rustls::server::{ProducesTickets, StoresServerSessions};
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig};

use crate::client_chain::{self, ClientChain};
use crate::endpoint::{Endpoint, Renewal, tls13_suite};
use crate::hello::ClientHello;
use crate::reason::{Kind, Outcome, Reason};

/// The ticketer, and the session storage, of one connection.
pub struct Ticketer {
    endpoint: Arc<Endpoint>,
    policy: PolicyDigest,
    client: Client,
    progress: Mutex<Progress>,
}

/// What the ClientHello says, as far as tickets go.
#[derive(Debug)]
struct Client {
    server_name: Option<String>,
    tls13: bool,
    /// The suite that TLS 1.3 will have.
    suite: Option<u16>,
    extended_master_secret: bool,
    psk_with_dhe: bool,
    asks_for_number: bool,
    speaks_tickets: bool,
    offered: Offered,
}

/// What session, if any, the client offers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Offered {
    Nothing,
    SessionId,
    Ticket,
    Psk,
}

/// Where the handshake stands.
#[derive(Debug, Default)]
struct Progress {
    resuming: Option<Resuming>,
    refused: Option<Refusal>,
    client_chain: ClientChain,
    issued: usize,
}

/// A session that was opened and will resume, unless rustls finds something against it.
#[derive(Debug)]
struct Resuming {
    kind: Kind,
    key: Option<(KeyName, KeyState)>,
    origin: UnixTime,
    sealed_at: UnixTime,
    extended_master_secret: bool,
}

#[derive(Copy, Clone, Debug)]
struct Refusal {
    reason: Reason,
    key: Option<KeyName>,
    age: Option<Duration>,
}

impl Ticketer {
    pub(crate) fn new(endpoint: Arc<Endpoint>, hello: &ClientHello, config: &ServerConfig) -> Self {
        let tls13 = hello.offers_tls13;
        let suite = tls13.then(|| tls13_suite(config, &hello.cipher_suites)).flatten();
        Self {
            policy: endpoint.settings.policy.digest(hello.server_name.as_deref()),
            client: Client {
                server_name: hello.server_name.clone(),
                tls13,
                suite,
                extended_master_secret: hello.extended_master_secret,
                psk_with_dhe: hello.psk_with_dhe,
                asks_for_number: hello.ticket_request,
                speaks_tickets: hello.ticket.is_some(),
                offered: Offered::by(hello),
            },
            endpoint,
            progress: Mutex::default(),
        }
    }

    /// Keeps the chain the client has just shown for the tickets it will get.
    pub(crate) fn client_showed(&self, chain: ClientChain) {
        self.progress().client_chain = chain;
    }

    /// How the handshake ended, with everything the ticketer learned. It is asked once, and
    /// forgets what it kept of the client.
    pub(crate) fn outcome(&self, version: ProtocolVersion, kind: HandshakeKind) -> Outcome {
        let progress = std::mem::take(&mut *self.progress());
        match (progress.resuming, kind) {
            (Some(resuming), HandshakeKind::Resumed) => Outcome {
                version,
                server_name: self.client.server_name.clone(),
                kind: resuming.kind,
                reason: None,
                key_name: resuming.key.map(|(name, _)| name),
                key_state: resuming.key.map(|(_, state)| state),
                age: Some(self.endpoint.now().since(resuming.sealed_at)),
            },
            _ => {
                let refusal = progress.refused.unwrap_or_else(|| Refusal::of(self.unasked_reason()));
                Outcome {
                    version,
                    server_name: self.client.server_name.clone(),
                    kind: Kind::Full,
                    reason: Some(refusal.reason),
                    key_name: refusal.key,
                    key_state: None,
                    age: refusal.age,
                }
            }
        }
    }

    /// Why the handshake is full although rustls never asked for the session.
    fn unasked_reason(&self) -> Reason {
        match self.client.offered {
            Offered::Nothing => Reason::NotOffered,
            Offered::SessionId if self.endpoint.settings.sessions.is_enabled() => Reason::UnknownSession,
            Offered::SessionId => Reason::Disabled,
            // A TLS 1.2 ticket in a ClientHello that leads to TLS 1.3.
            Offered::Ticket if self.client.tls13 => Reason::Version,
            Offered::Ticket | Offered::Psk => Reason::Disabled,
        }
    }

    /// Takes a session into use, or says why not.
    fn resume(
        &self,
        kind: Kind,
        key: Option<(KeyName, KeyState)>,
        session: &keyring::Session,
    ) -> Result<Vec<u8>, Reason> {
        let (marks, state) = Marks::split(&session.state).ok_or(Reason::Forged)?;
        if marks.tls13 != self.client.tls13 {
            return Err(Reason::Version);
        }
        if self.client.tls13 && !self.client.psk_with_dhe {
            return Err(Reason::Disabled);
        }
        if self.client.tls13 && Some(marks.suite) != self.client.suite {
            return Err(Reason::Suite);
        }
        if let Some(verifier) = &self.endpoint.settings.verifier
            && !client_chain::still_verifies(&**verifier, &session.client_chain)
        {
            return Err(Reason::ClientCertificate);
        }
        let mut progress = self.progress();
        progress.client_chain.clone_from(&session.client_chain);
        progress.resuming = Some(Resuming {
            kind,
            key,
            origin: session.origin,
            sealed_at: session.sealed_at,
            extended_master_secret: marks.extended_master_secret,
        });
        Ok(state.to_vec())
    }

    fn refuse(&self, refusal: Refusal) {
        // Several identities may be offered: the first one is the one that was meant.
        self.progress().refused.get_or_insert(refusal);
    }

    /// The session to keep, with the origin and the client's chain carried along.
    fn session(&self, state: &[u8]) -> keyring::Session {
        let mut progress = self.progress();
        if let Some(chain) = client_chain::take_verified() {
            progress.client_chain = chain;
        }
        let now = self.endpoint.now();
        let marks = Marks {
            tls13: self.client.tls13,
            suite: self.client.suite.unwrap_or_default(),
            extended_master_secret: self.client.extended_master_secret,
        };
        keyring::Session {
            policy: self.policy,
            origin: progress.resuming.as_ref().map_or(now, |resuming| resuming.origin),
            sealed_at: now,
            client_chain: progress.client_chain.clone(),
            state: marks.join(state).into(),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Offered {
    fn by(hello: &ClientHello) -> Self {
        if hello.psk_identities > 0 {
            Self::Psk
        } else if hello.ticket.as_ref().is_some_and(|ticket| !ticket.is_empty()) {
            Self::Ticket
        } else if !hello.session_id.is_empty() && !hello.offers_tls13 {
            // A TLS 1.3 client sends random bytes for a session ID (RFC 8446 §4.1.2).
            Self::SessionId
        } else {
            Self::Nothing
        }
    }
}

impl Refusal {
    fn of(reason: Reason) -> Self {
        Self { reason, key: None, age: None }
    }
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        if self.endpoint.settings.tickets == 0 {
            return false;
        }
        match &self.progress().resuming {
            Some(resuming) if !self.client.tls13 => match self.endpoint.settings.renewal {
                Renewal::Never => false,
                Renewal::Inline => resuming.key.is_some_and(|(_, state)| state != KeyState::Issuing),
            },
            _ => true,
        }
    }

    fn lifetime(&self) -> u32 {
        let now = self.endpoint.now();
        let progress = self.progress();
        let origin = progress.resuming.as_ref().map_or(now, |resuming| resuming.origin);
        let left = self.endpoint.settings.schedule.remaining(origin, now);
        // 0 would mean that there is no hint (RFC 5077 §3.3).
        left.clamp(Duration::from_secs(1), LONGEST_LIFETIME).as_secs() as u32
    }

    fn encrypt(&self, state: &[u8]) -> Option<Vec<u8>> {
        let settings = &self.endpoint.settings;
        let session = self.session(state);
        {
            let mut progress = self.progress();
            let enough = match &progress.resuming {
                _ if !self.client.tls13 || self.client.asks_for_number => usize::MAX,
                Some(_) => settings.tickets_on_resumption,
                None => settings.tickets,
            };
            let chain_is_over = settings.schedule.remaining(session.origin, session.sealed_at).is_zero();
            if progress.issued >= enough || chain_is_over {
                return None;
            }
            progress.issued += 1;
        }
        let mut salt = [0; 32];
        rand::fill(&mut salt).ok()?;
        ticket::seal(settings.rings.ring().issuing(), &salt, &session).ok()
    }

    fn decrypt(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let settings = &self.endpoint.settings;
        if settings.tickets == 0 {
            self.refuse(Refusal::of(Reason::Disabled)); // TLS 1.2 does not ask `enabled` before
            return None;
        }
        let kind = if self.client.tls13 { Kind::Psk } else { Kind::Ticket };
        let ring = settings.rings.ring();
        let now = self.endpoint.now();
        match ticket::open(&ring, &settings.schedule, now, &self.policy, sealed) {
            Opened::Accepted { state, name, session } => match self.resume(kind, Some((name, state)), &session) {
                Ok(state) => Some(state),
                Err(reason) => {
                    self.refuse(Refusal { reason, key: Some(name), age: Some(now.since(session.sealed_at)) });
                    None
                }
            },
            Opened::Refused { name, why, .. } => {
                self.refuse(Refusal { reason: why.into(), key: name, age: None });
                None
            }
        }
    }
}

impl StoresServerSessions for Ticketer {
    fn put(&self, id: Vec<u8>, state: Vec<u8>) -> bool {
        let sessions = &self.endpoint.settings.sessions;
        let session = self.session(&state);
        let (schedule, now) = (&self.endpoint.settings.schedule, session.sealed_at);
        sessions.insert(id, session, |kept| schedule.is_expired(kept.sealed_at, now));
        sessions.is_enabled()
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        let settings = &self.endpoint.settings;
        let session = settings.sessions.find(id)?; // unasked_reason() has the word for a miss
        let now = self.endpoint.now();
        let resumed = session
            .admit(&self.policy, &settings.schedule, now)
            .map_err(Reason::from)
            .and_then(|()| self.resume(Kind::SessionId, None, &session));
        match resumed {
            Ok(state) => Some(state),
            Err(reason) => {
                self.refuse(Refusal { age: Some(now.since(session.sealed_at)), ..Refusal::of(reason) });
                None
            }
        }
    }

    /// Only TLS 1.3 with tickets off comes here, with the offered identity.
    fn take(&self, _identity: &[u8]) -> Option<Vec<u8>> {
        self.refuse(Refusal::of(Reason::Disabled));
        None
    }

    /// Asked on the full path of TLS 1.2 only, before ServerHello.
    fn can_cache(&self) -> bool {
        let settings = &self.endpoint.settings;
        let mut progress = self.progress();
        if let Some(resuming) = progress.resuming.take() {
            // rustls refused what was opened. It has three reasons, and the server name is
            // part of the policy.
            let reason = if resuming.extended_master_secret == self.client.extended_master_secret {
                Reason::Suite
            } else {
                Reason::Ems
            };
            progress.client_chain.clear();
            progress.refused = Some(Refusal {
                reason,
                key: resuming.key.map(|(name, _)| name),
                age: Some(self.endpoint.now().since(resuming.sealed_at)),
            });
        }
        let gets_a_ticket = self.client.speaks_tickets && settings.tickets > 0;
        settings.sessions.is_enabled() && !gets_a_ticket
    }
}

impl fmt::Debug for Ticketer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticketer").field("client", &self.client).finish_non_exhaustive()
    }
}

/// What rustls' state says too, but only to rustls: enough to name the reason of a refusal.
///
/// ```text
/// flags 1 (bit 0: TLS 1.3, bit 1: extended master secret) | suite 2 (TLS 1.3, else 0) | rustls' state
/// ```
struct Marks {
    tls13: bool,
    suite: u16,
    extended_master_secret: bool,
}

impl Marks {
    fn join(&self, state: &[u8]) -> Vec<u8> {
        let flags = u8::from(self.tls13) | u8::from(self.extended_master_secret) << 1;
        let mut joined = Vec::with_capacity(3 + state.len());
        joined.push(flags);
        joined.extend_from_slice(&self.suite.to_be_bytes());
        joined.extend_from_slice(state);
        joined
    }

    fn split(joined: &[u8]) -> Option<(Self, &[u8])> {
        let [flags, hi, lo, state @ ..] = joined else {
            return None;
        };
        let marks = Self {
            tls13: flags & 1 != 0,
            suite: u16::from_be_bytes([*hi, *lo]),
            extended_master_secret: flags & 2 != 0,
        };
        Some((marks, state))
    }
}

/// RFC 8446 §4.6.1: a lifetime must not exceed seven days.
const LONGEST_LIFETIME: Duration = Duration::from_secs(604_800);
