//! What was seen of a connection, before anything is concluded from it.
//!
//! The facts of one connection are the same whether a capture has them or a probe saw them, and so is what they amount to
//! ([`Connection::kind`] and its like). Where bytes are missing, a fact is missing too, and what depends on it is `Unknown`.

mod alert;
mod client_hello;
mod connection;
mod end;
mod failure;
mod fleet;
mod ja4;
mod profile;
mod reuse;
mod server_hello;
mod session_id;
mod ticket;
mod trial;
mod version;
mod way;
mod ways;

pub use alert::{Alert, AlertContent, Description};
pub use client_hello::{ClientHello, Identity, TicketRequest};
pub use connection::{Application, Connection, Flight, Kind, Offer, Sealed};
pub use end::{Close, CloseNotify, End};
pub use failure::{Failure, Stage};
pub use fleet::{Ask, Fleet, Gives, KeyNames, Node, Reply};
pub use ja4::Ja4;
pub use profile::Profile;
pub use reuse::{RequestedTickets, Reuse};
pub use server_hello::ServerHello;
pub use session_id::SessionId;
pub use ticket::{KeyName, NewTicket};
pub use trial::{CertificateRequest, Ending, Examination, Experiment, Said, Trial, WriteOnly};
pub use version::Version;
pub use way::Way;
pub use ways::Ways;

/// Yes, no, or not to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// What would tell is missing.
    Unknown,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}
