//! Tickets that are worth something to whoever recorded them, or can guess their key.

use super::finding;
use super::ways::{self, WayReport};
use crate::evidence::{Answer, Examination, Experiment, Offer, Way};
use crate::finding::{Finding, Name, Severity};
use crate::weak::weak_ticket_key;

pub(super) fn findings(examination: &Examination, _: &[WayReport]) -> Vec<Finding> {
    weak(examination).into_iter().chain(replay(examination)).collect()
}

/// One ticket of each way is looked at: all are sealed alike.
fn weak(examination: &Examination) -> Option<Finding> {
    [Way::Psk, Way::Ticket].into_iter().find_map(|way| {
        let ticket = examination.trials.iter().filter(|trial| trial.way == way).find_map(|trial| {
            let issued = trial.connection.tickets.first().map(|ticket| &*ticket.ticket);
            issued.or(match trial.connection.offer() {
                Offer::Psk(ticket) | Offer::Ticket(ticket) => Some(ticket),
                Offer::None | Offer::SessionId(_) | Offer::Unknown => None,
            })
        })?;
        weak_ticket_key(examination.address, ticket)
    })
}

/// A ticket that is accepted more than once does no harm by itself: but with early data, which can be sent again with it.
fn replay(examination: &Examination) -> Option<Finding> {
    let early = examination.trials.iter().any(|trial| trial.connection.early_data == Some(true));
    let resumed = ways::offers(ways::of(examination, Way::Psk, Experiment::Parallel));
    let resumed = resumed.filter(|answer| *answer == Answer::Yes).count();
    if !early || resumed < 2 {
        return None;
    }
    let summary = format!("{} takes early data, and a ticket more than once", examination.name);
    let evidence = vec![
        format!("one TLS 1.3 ticket resumed {resumed} sessions at once"),
        "a request in early data was taken".to_owned(),
    ];
    let found = finding(examination, Name::TicketReused, Severity::Note, summary, evidence);
    let cost =
        "whoever recorded a request in early data can send it again, and the server may do again what it asks for";
    Some(Finding { cost: cost.to_owned(), ..found })
}
