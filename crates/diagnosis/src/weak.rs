//! Tickets under keys that anybody can guess.
//!
//! Such keys are in service: all zero until the first rotation (CVE-2020-13777), and on 1,923 hosts of the top million ("We
//! Really Need to Talk About Session Tickets", USENIX Security 2023). [`guess`] tries each of them ([`Guess`]) against a ticket,
//! in every layout in which it can tell that a key is right: because the ticket's MAC or GCM tag is made with it, or because
//! what it decrypts begins and ends as a session of OpenSSL's does.
//!
//! A ticket under a random key is taken for one under a guessed key less than once in 2^64 times. Fewer than 2^12 keys are tried
//! in each of a few layouts, which makes less than 2^14 trials, and a trial succeeds by chance once in 2^128 times with a MAC or a
//! tag, and once in 2^80 with a session of OpenSSL's (`cbc.rs`).

mod cbc;
mod gcm;
mod guess;
mod mac;
mod samples;

use std::fmt;
use std::net::SocketAddr;

pub use guess::Guess;
pub(crate) use samples::weak_ticket_keys;

use crate::evidence::KeyName;
use crate::finding::{Certainty, Finding, Name, Severity};
use crate::remedy::remedies;

/// The key of `ticket`, if it can be guessed. Takes a few milliseconds.
pub fn guess(ticket: &[u8]) -> Option<Guessed> {
    guess_each(&[ticket]).into_iter().next().flatten()
}

/// The key of each of `tickets`, if it can be guessed. What a guess takes before it can be tried is done once for all of them, so
/// that several take less than one by one.
pub fn guess_each(tickets: &[&[u8]]) -> Vec<Option<Guessed>> {
    let mut trials = tickets.iter().map(|ticket| Trial::of(ticket)).collect::<Vec<_>>();
    for guess in Guess::all() {
        let (cbc, mac, gcm) = (cbc::Keys::of(guess), mac::Keys::of(guess), gcm::Keys::of(guess));
        for trial in trials.iter_mut().filter(|trial| !trial.is_over()) {
            let ticket = trial.ticket;
            trial.read = trial.read.or_else(|| Some((guess, cbc.read(ticket)?)));
            trial.authentic = trial.authentic.or_else(|| Some((guess, mac.authenticate(ticket)?)));
            if trial.read.is_none() && trial.authentic.is_none() {
                trial.opened = gcm.open(ticket).map(|layout| (guess, layout));
            }
        }
        if trials.iter().all(Trial::is_over) {
            break;
        }
    }
    trials.iter().map(Trial::guessed).collect()
}

/// What was found out about a ticket.
struct Trial<'a> {
    ticket: &'a [u8],
    /// What it can be read with.
    read: Option<(Guess, Layout)>,
    /// What its MAC is made with.
    authentic: Option<(Guess, Layout)>,
    /// What both are done with at once.
    opened: Option<(Guess, Layout)>,
}

impl<'a> Trial<'a> {
    fn of(ticket: &'a [u8]) -> Self {
        Self { ticket, read: None, authentic: None, opened: None }
    }

    /// Whether there is nothing more to find out.
    fn is_over(&self) -> bool {
        self.ticket.len() > LONGEST || self.opened.is_some() || self.read.is_some() && self.authentic.is_some()
    }

    fn guessed(&self) -> Option<Guessed> {
        let (key, layout) = self.read.or(self.authentic).or(self.opened)?;
        let proof = if self.authentic.or(self.opened).is_some() { Proof::Mac } else { Proof::Structure };
        Some(Guessed { key, layout, proof })
    }
}

/// A key that was guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guessed {
    /// The key.
    pub key: Guess,
    /// How the ticket is sealed under it.
    pub layout: Layout,
    /// What shows that it is the key.
    pub proof: Proof,
}

/// How a ticket is sealed under the key that was guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Key name | IV | AES-CBC | MAC, as OpenSSL and all who build on it. The content can be read.
    Cbc {
        /// The length of the key, in bits.
        bits: usize,
        /// Where the IV stands, in bytes.
        iv: usize,
    },
    /// Key name 16 | IV 16 | length 2 | AES-256-CBC | HMAC-SHA1, as GnuTLS, which takes all keys from one secret. The content
    /// can be read.
    GnuTls,
    /// Key name 16 (until Go 1.20) | IV 16 | AES-128-CTR | HMAC-SHA256, as Go, which takes all keys from one secret. The content
    /// can be read.
    Go,
    /// Nonce | AES-GCM | tag. The content can be read.
    Gcm {
        /// The length of the key, in bits.
        bits: usize,
        /// Where the nonce stands, in bytes.
        nonce: usize,
    },
    /// Anything | HMAC-SHA256, of which the MAC's key was guessed and not the cipher's. Tickets can be forged, not read.
    Mac,
}

/// What shows that a key is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The MAC or tag of the ticket is made with it.
    Mac,
    /// What it decrypts has the structure of a session.
    Structure,
}

/// The finding that the key of `ticket`, which `server` issued, can be guessed.
pub fn weak_ticket_key(server: SocketAddr, ticket: &[u8]) -> Option<Finding> {
    Some(guess(ticket)?.finding(server, ticket))
}

impl Guessed {
    /// The finding that it is the key of `ticket`, which `server` issued.
    pub(crate) fn finding(&self, server: SocketAddr, ticket: &[u8]) -> Finding {
        let Self { key, layout, proof } = self;
        let shown = match proof {
            Proof::Mac => "the ticket is authentic under it",
            Proof::Structure => "it decrypts the ticket to a session",
        };
        let name = KeyName::of(ticket).map(|name| name.to_string()).unwrap_or_default();
        Finding {
            name: Name::WeakTicketKey,
            severity: Severity::Problem,
            certainty: Certainty::Seen,
            summary: format!("the tickets of {server} are sealed under a key that anybody can guess: {key}"),
            evidence: vec![format!("a ticket of {} bytes with the key name {name}, {layout}: {shown}", ticket.len())],
            cost: match layout {
                Layout::Mac => "whoever likes makes tickets that the server takes for its own".to_owned(),
                _ => "whoever recorded a connection can read its session in the ticket, and resume it".to_owned(),
            },
            remedy: remedies(Name::WeakTicketKey).to_vec(),
            peers: vec![server],
            connections: Vec::new(),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cbc { bits, iv } => write!(f, "AES-{bits}-CBC with the IV at byte {iv}"),
            Self::GnuTls => f.write_str("as GnuTLS seals them"),
            Self::Go => f.write_str("as Go seals them"),
            Self::Gcm { bits, nonce } => write!(f, "AES-{bits}-GCM with the nonce at byte {nonce}"),
            Self::Mac => f.write_str("HMAC-SHA256"),
        }
    }
}

// A session with a chain of certificates of the client's has a few thousand bytes. Each trial of a MAC reads them all.
const LONGEST: usize = 8 << 10;

#[cfg(test)]
mod tests;
