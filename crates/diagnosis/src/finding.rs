//! What a diagnosis finds.

use std::fmt;
use std::net::SocketAddr;

use crate::product::Product;

/// One thing that was found: what was seen, how sure that is, what it costs, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub name: Name,
    /// Whether it is worth acting on.
    pub severity: Severity,
    /// Whether it was seen or follows from what was seen.
    pub certainty: Certainty,
    /// What is the matter, in a sentence that names who.
    pub summary: String,
    /// What was seen, a sentence each, with packets' numbers and times where there are any.
    pub evidence: Vec<String>,
    /// What it costs, as far as that can be estimated; empty where it cannot.
    pub cost: String,
    /// What to do, a sentence for each product that may be concerned.
    pub remedy: Vec<Remedy>,
    /// Whom it is about.
    pub peers: Vec<SocketAddr>,
    /// The first of the connections that show it, as places in the graph of a capture; of a probe none.
    pub connections: Vec<usize>,
}

/// What to do about a finding in one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The product it is for.
    pub product: Product,
    /// What to change: a sentence without a full stop, with what is typed in backticks.
    pub change: &'static str,
}

impl Remedy {
    pub(crate) const fn new(product: Product, change: &'static str) -> Self {
        Self { product, change }
    }
}

/// Whether a finding is worth acting on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It is.
    Problem,
    /// It is information, or another finding explains it.
    Note,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// It was seen.
    Seen,
    /// It follows from what was seen, unless something that was not explains it otherwise.
    Inferred,
}

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The name of a finding, as people, programs and `doctor explain` know it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name {
            $($(#[$doc])* $variant,)*
        }

        impl Name {
            /// All names, in the order of [`Name`].
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name, in lower case with hyphens.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The name that `text` is, if it is one.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|name| name.as_str() == text)
            }
        }
    };
}

names! {
    /// The server forgets a session whose connection ended without close_notify.
    UncleanCloseInvalidates = "unclean-close-invalidates",
    /// A client ends its connections without close_notify.
    ClientClosesUnclean = "client-closes-unclean",
    /// One peer makes full handshakes at a rate that resumption would spare.
    FullHandshakeStorm = "full-handshake-storm",
    /// Health checks make a full handshake every time.
    CheckNeverResumes = "check-never-resumes",
    /// The server sends NewSessionTicket inside abbreviated TLS 1.2 handshakes.
    InlineRenewal = "inline-renewal",
    /// The client ends the connection on an inline renewal.
    InlineRenewalAborted = "inline-renewal-aborted",
    /// The client comes back with a lower version after an aborted handshake.
    VersionFallback = "version-fallback",
    /// The client sends unexpected_message when parallel connections use one session across a renewal.
    StaleSessionAlert = "stale-session-alert",
    /// The client goes on offering the ticket it had before a renewal.
    ClientKeepsOldTicket = "client-keeps-old-ticket",
    /// The client offers nothing after a renewal.
    ClientLosesSession = "client-loses-session",
    /// The server sends TLS 1.3 tickets before the application wrote.
    EagerTickets = "eager-tickets",
    /// A client that never reads answers tickets with a reset, and what it had written is lost.
    WriteOnlyDataLost = "write-only-data-lost",
    /// The client leaves before TLS 1.3 tickets reach it.
    ClosedBeforeTickets = "closed-before-tickets",
    /// Nodes of one service refuse one another's tickets.
    KeysNotShared = "keys-not-shared",
    /// Nodes of one service refuse one another's tickets around a rotation.
    RotationOutOfStep = "rotation-out-of-step",
    /// A ticket inside its lifetime is refused because its key is gone.
    KeyRotatedAway = "key-rotated-away",
    /// A session ID is refused after it worked.
    SessionForgotten = "session-forgotten",
    /// Session IDs are issued, and none ever resumes.
    SessionIdsNeverResumed = "session-ids-never-resumed",
    /// A ticket is refused for its age.
    TicketExpired = "ticket-expired",
    /// A session is refused because the server now picks another version.
    VersionChanged = "version-changed",
    /// The server refuses every ticket.
    TicketNeverAccepted = "ticket-never-accepted",
    /// The server offers no way to resume.
    NoResumptionOffered = "no-resumption-offered",
    /// The client never comes back with a session it was given.
    ClientNeverOffers = "client-never-offers",
    /// A ticket of one name or client-auth policy opens under another.
    PolicyNotBound = "policy-not-bound",
    /// The tickets open with a key that can be guessed.
    WeakTicketKey = "weak-ticket-key",
    /// The ticket lifetime is longer than RFC 8446 allows, or too short to be of use.
    TicketLifetime = "ticket-lifetime",
    /// A client uses a TLS 1.3 ticket more than once, or a server accepts it.
    TicketReused = "ticket-reused",
    /// The server does not answer close_notify.
    CloseNotAnswered = "close-not-answered",
    /// The server does not echo the session ID it resumes.
    SessionIdEcho = "session-id-echo",
    /// Handshakes end in alerts or are broken off.
    HandshakeFailures = "handshake-failures",
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
