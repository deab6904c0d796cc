//! `version-fallback`: after a handshake that it broke off, the client comes back with a lower version, or says so by
//! TLS_FALLBACK_SCSV (RFC 7507).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::case::Case;
use super::sentence::{Draft, count, list, servers};
use crate::evidence::{Kind, Version};
use crate::session::Record;
use crate::{Certainty, Finding, Name, Severity, Side, Timestamp};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let judged = case.pairs().filter_map(|((client, _), visits)| {
        let fallbacks = fallbacks_of(case, visits);
        if fallbacks.is_empty() {
            return None;
        }
        let says_so = fallbacks.iter().any(|place| case.record(*place).is_fallback());
        let (certainty, how) = if says_so {
            (Certainty::Seen, ", and says that it fell back")
        } else {
            (Certainty::Inferred, " right after a handshake that it broke off")
        };
        let to = servers(case, &fallbacks);
        let versions = fallbacks.iter().map(|place| case.record(*place).highest);
        let summary = format!(
            "{client} comes back to {} with {} at most{how}: {}.",
            list(&to),
            list(versions),
            count(fallbacks.len(), "time"),
        );
        let peers = to.into_iter().chain([case.record(fallbacks[0]).client]);
        let draft = Draft::new(Name::VersionFallback, Severity::Problem, certainty, summary);
        Some(draft.shown_by(case, &fallbacks).costing(case, &fallbacks).about(peers).done())
    });
    judged.collect()
}

/// The connections with which clients fell back.
pub(super) fn fallbacks(case: &Case<'_>) -> BTreeSet<usize> {
    case.pairs().flat_map(|(_, visits)| fallbacks_of(case, visits)).collect()
}

/// The connections with which a client fell back at one server.
fn fallbacks_of(case: &Case<'_>, visits: &[usize]) -> Vec<usize> {
    let records = || visits.iter().map(|place| (*place, case.record(*place)));
    // Of most clients nothing has to be kept.
    if !records().any(|(_, record)| record.is_fallback() || is_broken_off(record)) {
        return Vec::new();
    }
    let mut seen = Visits::default();
    records().for_each(|(place, record)| seen.comes(place, record));
    seen.fallbacks()
}

/// What a client does at one server.
#[derive(Default)]
struct Visits {
    /// The last handshakes it broke off, by the highest version it had offered.
    broken: BTreeMap<Version, Timestamp>,
    /// The connections with lower versions right after that.
    lower: BTreeMap<Version, Vec<usize>>,
    /// The versions that it also comes with when it has broken nothing off: of an old client behind the same address.
    usual: BTreeMap<Version, usize>,
    declared: Vec<usize>,
}

impl Visits {
    fn comes(&mut self, place: usize, record: &Record) {
        let hello = record.hello.map(|hello| hello.time).unwrap_or_default();
        let higher = self.broken.range(Version(record.highest.0.saturating_add(1))..);
        let follows = higher.into_iter().any(|(_, at)| *at <= hello && hello.since(*at) < SOON);
        if record.is_fallback() {
            self.declared.push(place);
        } else if follows {
            self.lower.entry(record.highest).or_default().push(place);
        } else {
            *self.usual.entry(record.highest).or_default() += 1;
        }
        if is_broken_off(record) {
            self.broken.insert(record.highest, record.last.time);
        }
    }

    fn fallbacks(&self) -> Vec<usize> {
        let lower = self.lower.iter().filter(|(version, _)| !self.usual.contains_key(version));
        let lower = lower.flat_map(|(_, places)| places.iter().copied());
        let mut all = lower.chain(self.declared.iter().copied()).collect::<Vec<_>>();
        all.sort_unstable();
        all
    }
}

/// Whether the client gave up what the server had agreed to, and not for the server's certificate.
fn is_broken_off(record: &Record) -> bool {
    let complains_of_certificate =
        || record.alerts().any(|(side, description)| side == Side::Client && (41..=49).contains(&description.0));
    let refused = || record.alerts().any(|(side, description)| side == Side::Server && !description.is_warning());
    record.kind == Kind::Aborted
        && record.version.is_some()
        && record.client_ended.is_some()
        && !complains_of_certificate()
        && !refused()
}

// Who falls back does it at once.
const SOON: Duration = Duration::from_secs(10);
