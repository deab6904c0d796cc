//! Sessions that resume under another policy than they were made under.

use super::finding;
use super::ways::WayReport;
use crate::evidence::{Answer, Examination, Experiment, Trial};
use crate::finding::{Finding, Name, Severity};

pub(super) fn findings(examination: &Examination, _: &[WayReport]) -> Vec<Finding> {
    let crossings: Vec<Crossing<'_>> =
        examination.trials.iter().filter_map(|trial| crossing(examination, trial)).collect();
    let (differing, rest): (Vec<_>, Vec<_>) = crossings.into_iter().partition(Crossing::policies_differ);
    let (severity, seen) = match (differing.is_empty(), rest.is_empty()) {
        (false, _) => (Severity::Problem, differing),
        (true, false) => (Severity::Note, rest),
        (true, true) => return Vec::new(),
    };
    let name = &examination.name;
    let summary = match severity {
        Severity::Problem => {
            format!("a session of {name} resumes under a name that asks for other client certificates")
        }
        Severity::Note => {
            format!("a session of {name} resumes under another name, of the same policy as far as could be seen")
        }
    };
    let cost = match severity {
        Severity::Problem => "who was let in at the one name is let in at the other without its certificate",
        Severity::Note => "none, unless the names are meant to be kept apart",
    };
    let evidence = seen.iter().map(Crossing::sentence).collect();
    let found = finding(examination, Name::PolicyNotBound, severity, summary, evidence);
    // What is no more than a note needs no list of what to change where.
    let remedy = if severity == Severity::Note { Vec::new() } else { found.remedy };
    vec![Finding { cost: cost.to_owned(), remedy, ..found }]
}

/// A session that resumed under another name than it was made under.
struct Crossing<'a> {
    trial: &'a Trial,
    from: Domain<'a>,
    to: Domain<'a>,
}

/// A name, and which client certificates are asked for there, where that is known.
struct Domain<'a> {
    name: Option<&'a str>,
    asks: Option<Asks<'a>>,
}

/// Which client certificates are asked for.
#[derive(PartialEq, Eq)]
enum Asks<'a> {
    ForNone,
    /// Those of these authorities.
    For(&'a [Vec<u8>]),
}

fn crossing<'a>(examination: &'a Examination, trial: &'a Trial) -> Option<Crossing<'a>> {
    let made = examination.trials.get(trial.offered?)?;
    if trial.experiment != Experiment::OtherName || trial.resumed() != Answer::Yes {
        return None;
    }
    let (from, to) = (domain(examination, made)?, domain(examination, trial)?);
    (from.name != to.name).then_some(Crossing { trial, from, to })
}

impl Crossing<'_> {
    fn policies_differ(&self) -> bool {
        match (&self.from.asks, &self.to.asks) {
            (Some(from), Some(to)) => from != to,
            _ => false,
        }
    }

    fn sentence(&self) -> String {
        let Self { trial, from, to } = self;
        if self.policies_differ() {
            return format!("{}: made under {}, resumed under {}", trial.way, from.sentence(), to.sentence());
        }
        let name = |domain: &Domain<'_>| domain.name.unwrap_or("no name").to_owned();
        format!("{}: made under {}, resumed under {}", trial.way, name(from), name(to))
    }
}

impl Domain<'_> {
    fn sentence(&self) -> String {
        let name = self.name.unwrap_or("no name");
        match &self.asks {
            None => name.to_owned(),
            Some(Asks::ForNone) => format!("{name}, which asks for no client certificate"),
            Some(Asks::For([])) => format!("{name}, which asks for a client certificate"),
            Some(Asks::For(authorities)) => {
                format!("{name}, which asks for a client certificate of {} authorities", authorities.len())
            }
        }
    }
}

/// What a connection asked for, and what full handshakes under that name tell of it.
fn domain<'a>(examination: &'a Examination, trial: &'a Trial) -> Option<Domain<'a>> {
    let name = name(trial)?;
    let under = examination.trials.iter().filter(|trial| self::name(trial) == Some(name));
    let full = under.filter(|trial| trial.connection.server_hello.is_some() && !trial.connection.agreed().is_resumed());
    let asks = full.map(|trial| match &trial.certificate_request {
        Some(request) => Asks::For(&request.authorities),
        None => Asks::ForNone,
    });
    // The client by hand does not say whether it was asked.
    let asks = asks.reduce(|one, other| if one == Asks::ForNone { other } else { one });
    Some(Domain { name, asks })
}

/// The name that a connection asked for, if any.
#[expect(clippy::option_option, reason = "that no name was asked for is known, or is not")]
fn name(trial: &Trial) -> Option<Option<&str>> {
    trial.connection.client_hello.as_ref().map(|hello| hello.server_name.as_deref())
}
