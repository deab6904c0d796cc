use raincheck_diagnosis::{Certainty, Name, Product, Remedy, Severity};

use super::*;
use crate::report::Cell;

fn note() -> Finding {
    Finding {
        name: Name::InlineRenewal,
        severity: Severity::Note,
        certainty: Certainty::Inferred,
        summary: "192.0.2.1:443 sends a new ticket inside each abbreviated handshake of TLS 1.2, under the key it had before."
            .to_owned(),
        evidence: Vec::new(),
        cost: String::new(),
        remedy: Vec::new(),
        peers: Vec::new(),
        connections: Vec::new(),
    }
}

fn problem() -> Finding {
    Finding {
        name: Name::UncleanCloseInvalidates,
        severity: Severity::Problem,
        certainty: Certainty::Seen,
        summary: "192.0.2.1:443 forgets a session whose connection ended without close_notify.".to_owned(),
        evidence: vec!["after a clean close it resumed".to_owned(), "after a FIN alone it did not".to_owned()],
        cost: "a full handshake for each connection".to_owned(),
        remedy: vec![Remedy { product: Product::Any, change: "send close_notify" }],
        peers: Vec::new(),
        connections: Vec::new(),
    }
}

fn page() -> Page {
    Page {
        subject: "shop.example:443 at 192.0.2.1:443".to_owned(),
        verdict: Verdict { mood: Mood::Bad, text: "Sessions resume, but not after an unclean close.".to_owned() },
        sections: vec![Section {
            heading: "Resumption".to_owned(),
            table: Table {
                head: vec!["version".into(), "resumed".into()],
                rows: vec![vec!["TLSv1.2".into(), Cell::new(Mood::Good, "yes")]],
            },
            lines: vec!["TLSv1.3: not determined, for nothing was sent.".to_owned()],
        }],
        timeline: Timeline::default(),
        findings: vec![note(), problem()],
    }
}

#[test]
fn a_page_has_the_verdict_what_it_rests_on_and_the_problems_before_the_notes() {
    let expected = "\
shop.example:443 at 192.0.2.1:443
Sessions resume, but not after an unclean close.

Resumption
version  resumed
TLSv1.2  yes
TLSv1.3: not determined, for nothing was sent.

problem: unclean-close-invalidates
  192.0.2.1:443 forgets a session whose connection ended without close_notify.
  - after a clean close it resumed
  - after a FIN alone it did not
  cost: a full handshake for each connection
  remedy:
    any: send close_notify

note: inline-renewal (inferred)
  192.0.2.1:443 sends a new ticket inside each abbreviated handshake of TLS 1.2, under the key it
  had before.

`raincheck doctor explain inline-renewal` says more of a finding.
";
    assert_eq!(page().text(Paint::PLAIN), expected);
}

#[test]
fn a_terminal_gets_colours_and_lines_that_fit() {
    let text = page().text(Paint::terminal(60));
    assert!(text.contains("\u{1b}[1m\u{1b}[31mproblem:\u{1b}[0m"), "{text}");
    let plain = page().text(Paint::terminal(60).without_colours());
    assert!(plain.lines().all(|line| line.len() <= 60), "{plain}");
    assert!(!plain.contains('\u{1b}'), "{plain}");
}

#[test]
fn of_many_findings_alike_the_first_are_shown_and_the_others_counted() {
    let many = Page { findings: [vec![note()], vec![problem(); 12]].concat(), ..page() };
    let text = many.text(Paint::PLAIN);
    assert_eq!(text.matches("problem: unclean-close-invalidates").count(), 5);
    assert!(
        text.contains("\nand 7 more of unclean-close-invalidates, about 0 peers: `--json` has them all\n"),
        "{text}"
    );
    assert_eq!(text.matches("note: inline-renewal").count(), 1);
}
