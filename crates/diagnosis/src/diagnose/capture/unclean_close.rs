//! `unclean-close-invalidates`: the server forgets a session whose connection ended without close_notify, as RFC 5246 §7.2.1
//! once asked for and JSSE does; and `client-closes-unclean`, who ends them so.

use std::collections::BTreeMap;

use super::case::Case;
use super::refusal::{LastEnd, last_end};
use super::sentence::{Draft, clients, count, list, servers};
use crate::evidence::{Answer, Close};
use crate::{Certainty, Finding, Name, Severity};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.tallies.values().flat_map(|tally| tally.judge(case)).collect()
}

/// Whether this is what becomes of sessions at `server` whose last connection ended as `close` says.
pub(super) fn is_to_blame(tally: Option<&Tally>, close: Close) -> bool {
    tally.is_some_and(|tally| tally.blames(close))
}

/// What became of the sessions that each server was to keep, by how the client had ended their last connection.
pub(super) fn tallies(case: &Case<'_>) -> BTreeMap<u32, Tally> {
    let mut tallies = BTreeMap::<u32, Tally>::new();
    for (place, record) in case.records() {
        let Some((number, hello)) = record.session().zip(record.hello) else { continue };
        let session = &case.graph.sessions()[number];
        if session.key.is_some() {
            continue;
        }
        let Some(origin) = case.origin(number, place) else { continue };
        if case.record(origin.connection).server != record.server
            || case.record(origin.connection).version != record.version
        {
            continue;
        }
        let close = match last_end(case, session, origin, hello) {
            LastEnd::Clean if !case.is_partial(record.server, origin.at, hello) => Close::Clean,
            LastEnd::Unclean(ended) => case.record(ended).close.client,
            LastEnd::Clean | LastEnd::Open | LastEnd::Unknown => continue,
        };
        let ends = tallies.entry(record.server).or_default().0.entry(close).or_default();
        match record.refused() {
            Answer::Yes => ends.refused.push(place),
            Answer::No if record.agreed.is_resumed() => ends.resumed.push(place),
            Answer::No | Answer::Unknown => {}
        }
    }
    tallies
}

#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<Close, Ends>);

/// The offers of sessions whose last connection ended in one way.
#[derive(Debug, Default)]
struct Ends {
    refused: Vec<usize>,
    resumed: Vec<usize>,
}

impl Tally {
    fn blames(&self, close: Close) -> bool {
        let Some(ends) = self.0.get(&close).filter(|_| matches!(close, Close::Truncated | Close::Reset)) else {
            return false;
        };
        let none = Ends::default();
        let clean = self.0.get(&Close::Clean).unwrap_or(&none);
        let harmful = ends.refused.len() > MOST * ends.resumed.len();
        let clean_is_well = MOST * clean.refused.len() <= clean.resumed.len();
        harmful && clean_is_well
    }

    fn judge(&self, case: &Case<'_>) -> Vec<Finding> {
        let blamed =
            [Close::Truncated, Close::Reset].into_iter().filter(|close| self.blames(*close)).collect::<Vec<_>>();
        let refused = blamed.iter().flat_map(|close| self.0[close].refused.iter().copied()).collect::<Vec<_>>();
        if refused.is_empty() {
            return Vec::new();
        }
        let clean = self.0.get(&Close::Clean).map_or(0, |ends| ends.resumed.len());
        let servers = servers(case, &refused);
        let how = match blamed[..] {
            [Close::Truncated] => "by FIN without close_notify",
            [Close::Reset] => "by a reset without close_notify",
            _ => "without close_notify",
        };
        let contrast = match clean {
            0 => "no connection ended with close_notify, to compare with".to_owned(),
            _ => format!("after close_notify {} resumed", count(clean, "session")),
        };
        let summary = format!(
            "The server {} forgets a session once the client ends its connection {how}: {} refused; {contrast}.",
            list(&servers),
            count(refused.len(), "offer"),
        );
        let severity = if refused.len() > 1 { Severity::Problem } else { Severity::Note };
        let certainty = if clean > 0 { Certainty::Seen } else { Certainty::Inferred };
        let found = Draft::new(Name::UncleanCloseInvalidates, severity, certainty, summary)
            .shown_by(case, &refused)
            .costing(case, &refused)
            .about(servers.iter().copied());
        let from = clients(case, &refused);
        let summary = format!("{} ends connections to {} {how}.", list(&from), list(&servers));
        let who = Draft::new(Name::ClientClosesUnclean, Severity::Note, Certainty::Seen, summary)
            .shown_by(case, &refused)
            .about(refused.iter().map(|place| case.record(*place).client));
        vec![found.done(), who.done()]
    }
}

// How many times more often one outcome must be seen than the other. A server forgets a session for other reasons too.
const MOST: usize = 4;
