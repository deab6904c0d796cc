//! What the client does with the tickets it gets.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// Takes tickets like any client, so that servers issue them, and never offers one: every handshake is full.
#[derive(Debug)]
pub(crate) struct Unused;

/// Gathers tickets until [`Kept::offer`], and from then on offers one in every handshake. A TLS 1.2 ticket is offered again and again; of
/// TLS 1.3 tickets each is offered once, as RFC 9846 §C.4 has clients do, and its connection brings the next.
#[derive(Default)]
pub(crate) struct Kept {
    offering: AtomicBool,
    tls12: Mutex<Option<Tls12ClientSessionValue>>,
    tls13: Mutex<VecDeque<Tls13ClientSessionValue>>,
}

impl Kept {
    /// Begins to offer what has been gathered.
    pub(crate) fn offer(&self) {
        self.offering.store(true, Ordering::Relaxed);
    }

    fn offered<T>(&self, ticket: impl FnOnce() -> Option<T>) -> Option<T> {
        if self.offering.load(Ordering::Relaxed) { ticket() } else { None }
    }
}

impl ClientSessionStore for Unused {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

impl ClientSessionStore for Kept {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        locked(&self.tls12).get_or_insert(session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.offered(|| locked(&self.tls12).clone())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        locked(&self.tls12).take();
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut tickets = locked(&self.tls13);
        if tickets.len() == MOST_TICKETS {
            tickets.pop_front();
        }
        tickets.push_back(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.offered(|| locked(&self.tls13).pop_front())
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("tls13", &locked(&self.tls13).len()).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

/// Enough for every connection at once with some to spare.
const MOST_TICKETS: usize = 4096;
