//! What the connections of a probe say about a server.
//!
//! First, for each way to resume, what was seen of it ([`ways`]); then what is to be found in that, a rule a file. Evidence
//! that is missing, or that contradicts itself, gives no finding: [`Verdict::NotDetermined`] says what is missing.

mod age;
mod close;
mod cost;
mod early;
mod failures;
mod nodes;
mod policy;
mod resumption;
mod reuse;
mod step;
mod tickets;
pub mod ways;

pub use failures::sentence;
pub use step::step;
pub use ways::{Renewal, Verdict, WayReport};

use crate::evidence::{Examination, Trial, Way};
use crate::finding::{Certainty, Finding, Name, Severity};
use crate::remedy::remedies;

/// What an examination amounts to.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// All of it in a sentence.
    pub verdict: String,
    /// Whether anything could be found out at all.
    pub examined: bool,
    /// Each way to resume.
    pub ways: Vec<WayReport>,
    /// What was found, problems first.
    pub findings: Vec<Finding>,
}

/// Says what is to be found in what was seen, of one kind of thing.
type Rule = fn(&Examination, &[WayReport]) -> Vec<Finding>;

/// Says what an examination amounts to.
pub fn diagnose(examination: &Examination) -> Diagnosis {
    let ways: Vec<WayReport> = Way::ALL.iter().map(|&way| ways::report(examination, way)).collect();
    let rules: [Rule; 8] = [
        resumption::findings,
        close::findings,
        early::findings,
        tickets::findings,
        age::findings,
        policy::findings,
        reuse::findings,
        failures::findings,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(examination, &ways)).collect();
    findings.sort_by_key(|finding| finding.severity);
    let examined = examination.trials.iter().any(Trial::is_sound);
    Diagnosis { verdict: verdict(examination, &ways, examined), examined, ways, findings }
}

/// A finding about the server, with all that may help.
fn finding(
    examination: &Examination,
    name: Name,
    severity: Severity,
    summary: String,
    evidence: Vec<String>,
) -> Finding {
    Finding {
        name,
        severity,
        certainty: Certainty::Seen,
        summary,
        evidence,
        cost: String::new(),
        remedy: remedies(name).to_vec(),
        peers: vec![examination.address],
        connections: Vec::new(),
    }
}

fn verdict(examination: &Examination, ways: &[WayReport], examined: bool) -> String {
    let name = &examination.name;
    if !examined {
        return failures::of_all(examination);
    }
    let with = |wanted: &Verdict| -> Vec<String> {
        ways.iter().filter(|report| report.verdict == *wanted).map(|report| report.way.to_string()).collect()
    };
    let resuming = with(&Verdict::Resumes);
    let refusing: Vec<String> = [Verdict::Refused, Verdict::NotOffered].iter().flat_map(with).collect();
    match (resuming.is_empty(), refusing.is_empty()) {
        (true, true) => format!("it was not to be seen whether sessions of {name} resume"),
        (true, false) => format!("no session of {name} resumes"),
        (false, true) => format!("sessions of {name} resume: {}", resuming.join(", ")),
        (false, false) => {
            format!("sessions of {name} resume: {}; not: {}", resuming.join(", "), refusing.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
