use super::{Answer, Connection, Kind};

/// What a server did with one ticket of TLS 1.3 that was offered to it again and again.
#[derive(Clone, Debug, Default)]
pub struct Reuse {
    /// Connections that offered it one after the other.
    pub in_turn: Vec<Connection>,
    /// Connections that offered it at once.
    pub at_once: Vec<Connection>,
}

impl Reuse {
    /// Whether the ticket resumed more than one session. `Unknown` where it did not resume the first, or nothing else was seen.
    pub fn is_accepted_again(&self) -> Answer {
        match &self.in_turn[..] {
            [first, again @ ..] if is_resumed(first) => again
                .iter()
                .map(|connection| match connection.agreed() {
                    Kind::ResumedPsk => Answer::Yes,
                    Kind::Full => Answer::No,
                    _ => Answer::Unknown,
                })
                .min()
                .unwrap_or(Answer::Unknown),
            _ => Answer::Unknown,
        }
    }

    /// How many sessions it resumed, one after the other.
    pub fn resumed_in_turn(&self) -> usize {
        resumed(&self.in_turn)
    }

    /// How many it resumed at once.
    pub fn resumed_at_once(&self) -> usize {
        resumed(&self.at_once)
    }
}

/// What came of asking a server for a number of tickets (RFC 9149).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedTickets {
    /// How many were asked for.
    pub asked: u8,
    /// How many the server said it would send.
    pub expected: Option<u8>,
    /// How many it sent.
    pub sent: usize,
    /// How many it sent to a client that did not ask.
    pub unasked: usize,
}

impl RequestedTickets {
    /// Whether the server heeds the request: it says so, or it sends as many as were asked for and not as many as it would
    /// otherwise.
    pub fn is_heeded(&self) -> bool {
        self.expected.is_some() || (self.sent == usize::from(self.asked) && self.sent != self.unasked)
    }
}

fn resumed(connections: &[Connection]) -> usize {
    connections.iter().filter(|connection| is_resumed(connection)).count()
}

fn is_resumed(connection: &Connection) -> bool {
    connection.agreed() == Kind::ResumedPsk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_heeded_by_whoever_says_so_or_sends_as_many() {
        for (asked, expected, sent, unasked, heeded) in [
            (4, Some(4), 4, 2, true),
            (4, Some(2), 2, 2, true),
            (4, None, 4, 2, true),
            (4, None, 2, 2, false),
            (2, None, 2, 2, false),
        ] {
            let request = RequestedTickets { asked, expected, sent, unasked };
            assert_eq!(request.is_heeded(), heeded, "{request:?}");
        }
    }
}
