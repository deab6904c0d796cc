//! What people get: a page, with a timeline, tables of servers and clients, what the clients are, and the graph of sessions.

mod drawn;
mod fingerprints;
mod graph;
mod peers;

use std::time::Duration;

use raincheck_diagnosis::evidence::Answer;
use raincheck_diagnosis::session::Record;
use raincheck_diagnosis::{Severity, count};

use super::Incident;
use crate::report::{Handshakes, Mood, Page, Paint, Section, Timeline, Verdict, html};

impl Incident {
    /// The report, of a capture that is called `name`, as text.
    pub fn text(&self, name: &str, paint: Paint) -> String {
        self.page(name, LINES).text(paint)
    }

    /// The report as one page of HTML.
    pub fn html(&self, name: &str) -> String {
        html(&self.page(name, COLUMNS), &graph::of(self))
    }

    /// The report, with a timeline of `spans` spans at most.
    fn page(&self, name: &str, spans: usize) -> Page {
        let mut sections = peers::sections(self);
        sections.push(Section { heading: "Capture".to_owned(), lines: self.remarks(), ..Section::default() });
        let connections = self.graph.connections().iter();
        let timeline = Timeline::of(connections.map(|record| (self.since_first(record), handshakes(record))), spans);
        let (subject, verdict, findings) = (name.to_owned(), self.verdict(), self.findings.clone());
        Page { subject, verdict, sections, timeline, findings }
    }

    fn since_first(&self, record: &Record) -> Duration {
        record.start.time.since(self.first)
    }

    fn verdict(&self) -> Verdict {
        let each = self.graph.connections().iter().map(|record| handshakes(record));
        let all = each.fold(Handshakes::default(), Handshakes::with);
        let others = self.graph.connections().len() as u64 - all.total();
        let problems = self.findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
        let mut text = match all.total() {
            0 => "no handshake was captured".to_owned(),
            total => format!(
                "{}, {} of them resumed ({} %), {} full with nothing offered, {} refused",
                count(total, "handshake"),
                all.resumed,
                percent(all.resumed, total),
                all.full,
                all.refused,
            ),
        };
        if others > 0 {
            text += &format!("; {others} aborted, or not to be told");
        }
        text += &match problems {
            0 => "; no problem".to_owned(),
            problems => format!("; {}", count(problems, "problem")),
        };
        Verdict { mood: if problems > 0 { Mood::Bad } else { Mood::Good }, text }
    }

    /// What was read and what was left out.
    fn remarks(&self) -> Vec<String> {
        let (packets, skipped) = (&self.packets, &self.packets.skipped);
        let mut remarks = vec![format!("{}, {} of them TCP", count(packets.packets, "packet"), packets.segments)];
        let left_out = [
            (packets.incomplete, "cut short by the snap length: what was cut off is unknown"),
            (skipped.cut, "cut so short that nothing could be read of them"),
            (skipped.fragments, "later fragments of IP packets, which are not put together"),
            (skipped.malformed, "with headers that contradict themselves"),
            (skipped.unknown_link, "of a link whose headers are not known"),
        ];
        remarks.extend(left_out.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        if self.tcp.unanswered > 0 {
            remarks.push(format!("{} that nothing answered", count(self.tcp.unanswered, "attempt to connect")));
        }
        if self.graph.without_tls() > 0 {
            remarks.push(format!("{} without TLS, not looked at", count(self.graph.without_tls(), "connection")));
        }
        remarks.extend(self.notices.iter().cloned());
        remarks
    }
}

/// A connection as the handshake it was; nothing if it came to none.
fn handshakes(record: &Record) -> Handshakes {
    use raincheck_diagnosis::evidence::Kind;
    match (record.kind, record.refused()) {
        (Kind::Full, Answer::Yes) => Handshakes { refused: 1, ..Handshakes::default() },
        (Kind::Full, _) => Handshakes { full: 1, ..Handshakes::default() },
        (kind, _) if kind.is_resumed() => Handshakes { resumed: 1, ..Handshakes::default() },
        _ => Handshakes::default(),
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    part * 100 / whole.max(1)
}

/// As many lines as leave room for the rest on a screen.
const LINES: usize = 20;
/// As many columns as a browser has room for.
const COLUMNS: usize = 120;
