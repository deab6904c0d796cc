mod client;
mod handshake;
mod kept;
mod keys;
mod storm;

use std::collections::BTreeSet;

use crate::session::scene::Scene;
use crate::{Finding, Severity, diagnose};

impl Scene {
    fn findings(&self) -> Vec<Finding> {
        diagnose::capture(&self.graph())
    }

    /// The names of the problems that are found.
    fn problems(&self) -> Vec<&'static str> {
        self.names(Severity::Problem)
    }

    /// The names of the notes.
    fn notes(&self) -> Vec<&'static str> {
        self.names(Severity::Note)
    }

    fn names(&self, severity: Severity) -> Vec<&'static str> {
        let findings = self.findings();
        let names = findings.iter().filter(|finding| finding.severity == severity).map(|finding| finding.name.as_str());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }
}
