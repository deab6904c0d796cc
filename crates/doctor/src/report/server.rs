//! What was found out about a server, for people and for programs.

use std::time::Duration;

use raincheck_diagnosis::diagnose::server::{Diagnosis, Verdict as Resumption, WayReport, step};
use raincheck_diagnosis::evidence::{Answer, Connection, Ending, Examination, Offer, Trial, WriteOnly};
use raincheck_diagnosis::{Finding, Severity, Side};
use serde_json::{Value, json};

use super::{Cell, Mood, Page, Section, Table, Verdict, finding_json};

/// A server at one of its addresses.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What was seen.
    pub examination: Examination,
    /// What that amounts to.
    pub diagnosis: Diagnosis,
}

/// The report for people. The addresses have a section each.
pub fn server_page(name: &str, examined: &[Examined]) -> Page {
    let findings: Vec<Finding> = findings(examined).cloned().collect();
    let several = examined.len() > 1;
    let texts: Vec<String> = examined
        .iter()
        .map(|one| match several {
            true => format!("{}: {}", one.examination.address, one.diagnosis.verdict),
            false => one.diagnosis.verdict.clone(),
        })
        .collect();
    let known = examined.iter().all(|one| one.diagnosis.examined);
    let fine = findings.iter().all(|finding| finding.severity == Severity::Note);
    let mood = match (fine, known) {
        (false, _) => Mood::Bad,
        (true, false) => Mood::Odd,
        (true, true) => Mood::Good,
    };
    let sections = examined.iter().filter(|one| one.diagnosis.examined).map(|one| section(one, several));
    Page {
        subject: name.to_owned(),
        verdict: Verdict { mood, text: texts.join("\n") },
        sections: sections.collect(),
        findings,
        ..Page::default()
    }
}

/// The report for programs.
pub fn server_json(name: &str, examined: &[Examined]) -> Value {
    json!({
        "server": name,
        "findings": findings(examined).map(finding_json).collect::<Vec<_>>(),
        "addresses": examined.iter().map(address).collect::<Vec<_>>(),
    })
}

fn findings(examined: &[Examined]) -> impl Iterator<Item = &Finding> {
    examined.iter().flat_map(|one| &one.diagnosis.findings)
}

fn section(one: &Examined, headed: bool) -> Section {
    let address = one.examination.address.to_string();
    let ways = &one.diagnosis.ways;
    Section {
        heading: if headed { address } else { String::new() },
        table: Table { head: HEAD.map(str::to_owned).to_vec(), rows: ways.iter().map(row).collect() },
        lines: ways.iter().flat_map(lines).chain(general(&one.examination)).collect(),
    }
}

fn row(report: &WayReport) -> Vec<Cell> {
    let after = |ending| report.after(ending).map_or(Cell::default(), resumption);
    let tickets = match (report.issued, report.renewed) {
        (None, _) => String::new(),
        (Some(issued), None) => issued.to_string(),
        (Some(issued), Some(renewed)) => format!("{issued}, then {renewed}"),
    };
    vec![
        report.way.version().to_string().into(),
        report.way.as_str().into(),
        resumption(&report.verdict),
        after(Ending::Fin),
        after(Ending::Reset),
        report.parallel.map_or(String::new(), |(resumed, of)| format!("{resumed} of {of}")).into(),
        tickets.into(),
        report.lifetime.map_or(String::new(), lifetime).into(),
        report.size.map_or(String::new(), |size| size.to_string()).into(),
    ]
}

fn resumption(verdict: &Resumption) -> Cell {
    match verdict {
        Resumption::Resumes => Cell::new(Mood::Good, "yes"),
        Resumption::Refused => Cell::new(Mood::Bad, "refused"),
        Resumption::NotOffered => Cell::new(Mood::Odd, "not offered"),
        Resumption::NotSpoken => Cell::new(Mood::Faint, "not spoken"),
        Resumption::NotDetermined(_) => Cell::new(Mood::Odd, "not determined"),
    }
}

fn lines(report: &WayReport) -> Vec<String> {
    let mut lines = Vec::new();
    if let Resumption::NotDetermined(why) = &report.verdict {
        lines.push(format!("{}: not determined: {why}", report.way));
    }
    for (ending, verdict) in &report.after {
        if let Resumption::NotDetermined(why) = verdict {
            lines.push(format!("{} after {ending}: not determined: {why}", report.way));
        }
    }
    match &report.key_names[..] {
        [] => {}
        [name] => lines.push(format!("{}: tickets begin with {name}, always", report.way)),
        names => lines.push(format!("{}: tickets begin with {} different names", report.way, names.len())),
    }
    lines
}

fn general(examination: &Examination) -> Vec<String> {
    let mut lines = Vec::new();
    if examination.trials.iter().any(|trial| trial.connection.retry) {
        lines.push("asks for another ClientHello (HelloRetryRequest): a round trip more".to_owned());
    }
    let connections = || examination.trials.iter().map(|trial| &trial.connection);
    if let Some(expected) = connections().find_map(|connection| connection.expected_tickets) {
        lines.push(format!("says how many tickets will come (RFC 9149): {expected} where 4 were asked for"));
    }
    match early_data(examination) {
        Some(true) => lines.push("takes early data: whoever recorded it can send it again".to_owned()),
        Some(false) => lines.push("promises to take early data, and took none".to_owned()),
        None => {}
    }
    if let Some(tried) = &examination.write_only {
        lines.push(write_only(tried));
    }
    lines
}

/// Whether early data was taken, where some was sent.
fn early_data(examination: &Examination) -> Option<bool> {
    let sent = |connection: &&Connection| connection.client_hello.as_ref().is_some_and(|hello| hello.early_data);
    let connections = examination.trials.iter().map(|trial| &trial.connection).filter(sent);
    connections.filter_map(|connection| connection.early_data).max()
}

fn write_only(tried: &WriteOnly) -> String {
    let WriteOnly { unasked, written, unacknowledged, unread, failure } = tried;
    let came = match (failure, unasked, unacknowledged) {
        (Some(failure), ..) => format!("not determined: {failure}"),
        (None, 0, _) if *unread == 0 => format!("its {written} bytes were followed by a FIN: nothing lost"),
        (None, 0, _) => "nothing came unasked; an answer that it left unread made a reset of its end".to_owned(),
        (None, _, 0) => {
            format!("reset, but all {written} bytes had been acknowledged; what was read of them is not to be seen")
        }
        (None, ..) => format!("reset, with {unacknowledged} of {written} bytes lost"),
    };
    format!("a client that only writes: {came}")
}

fn lifetime(lifetime: Duration) -> String {
    match lifetime.as_secs() {
        0 => "left open".to_owned(),
        seconds if seconds % 86_400 == 0 => format!("{} d", seconds / 86_400),
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn address(one: &Examined) -> Value {
    let Examined { examination, diagnosis } = one;
    let trials = &examination.trials;
    json!({
        "address": examination.address.to_string(),
        "verdict": diagnosis.verdict,
        "examined": diagnosis.examined,
        "ways": diagnosis.ways.iter().map(way).collect::<Vec<_>>(),
        "retry": trials.iter().any(|trial| trial.connection.retry),
        "expected_tickets": trials.iter().find_map(|trial| trial.connection.expected_tickets),
        "early_data": early_data(examination),
        "write_only": examination.write_only.as_ref().map(|tried| json!({
            "unasked": tried.unasked,
            "written": tried.written,
            "unacknowledged": tried.unacknowledged,
            "unread": tried.unread,
            "failure": tried.failure.as_ref().map(ToString::to_string),
        })),
        "trials": trials.iter().enumerate().map(|(index, one)| trial(trials, index, one)).collect::<Vec<_>>(),
    })
}

fn way(report: &WayReport) -> Value {
    let (verdict, why) = verdict(&report.verdict);
    let after = |ending| report.after(ending).map(|verdict| self::verdict(verdict).0);
    json!({
        "version": report.way.version().to_string(),
        "way": report.way.as_str(),
        "resumes": verdict,
        "why": why,
        "after": {
            "clean": after(Ending::Clean),
            "truncated": after(Ending::Fin),
            "reset": after(Ending::Reset),
        },
        "parallel": report.parallel.map(|(resumed, of)| json!({ "resumed": resumed, "of": of })),
        "issued": report.issued,
        "renewed": report.renewed,
        "lifetime": report.lifetime.map(|lifetime| lifetime.as_secs()),
        "size": report.size,
        "key_names": report.key_names.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn verdict(verdict: &Resumption) -> (&'static str, Option<&str>) {
    match verdict {
        Resumption::Resumes => ("yes", None),
        Resumption::Refused => ("refused", None),
        Resumption::NotOffered => ("not-offered", None),
        Resumption::NotSpoken => ("not-spoken", None),
        Resumption::NotDetermined(why) => ("not-determined", Some(why)),
    }
}

fn trial(trials: &[Trial], index: usize, trial: &Trial) -> Value {
    let Connection { client_hello, retry, .. } = &trial.connection;
    let begin = trials.first().map_or(trial, |first| first).connection.start.time;
    json!({
        "start": trial.connection.start.time.since(begin).as_secs_f64(),
        "version": trial.connection.version().map(|version| version.to_string()),
        "sni": client_hello.as_ref().and_then(|hello| hello.server_name.as_deref()),
        "way": trial.way.as_str(),
        "offered": match trial.connection.offer() {
            Offer::Psk(_) => "psk",
            Offer::Ticket(_) => "ticket",
            Offer::SessionId(_) if trial.offered.is_some() => "session-id",
            Offer::SessionId(_) | Offer::None => "none",
            Offer::Unknown => "unknown",
        },
        "session_of": trial.offered,
        "resumed": match trial.resumed() {
            Answer::Yes => json!(true),
            Answer::No => json!(false),
            Answer::Unknown => if trial.offered.is_some() { json!("unknown") } else { Value::Null },
        },
        "tickets": trial.gained,
        "unasked": trial.unasked,
        "handshake": trial.handshake().map(|took| took.as_secs_f64()),
        "retry": retry,
        "close": {
            "client": trial.connection.close(Side::Client).as_str(),
            "server": trial.connection.close(Side::Server).as_str(),
        },
        "failure": trial.failure.as_ref().map(ToString::to_string),
        "step": step(trials, index).trim_start(),
    })
}

const HEAD: [&str; 9] =
    ["version", "way", "resumes", "after FIN", "after reset", "at once", "tickets", "lifetime", "bytes"];
