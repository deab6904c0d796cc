//! `raincheck doctor explain`

use anyhow::anyhow;
use clap::Args;
use raincheck_diagnosis::Name;
use raincheck_doctor::explain::{headline, page};

use super::output::print;
use crate::failure::Failure;

/// Explain a finding: what happens, who does it, what it costs, how to fix it; or list all findings
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The finding, as a report names it; without one, all are listed
    name: Option<String>,
}

impl Explain {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let text = match self.name {
            None => list(),
            Some(name) => match Name::parse(&name) {
                Some(name) => page(name).to_owned(),
                None => return Err(Failure::Usage(anyhow!(unknown(&name)))),
            },
        };
        print(&text)
    }
}

fn list() -> String {
    let width = Name::ALL.iter().map(|name| name.as_str().len()).max().unwrap_or_default();
    Name::ALL.iter().map(|&name| format!("{:width$}  {}\n", name.as_str(), headline(name))).collect()
}

fn unknown(name: &str) -> String {
    let closest = Name::ALL
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known.as_str()), known))
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .filter(|(likeness, _)| *likeness > LIKE)
        .map(|(_, known)| format!("; did you mean `{known}`?"));
    let meant = closest.unwrap_or_default();
    format!("no finding is called `{name}`{meant}\n`raincheck doctor explain` lists them all")
}

/// How alike two names are, from 0 to 1, if one may be meant for the other.
const LIKE: f64 = 0.8;
