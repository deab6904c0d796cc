//! Who resumes whose sessions: a letter for each pair of nodes.

use raincheck_diagnosis::diagnose::fleet::{Cell as Told, Why};
use raincheck_diagnosis::evidence::Way;

use super::{FleetReport, LETTERS, count, label};
use crate::report::{Cell, Mood, Section, Table};

/// A section for each way by ticket, one for both where they are alike; and one on session IDs.
pub(super) fn sections(report: &FleetReport) -> Vec<Section> {
    let asked = |way: &Way| report.diagnosis.cells.any(*way);
    let mut sections = Vec::new();
    match [Way::Psk, Way::Ticket].into_iter().filter(asked).collect::<Vec<_>>()[..] {
        [one, other] if letters(report, one) == letters(report, other) => {
            sections.push(section(report, one, "Tickets of TLSv1.3 and TLSv1.2 alike"));
        }
        ref ways => {
            sections.extend(ways.iter().map(|&way| section(report, way, &format!("Tickets of {}", way.version()))));
        }
    }
    if asked(&Way::SessionId) {
        sections.push(session_ids(report));
    }
    sections
}

fn section(report: &FleetReport, way: Way, heading: &str) -> Section {
    let rows = letters(report, way);
    let nodes = rows.len();
    if rows.iter().flat_map(|row| row.chars()).all(|letter| letter == Sign::Resumed.letter()) {
        let line = format!("each of {} resumes those of each", count(nodes, "node"));
        return Section { heading: heading.to_owned(), lines: vec![line], ..Section::default() };
    }
    if nodes > LETTERS.len() {
        let line = format!("{} are too many for a table; --json has each pair.", count(nodes, "node"));
        return Section { heading: heading.to_owned(), lines: vec![line], ..Section::default() };
    }
    let mut used: Vec<Sign> = Vec::new();
    for issuer in 0..nodes {
        for asked in 0..nodes {
            let sign = Sign::of(report.cell(way, issuer, asked));
            if !used.contains(&sign) {
                used.push(sign);
            }
        }
    }
    used.sort_unstable();
    let lines = used.iter().map(|sign| format!("{} {}", sign.letter(), sign.meaning()));
    let row = |(issuer, letters): (usize, &String)| {
        let fine = letters.chars().all(|letter| letter == Sign::Resumed.letter());
        vec![label(issuer).into(), Cell::new(if fine { Mood::Good } else { Mood::Plain }, letters)]
    };
    Section {
        heading: format!("{heading}: a row for who gave them, a column for who was asked"),
        table: Table {
            head: vec![String::new(), LETTERS[..nodes].to_owned()],
            rows: rows.iter().enumerate().map(row).collect(),
        },
        lines: lines.collect(),
    }
}

/// Session IDs in a few sentences: most pairs are not asked.
fn session_ids(report: &FleetReport) -> Section {
    let nodes = report.fleet.nodes.len();
    let (mut own, mut others) = (Tally::default(), Tally::default());
    let mut not_asked = 0;
    for issuer in 0..nodes {
        for asked in 0..nodes {
            let cell = report.cell(Way::SessionId, issuer, asked);
            not_asked += usize::from(*cell == Told::NotAsked);
            if issuer == asked { &mut own } else { &mut others }.count(cell);
        }
    }
    let mut lines = vec![
        format!("{} of {} resume the session IDs they gave themselves", own.resumed, count(own.all, "node")),
        format!("{} of {} with an ID of another node resumed", others.resumed, count(others.all, "connection")),
    ];
    if not_asked > 0 && others.all > 0 {
        lines.push(format!(
            "{} not asked: where a neighbour does not know an ID, a cache is for one node, and there are tickets",
            count(not_asked, "pair")
        ));
    }
    Section { heading: "Session IDs of TLSv1.2".to_owned(), lines, ..Section::default() }
}

fn letters(report: &FleetReport, way: Way) -> Vec<String> {
    let letter = |issuer: usize, asked: usize| Sign::of(report.cell(way, issuer, asked)).letter();
    report.order.iter().map(|&issuer| report.order.iter().map(|&asked| letter(issuer, asked)).collect()).collect()
}

#[derive(Default)]
struct Tally {
    resumed: usize,
    all: usize,
}

impl Tally {
    fn count(&mut self, cell: &Told) {
        if let Some(resumes) = cell.resumes() {
            self.all += 1;
            self.resumed += usize::from(resumes);
        }
    }
}

/// What a cell of the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Resumed,
    OtherKey,
    OtherCertificate,
    OtherContext,
    OtherSuite,
    NotEvenItsOwn,
    Refused,
    ResumedLater,
    RefusedLater,
    AtTimes,
    Unknown,
    NotAsked,
}

impl Sign {
    fn of(cell: &Told) -> Self {
        match cell {
            Told::Resumed => Self::Resumed,
            Told::Refused(Why::OtherKey) => Self::OtherKey,
            Told::Refused(Why::OtherCertificate) => Self::OtherCertificate,
            Told::Refused(Why::OtherContext) => Self::OtherContext,
            Told::Refused(Why::OtherSuite) => Self::OtherSuite,
            Told::Refused(Why::NotEvenItsOwn) => Self::NotEvenItsOwn,
            Told::Refused(Why::Unknown) => Self::Refused,
            Told::ResumedLater => Self::ResumedLater,
            Told::RefusedLater => Self::RefusedLater,
            Told::AtTimes => Self::AtTimes,
            Told::Unknown(_) => Self::Unknown,
            Told::NotAsked => Self::NotAsked,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Resumed => '+',
            Self::OtherKey => 'k',
            Self::OtherCertificate => 'c',
            Self::OtherContext => 'p',
            Self::OtherSuite => 's',
            Self::NotEvenItsOwn => 'x',
            Self::Refused => '-',
            Self::ResumedLater => '<',
            Self::RefusedLater => '>',
            Self::AtTimes => '~',
            Self::Unknown => '?',
            Self::NotAsked => '.',
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Resumed => "resumed",
            Self::OtherKey => "refused: another key",
            Self::OtherCertificate => "refused: the node's own key, but another certificate",
            Self::OtherContext => "refused: the node's own key and certificate, but something else that it minds",
            Self::OtherSuite => "refused: the node prefers a cipher suite that the session cannot be used with",
            Self::NotEvenItsOwn => "refused, as the node refuses its own",
            Self::Refused => "refused: why cannot be told",
            Self::ResumedLater => "refused, and resumed when asked again",
            Self::RefusedLater => "resumed, and refused when asked again",
            Self::AtTimes => "resumed at times",
            Self::Unknown => "not determined: the connection failed",
            Self::NotAsked => "not asked, for there was nothing to ask for or nobody to ask",
        }
    }
}
