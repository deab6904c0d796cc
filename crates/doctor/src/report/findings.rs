//! Findings as text.

use std::collections::BTreeSet;

use raincheck_diagnosis::{Certainty, Finding, Severity};

use super::{Mood, Paint};

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

/// That there are more like the one before.
pub(super) fn left_out(alike: &[&Finding], paint: Paint) -> String {
    match alike {
        [] => String::new(),
        [first, ..] => {
            let peers = alike.iter().flat_map(|finding| &finding.peers).collect::<BTreeSet<_>>().len();
            let line =
                format!("and {} more of {}, about {peers} peers: `--json` has them all", alike.len(), first.name);
            format!("\n{}", paint.wrap(&line, "", "  "))
        }
    }
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
