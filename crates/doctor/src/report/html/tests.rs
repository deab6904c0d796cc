use std::time::Duration;

use raincheck_diagnosis::Name;

use super::*;
use crate::report::{Cell, Handshakes, Table, Timeline, Verdict};

fn page(subject: &str) -> Page {
    Page {
        subject: subject.to_owned(),
        verdict: Verdict { mood: Mood::Bad, text: "1 of 2 handshakes was full".to_owned() },
        sections: vec![Section {
            heading: "Servers".to_owned(),
            table: Table {
                head: vec!["server".into()],
                rows: vec![vec![Cell::new(Mood::Good, "<script>alert(1)</script>")]],
            },
            lines: vec!["a & b".to_owned()],
        }],
        timeline: Timeline::default(),
        findings: Vec::new(),
    }
}

fn graph() -> Graph {
    let dot = |at, mood, label: &str| Dot { at: Duration::from_secs(at), lane: 0, mood, label: label.to_owned() };
    Graph {
        lanes: vec!["10.0.0.2 → 10.0.0.7:443".to_owned()],
        dots: vec![dot(0, Mood::Odd, "full"), dot(2, Mood::Good, "resumed by \"ticket\"")],
        offered: vec![
            Offered { given: 0, offered: 1, accepted: true },
            Offered { given: 9, offered: 1, accepted: true },
        ],
        left_out: 3,
    }
}

#[test]
fn what_strangers_say_is_text() {
    let text = html(&page("<img src=x onerror=alert(1)>"), &Graph::default());
    assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && text.contains("a &amp; b"), "{text}");
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let text = html(&page("x"), &graph());
    for foreign in ["http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!text.contains(foreign), "{foreign} in {text}");
    }
}

#[test]
fn connections_and_sessions_are_drawn_and_those_left_out_are_said() {
    let text = html(&page("x"), &graph());
    assert_eq!(text.matches("<circle").count(), 2);
    assert_eq!(text.matches("<path").count(), 1, "a session of a connection that is not drawn has no line");
    assert!(
        text.contains("resumed by &quot;ticket&quot;") && text.contains("<p>3 of 5 connections are not drawn: "),
        "{text}"
    );
}

#[test]
fn of_many_findings_alike_the_first_are_shown_and_the_others_counted() {
    let found = |name, peer: u16| Finding {
        name,
        severity: Severity::Problem,
        certainty: Certainty::Seen,
        summary: "something".to_owned(),
        evidence: Vec::new(),
        cost: String::new(),
        remedy: Vec::new(),
        peers: vec![([192, 0, 2, 1], peer).into()],
        connections: Vec::new(),
    };
    let alike = (0..100_000).map(|peer| found(Name::UncleanCloseInvalidates, peer as u16 % 7));
    let findings = alike.chain([found(Name::KeysNotShared, 1)]).collect();
    let text = html(&Page { findings, ..page("x") }, &Graph::default());
    assert_eq!((text.matches("<section").count(), text.matches("<h3>keys-not-shared ").count()), (6, 1));
    let left_out =
        "<p class=\"faint\">and 99995 more of unclean-close-invalidates, about 7 peers: `--json` has them all</p>";
    assert!(text.contains(left_out) && text.len() < 20_000, "{} bytes", text.len());
}

#[test]
fn each_span_has_a_column_as_high_as_it_has_handshakes() {
    let spans = vec![
        Handshakes { full: 1, refused: 0, resumed: 3 },
        Handshakes::default(),
        Handshakes { full: 0, refused: 2, resumed: 0 },
    ];
    let text = timeline::svg(&Timeline { span: Duration::from_secs(1), spans });
    assert_eq!(text.matches("<rect").count(), 3);
    assert!(text.contains("class=\"bad\" x=\"666.7\" y=\"80.0\" width=\"60.0\" height=\"80.0\""), "{text}");
    assert!(text.contains("0:02: 2 refused, 0 full, 0 resumed"), "{text}");
}
