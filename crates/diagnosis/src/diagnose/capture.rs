//! What is wrong in a capture, and what follows from it: a rule a file, each a function of the `Case`.
//!
//! A rule asks for contrast: the same server, client or key doing well under other circumstances. Where there is none, or
//! another finding explains it, what it found is a note.

mod case;
mod groups;
mod listener;
mod refusal;
mod sentence;

mod client_keeps_old_ticket;
mod client_loses_session;
mod client_never_offers;
mod close_not_answered;
mod closed_before_tickets;
mod full_handshake_storm;
mod handshake_failures;
mod inline_renewal;
mod inline_renewal_aborted;
mod key_rotated_away;
mod keys_not_shared;
mod no_resumption_offered;
mod policy_not_bound;
mod session_forgotten;
mod session_id_echo;
mod stale_session_alert;
mod ticket_expired;
mod ticket_lifetime;
mod ticket_never_accepted;
mod ticket_reused;
mod unclean_close;
mod version_changed;
mod version_fallback;
mod write_only_data_lost;

#[cfg(test)]
mod tests;

use crate::session::Graph;
use crate::{Finding, weak};
use case::Case;

/// What is found in a capture, problems first.
pub fn capture(graph: &Graph) -> Vec<Finding> {
    let case = Case::of(graph);
    let mut findings = RULES.iter().flat_map(|rule| rule(&case)).collect::<Vec<_>>();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// The servers whose tickets are sealed under a key that anybody can guess. Takes about a millisecond for each key name among
/// [`Graph::samples`] that is tried, which is why [`capture`] does not do it along; more of them are tried of a large capture,
/// whose reading takes longer.
pub fn weak_ticket_keys(graph: &Graph) -> Vec<Finding> {
    let most = FEWEST_GUESSES + graph.connections().len() / CONNECTIONS_A_GUESS;
    weak::weak_ticket_keys(graph.samples(), most)
}

const FEWEST_GUESSES: usize = 32;
const CONNECTIONS_A_GUESS: usize = 100;

const RULES: &[fn(&Case<'_>) -> Vec<Finding>] = &[
    unclean_close::find,
    keys_not_shared::find,
    full_handshake_storm::find,
    closed_before_tickets::find,
    key_rotated_away::find,
    session_forgotten::find,
    ticket_never_accepted::find,
    ticket_expired::find,
    version_changed::find,
    no_resumption_offered::find,
    client_never_offers::find,
    stale_session_alert::find,
    inline_renewal_aborted::find,
    version_fallback::find,
    client_loses_session::find,
    client_keeps_old_ticket::find,
    inline_renewal::find,
    write_only_data_lost::find,
    handshake_failures::find,
    policy_not_bound::find,
    session_id_echo::find,
    ticket_lifetime::find,
    ticket_reused::find,
    close_not_answered::find,
];
