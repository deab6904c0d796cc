//! What follows from a ticket that was offered more than once.

use std::net::SocketAddr;

use crate::evidence::{Answer, Reuse};
use crate::finding::{Certainty, Finding, Name, Severity};
use crate::remedies;

/// The finding that `server` accepts a ticket of TLS 1.3 more than once, which nearly all do (RFC 8446 §C.4).
pub fn ticket_reused(server: SocketAddr, reuse: &Reuse) -> Option<Finding> {
    if reuse.is_accepted_again() != Answer::Yes {
        return None;
    }
    let Reuse { in_turn, at_once } = reuse;
    let mut seen = format!("one ticket resumed {} of {} connections in turn", reuse.resumed_in_turn(), in_turn.len());
    if !at_once.is_empty() {
        seen.push_str(&format!(", and {} of {} at once", reuse.resumed_at_once(), at_once.len()));
    }
    Some(Finding {
        name: Name::TicketReused,
        severity: Severity::Note,
        certainty: Certainty::Seen,
        summary: format!("{server} accepts a TLS 1.3 ticket more than once"),
        evidence: vec![seen],
        cost: "an observer can tell that connections of a client that reuses tickets belong together".to_owned(),
        remedy: remedies(Name::TicketReused).to_vec(),
        peers: vec![server],
        connections: Vec::new(),
    })
}
