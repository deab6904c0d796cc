//! Sessions: what a server gave on one connection, and another offers it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// A session that a server gave.
pub enum Session {
    /// Of TLS 1.2: a session ID, a ticket, or both. It can be offered as often as one likes.
    Tls12(Tls12ClientSessionValue),
    /// A ticket of TLS 1.3, which rustls offers once.
    Tls13(Tls13ClientSessionValue),
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12(_) => "Tls12",
            Self::Tls13(_) => "Tls13",
        })
    }
}

/// The store of a single connection: one session to offer, and those it gains.
///
/// The names that rustls asks for do not matter: whether a session may be offered under another name is for the server to say.
#[derive(Debug, Default)]
pub(super) struct Store {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    offer: Option<Session>,
    gained: Vec<Session>,
}

impl Store {
    pub(super) fn offering(offer: Option<Session>) -> Self {
        Self { state: Mutex::new(State { offer, gained: Vec::new() }) }
    }

    /// What the connection gained up to now, in the order it came.
    pub(super) fn take_gained(&self) -> Vec<Session> {
        std::mem::take(&mut self.state().gained)
    }

    /// How many sessions the connection gained up to now.
    pub(super) fn count(&self) -> usize {
        self.state().gained.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for Store {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.state().gained.push(Session::Tls12(value));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        match &self.state().offer {
            Some(Session::Tls12(value)) => Some(value.clone()),
            _ => None,
        }
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.state().gained.push(Session::Tls13(value));
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        match self.state().offer.take_if(|offer| matches!(offer, Session::Tls13(_)))? {
            Session::Tls13(value) => Some(value),
            Session::Tls12(_) => None,
        }
    }
}
