//! What a TLS client can bear, and what not: from the connections it made with servers of one behaviour each to a verdict on
//! each behaviour, and to what was found.

mod findings;
mod reading;
mod scenario;
mod verdict;

use crate::evidence::Connection;

pub use findings::findings;
pub use scenario::Scenario;
pub use verdict::{Judgement, Verdict};

/// What was seen of one client in one scenario.
#[derive(Clone, Debug)]
pub struct Trial {
    /// How the server behaved.
    pub scenario: Scenario,
    /// The client's connections, in order of start: those of which there was a ClientHello. What a key log tells of others
    /// stands in them too, for the server knows it: alerts it could decrypt, the TLS 1.3 tickets it sent.
    pub connections: Vec<Connection>,
}

impl Trial {
    /// A trial of which nothing was seen yet.
    pub fn new(scenario: Scenario) -> Self {
        Self { scenario, connections: Vec::new() }
    }

    /// How the client fared.
    pub fn judge(&self) -> Judgement {
        verdict::judge(self)
    }
}

#[cfg(test)]
mod tests;
