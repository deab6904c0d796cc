//! What clients may resume: the sessions of one client in one scenario, and how one connection gives them out and takes them
//! back.
//!
//! A ticket is a name in a book, with nothing sealed in it: it looks like any other from outside, and opens for as long as
//! the scenario wants it to.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand;
use raincheck_diagnosis::diagnose::client::Scenario;
use raincheck_diagnosis::evidence::NewTicket;
use rustls::server::{ProducesTickets, StoresServerSessions};

use super::clients::Place;
use crate::probe::clock::now;

/// The sessions that a client was given.
#[derive(Default)]
pub(super) struct Book {
    entries: Vec<Entry>,
    /// What stands for the key's name in front of a ticket, for each age.
    key_names: [[u8; 16]; 2],
}

struct Entry {
    /// The ticket, or the session ID.
    name: Vec<u8>,
    /// What rustls wants back.
    state: Vec<u8>,
    age: Age,
}

/// Before or after the server's key changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Before,
    After,
}

impl Book {
    /// Enters a session under `name`, unless there are too many already.
    fn enter(&mut self, name: Vec<u8>, state: &[u8], age: Age) -> bool {
        let has_room = self.entries.len() < MOST_SESSIONS && state.len() <= LONGEST_STATE;
        if has_room {
            self.entries.push(Entry { name, state: state.to_vec(), age });
        }
        has_room
    }

    fn find(&self, name: &[u8]) -> Option<(Vec<u8>, Age)> {
        let found = self.entries.iter().find(|entry| entry.name == name)?;
        Some((found.state.clone(), found.age))
    }

    /// A ticket for `state`, as long as those of other servers.
    fn ticket(&mut self, state: &[u8], age: Age) -> Option<Vec<u8>> {
        let key_name = &mut self.key_names[age as usize];
        if *key_name == [0; 16] {
            rand::fill(key_name).ok()?;
        }
        let mut ticket = vec![0; TICKET];
        rand::fill(&mut ticket).ok()?;
        ticket[..16].copy_from_slice(key_name);
        self.enter(ticket.clone(), state, age).then_some(ticket)
    }
}

/// How one connection deals with sessions: rustls asks it for tickets and for sessions by ID.
pub(super) struct Sessions {
    /// None on the page's port: there is nothing to resume.
    place: Option<Place>,
    tls13: bool,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// The age of the session that was opened, until rustls refuses it all the same.
    resuming: Option<Age>,
    /// The TLS 1.3 tickets that wait to be sent.
    issued: Vec<NewTicket>,
}

impl Sessions {
    pub(super) fn new(place: Option<Place>, tls13: bool) -> Self {
        Self { place, tls13, progress: Mutex::default() }
    }

    /// The TLS 1.3 tickets that rustls has made since this was last asked.
    pub(super) fn take_issued(&self) -> Vec<NewTicket> {
        std::mem::take(&mut self.progress().issued)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gives(&self, kind: Kind) -> bool {
        self.place.as_ref().is_some_and(|place| Kind::of(place.scenario) == Some(kind))
    }

    fn open(&self, kind: Kind, name: &[u8]) -> Option<Vec<u8>> {
        let place = self.place.as_ref().filter(|_| self.gives(kind))?;
        let (state, age) = place.with_book(|book, now| {
            let forgets = matches!(place.scenario, Scenario::UnknownKey | Scenario::RefusedSession);
            book.find(name).filter(|(_, age)| *age == now || !forgets)
        })??;
        self.progress().resuming = Some(age);
        Some(state)
    }
}

impl ProducesTickets for Sessions {
    fn enabled(&self) -> bool {
        let Some(place) = self.place.as_ref().filter(|_| self.gives(Kind::Ticket)) else {
            return false;
        };
        // In TLS 1.2 rustls asks when it writes ServerHello: a ticket in an abbreviated handshake is a renewal. In TLS 1.3 it
        // asks whether tickets are of its own making, and would keep sessions itself if they were not.
        match self.progress().resuming {
            Some(age) if !self.tls13 => place.scenario == Scenario::Renewal && place.age() != Some(age),
            _ => true,
        }
    }

    fn lifetime(&self) -> u32 {
        LIFETIME.as_secs() as u32
    }

    fn encrypt(&self, state: &[u8]) -> Option<Vec<u8>> {
        let ticket = self.place.as_ref()?.with_book(|book, now| book.ticket(state, now))??;
        if self.tls13 {
            let kept = NewTicket {
                at: now(),
                ticket: ticket.as_slice().into(),
                lifetime: LIFETIME,
                age_add: None,
                early_data: None,
            };
            self.progress().issued.push(kept);
        }
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(Kind::Ticket, ticket)
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, id: Vec<u8>, state: Vec<u8>) -> bool {
        let place = self.place.as_ref().filter(|_| self.gives(Kind::Id));
        place.and_then(|place| place.with_book(|book, now| book.enter(id, &state, now))).unwrap_or(false)
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.open(Kind::Id, id)
    }

    /// TLS 1.3 without tickets of our own making: there is none.
    fn take(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// rustls asks this on the full path of TLS 1.2 alone, and before `enabled`: what was opened is not resumed after all.
    fn can_cache(&self) -> bool {
        self.progress().resuming = None;
        self.gives(Kind::Id)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("tls13", &self.tls13).finish_non_exhaustive()
    }
}

/// What a scenario resumes with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Id,
    Ticket,
}

impl Kind {
    fn of(scenario: Scenario) -> Option<Self> {
        match scenario {
            Scenario::NoResumption => None,
            Scenario::SessionIds | Scenario::RefusedSession => Some(Self::Id),
            _ => Some(Self::Ticket),
        }
    }
}

/// Two for each connection that is kept, and some to spare.
const MOST_SESSIONS: usize = 100;
/// A session has some hundred bytes; there are no client certificates in it.
const LONGEST_STATE: usize = 4096;
/// What OpenSSL's tickets have without a client certificate.
const TICKET: usize = 192;
/// Longer than anybody looks.
const LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);
