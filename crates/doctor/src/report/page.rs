use raincheck_diagnosis::Finding;

use super::{Mood, Paint, Table, Timeline, findings};

/// A report for people: the verdict, what it rests on, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What was looked at.
    pub subject: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What it rests on.
    pub sections: Vec<Section>,
    /// Handshakes over time, where there were any.
    pub timeline: Timeline,
    /// What was found, problems first.
    pub findings: Vec<Finding>,
}

/// What came of it, in a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Good, bad, or odd where it could not be told.
    pub mood: Mood,
    /// The line.
    pub text: String,
}

/// A part of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// What it is about; empty where that is plain.
    pub heading: String,
    /// A table; none where it has no columns.
    pub table: Table,
    /// Sentences below the table.
    pub lines: Vec<String>,
}

impl Page {
    /// The report as text.
    pub fn text(&self, paint: Paint) -> String {
        let mut text = format!("{}\n", paint.paint(Mood::Strong, &self.subject));
        let verdict = paint.wrap(&self.verdict.text, "", "");
        text += &format!("{}\n", paint.paint(self.verdict.mood, verdict.trim_end()));
        for section in &self.sections {
            text.push('\n');
            text += &section.text(paint);
        }
        if self.timeline.spans.len() > 1 {
            text += &format!("\n{}", self.timeline.text(paint));
        }
        for alike in findings::shown(&self.findings) {
            for finding in alike.shown {
                text.push('\n');
                text += &findings::text(finding, paint);
            }
            if let Some(line) = alike.left_out {
                text += &format!("\n{}", paint.wrap(&line, "", "  "));
            }
        }
        if !self.findings.is_empty() {
            text.push('\n');
            text += &findings::further(&self.findings, paint);
        }
        text
    }
}

impl Section {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        if !self.heading.is_empty() {
            text += &format!("{}\n", paint.paint(Mood::Strong, &self.heading));
        }
        if !self.table.head.is_empty() {
            text += &self.table.text(paint);
        }
        for line in &self.lines {
            text += &paint.wrap(line, "", "  ");
        }
        text
    }
}

#[cfg(test)]
mod tests;
