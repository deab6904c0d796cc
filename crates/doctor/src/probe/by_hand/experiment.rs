//! What takes more than one connection to find out.

use std::fmt;

use raincheck_diagnosis::evidence::{Failure, RequestedTickets, Reuse};

use super::{Ask, ByHand, Outcome, Target, Ticket};

/// Why nothing was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDetermined {
    /// A connection failed.
    Failed(Failure),
    /// The server gave no ticket.
    NoTicket,
}

impl ByHand {
    /// Offers one ticket to `target` on three connections, one after the other, and another on three at once; where there is but
    /// one ticket, that. `turn` is waited for before each connection, and before those at once.
    pub async fn reuse(&self, target: &Target, turn: impl AsyncFn()) -> Result<Reuse, NotDetermined> {
        turn().await;
        let Outcome { failure, tickets, .. } = self.clone().run(target).await;
        let (Some(first), Some(last)) = (tickets.first(), tickets.last()) else {
            return Err(failure.map_or(NotDetermined::NoTicket, NotDetermined::Failed));
        };
        let mut in_turn = Vec::new();
        for _ in 0..TIMES {
            turn().await;
            in_turn.push(self.offering(first).run(target).await.connection);
        }
        turn().await;
        let offer = || self.offering(last).run(target);
        let (one, another, third) = tokio::join!(offer(), offer(), offer());
        Ok(Reuse { in_turn, at_once: [one, another, third].map(|outcome| outcome.connection).into() })
    }

    /// Makes a session without asking for tickets, and one that asks for one more than came.
    pub async fn request_tickets(
        &self,
        target: &Target,
        turn: impl AsyncFn(),
    ) -> Result<RequestedTickets, NotDetermined> {
        turn().await;
        let unasked = self.clone().run(target).await;
        if let Some(failure) = unasked.failure {
            return Err(NotDetermined::Failed(failure));
        }
        let unasked = unasked.tickets.len();
        let asked = u8::try_from(unasked + 1).unwrap_or(u8::MAX);
        turn().await;
        let ask = Ask { new_session: asked, resumption: 1 };
        let outcome = Self { ask: Some(ask), ..self.clone() }.run(target).await;
        match outcome.failure {
            Some(failure) => Err(NotDetermined::Failed(failure)),
            None => {
                let expected = outcome.expected_tickets;
                Ok(RequestedTickets { asked, expected, sent: outcome.tickets.len(), unasked })
            }
        }
    }

    fn offering(&self, ticket: &Ticket) -> Self {
        Self { ticket: Some(ticket.clone()), ..self.clone() }
    }
}

impl fmt::Display for NotDetermined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::NoTicket => f.write_str("the server gave no ticket"),
        }
    }
}

// As many connections as a browser opens that finds a page with pictures.
const TIMES: usize = 3;
