//! Findings as text, and which of them are shown.

use std::collections::BTreeSet;

use raincheck_diagnosis::{Certainty, Finding, Severity};

use super::{Mood, Paint};

/// Findings of one name that are shown, and how many others there are.
pub(crate) struct Alike<'a> {
    pub(crate) shown: Vec<&'a Finding>,
    /// That there are more, in a line.
    pub(super) left_out: Option<String>,
}

/// What a report shows of `findings`: problems first, and of many alike the first few.
pub(crate) fn shown(findings: &[Finding]) -> Vec<Alike<'_>> {
    let (problems, notes): (Vec<_>, Vec<_>) =
        findings.iter().partition(|finding| finding.severity == Severity::Problem);
    let alike = [&problems, &notes].into_iter().flat_map(|all| all.chunk_by(|one, other| one.name == other.name));
    let shown = alike.map(|alike| {
        let (shown, others) = alike.split_at(alike.len().min(MOST_ALIKE));
        Alike { shown: shown.to_vec(), left_out: left_out(others) }
    });
    shown.collect()
}

/// A finding, with what was seen, what it costs and what to do.
pub(super) fn text(finding: &Finding, paint: Paint) -> String {
    let Finding { name, severity, certainty, summary, evidence, cost, remedy, peers: _, connections: _ } = finding;
    let (severity, mood) = match severity {
        Severity::Problem => ("problem", Mood::Bad),
        Severity::Note => ("note", Mood::Odd),
    };
    let certainty = match certainty {
        Certainty::Seen => "",
        Certainty::Inferred => " (inferred)",
    };
    let mut text = format!(
        "{} {}{certainty}\n",
        paint.paint(mood, &format!("{severity}:")),
        paint.paint(Mood::Strong, name.as_str())
    );
    text += &paint.wrap(summary, INDENT, INDENT);
    for seen in evidence {
        text += &paint.wrap(seen, "  - ", "    ");
    }
    if !cost.is_empty() {
        text += &paint.wrap(cost, "  cost: ", "    ");
    }
    if !remedy.is_empty() {
        text += "  remedy:\n";
    }
    for remedy in remedy {
        text += &paint.wrap(remedy.change, &format!("    {}: ", remedy.product), "      ");
    }
    text
}

fn left_out(others: &[&Finding]) -> Option<String> {
    let name = others.first()?.name;
    let peers = others.iter().flat_map(|finding| &finding.peers).collect::<BTreeSet<_>>().len();
    Some(format!("and {} more of {name}, about {peers} peers: `--json` has them all", others.len()))
}

/// Where to read on.
pub(super) fn further(findings: &[Finding], paint: Paint) -> String {
    match findings.first() {
        Some(first) => {
            let line =
                paint.wrap(&format!("`raincheck doctor explain {}` says more of a finding.", first.name), "", "");
            format!("{}\n", paint.paint(Mood::Faint, line.trim_end()))
        }
        None => String::new(),
    }
}

const INDENT: &str = "  ";
/// As many findings of one name as anybody reads, one after the other.
const MOST_ALIKE: usize = 5;
