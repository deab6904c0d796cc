//! A report as one page of HTML that needs nothing else: no scripts, no styles or pictures from elsewhere.

mod graph;
mod timeline;

use std::fmt::Write;

use raincheck_diagnosis::{Certainty, Finding, Severity};

use super::{Mood, Page, Section, findings};

pub use graph::{Dot, Graph, Offered};

/// The report on a capture as a page: the findings, the timeline, the graph of sessions, and the tables.
pub fn html(page: &Page, graph: &Graph) -> String {
    let mut body = String::new();
    let verdict = element("p", mood(page.verdict.mood), &page.verdict.text);
    let _ = write!(body, "{}{verdict}", element("h1", "", &page.subject));
    for alike in findings::shown(&page.findings) {
        body.extend(alike.shown.into_iter().map(finding));
        body.extend(alike.left_out.map(|line| element("p", "faint", &line)));
    }
    let _ = write!(body, "<h2>Handshakes over time</h2>{}", timeline::svg(&page.timeline));
    let _ = write!(body, "<h2>Sessions</h2>{}", graph::svg(graph));
    body.extend(page.sections.iter().map(section));
    format!("{HEAD}<title>{}</title>{STYLE}<body>{body}</body>\n", escape(&page.subject))
}

fn finding(finding: &Finding) -> String {
    let Finding { name, severity, certainty, summary, evidence, cost, remedy, peers: _, connections: _ } = finding;
    let (severity, class) = match severity {
        Severity::Problem => ("problem", "bad"),
        Severity::Note => ("note", "odd"),
    };
    let certainty = match certainty {
        Certainty::Seen => "seen",
        Certainty::Inferred => "inferred",
    };
    let mut text = format!("<section class=\"finding {class}\"><h3>{name} <small>{severity}, {certainty}</small></h3>");
    text += &element("p", "", summary);
    text += &list(evidence.iter().map(|seen| escape(seen)));
    if !cost.is_empty() {
        text += &element("p", "", &format!("Cost: {cost}"));
    }
    text += &list(remedy.iter().map(|remedy| format!("<b>{}</b>: {}", remedy.product, escape(remedy.change))));
    text + "</section>"
}

fn section(section: &Section) -> String {
    let mut text = String::new();
    if !section.heading.is_empty() {
        text += &element("h2", "", &section.heading);
    }
    let table = &section.table;
    if !table.head.is_empty() {
        let head: String = table.head.iter().map(|title| element("th", "", title)).collect();
        let rows = table.rows.iter().map(|row| {
            let cells: String = row.iter().map(|cell| element("td", mood(cell.mood), &cell.text)).collect();
            format!("<tr>{cells}</tr>")
        });
        let rows: String = rows.collect();
        let _ = write!(text, "<div class=\"wide\"><table><tr>{head}</tr>{rows}</table></div>");
    }
    text.extend(section.lines.iter().map(|line| element("p", "", line)));
    text
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: String = items.map(|item| format!("<li>{item}</li>")).collect();
    if items.is_empty() { items } else { format!("<ul>{items}</ul>") }
}

fn element(name: &str, class: &str, text: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!("<{name}{class}>{}</{name}>", escape(text))
}

fn mood(mood: Mood) -> &'static str {
    match mood {
        Mood::Plain => "",
        Mood::Good => "good",
        Mood::Odd => "odd",
        Mood::Bad => "bad",
        Mood::Faint => "faint",
        Mood::Strong => "strong",
    }
}

/// `text` as HTML: what a stranger's ClientHello calls itself is text, whatever it says.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            _ => escaped.push(character),
        }
    }
    escaped
}

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

const STYLE: &str = include_str!("html/style.html");

#[cfg(test)]
mod tests;
