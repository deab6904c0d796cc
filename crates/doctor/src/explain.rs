//! The page of each finding: what happens on the wire, who does it, what it costs, how to fix it and where it is written up.
//!
//! The pages are Markdown that reads well as it is, in a terminal and on the web. They lie in `docs/findings/`.

use raincheck_diagnosis::Name;

/// What the finding is, in one line.
pub fn headline(name: Name) -> &'static str {
    let first = page(name).lines().next().unwrap_or_default();
    first.split_once(": ").map_or(first, |(_, headline)| headline)
}

macro_rules! pages {
    ($($name:ident = $file:literal,)*) => {
        /// The page of a finding, at most 100 columns wide.
        pub fn page(name: Name) -> &'static str {
            match name {
                $(Name::$name => include_str!(concat!("../../../docs/findings/", $file, ".md")),)*
            }
        }
    };
}

pages! {
    UncleanCloseInvalidates = "unclean-close-invalidates",
    ClientClosesUnclean = "client-closes-unclean",
    FullHandshakeStorm = "full-handshake-storm",
    CheckNeverResumes = "check-never-resumes",
    InlineRenewal = "inline-renewal",
    InlineRenewalAborted = "inline-renewal-aborted",
    VersionFallback = "version-fallback",
    StaleSessionAlert = "stale-session-alert",
    ClientKeepsOldTicket = "client-keeps-old-ticket",
    ClientLosesSession = "client-loses-session",
    EagerTickets = "eager-tickets",
    WriteOnlyDataLost = "write-only-data-lost",
    ClosedBeforeTickets = "closed-before-tickets",
    KeysNotShared = "keys-not-shared",
    RotationOutOfStep = "rotation-out-of-step",
    KeyRotatedAway = "key-rotated-away",
    SessionForgotten = "session-forgotten",
    SessionIdsNeverResumed = "session-ids-never-resumed",
    TicketExpired = "ticket-expired",
    VersionChanged = "version-changed",
    TicketNeverAccepted = "ticket-never-accepted",
    NoResumptionOffered = "no-resumption-offered",
    ClientNeverOffers = "client-never-offers",
    PolicyNotBound = "policy-not-bound",
    WeakTicketKey = "weak-ticket-key",
    TicketLifetime = "ticket-lifetime",
    TicketReused = "ticket-reused",
    CloseNotAnswered = "close-not-answered",
    SessionIdEcho = "session-id-echo",
    HandshakeFailures = "handshake-failures",
}

#[cfg(test)]
mod tests;
