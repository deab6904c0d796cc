//! What was found out, for people and for programs.

use std::net::IpAddr;

use raincheck_diagnosis::diagnose::client::{self, Judgement, Trial, Verdict};
use raincheck_diagnosis::evidence::Connection;
use raincheck_diagnosis::session::Offered;
use raincheck_diagnosis::{Finding, Severity, Side};
use serde_json::{Value, json};

use super::clients::Clients;
use crate::report::{self, Cell, Mood, Page, Section, Table, finding_json};

/// What was seen of all clients.
#[derive(Debug)]
pub struct Report {
    clients: Vec<(IpAddr, Vec<Trial>)>,
}

impl Report {
    pub(super) fn of(clients: &Clients) -> Self {
        Self { clients: clients.all() }
    }

    /// What was found, of all clients.
    pub fn findings(&self) -> Vec<Finding> {
        self.clients.iter().flat_map(|(_, trials)| client::findings(trials)).collect()
    }

    /// For people: a page for each client.
    pub fn pages(&self) -> Vec<Page> {
        self.clients.iter().map(|(ip, trials)| page(*ip, trials)).collect()
    }

    /// For programs: `findings`, and each client's `scenarios`.
    pub fn json(&self) -> Value {
        let scenarios = self.clients.iter().flat_map(|(ip, trials)| {
            trials.iter().map(move |trial| {
                let mut value = scenario(trial);
                value["client"] = ip.to_string().into();
                value
            })
        });
        let findings: Vec<_> = self.findings().iter().map(finding_json).collect();
        json!({ "findings": findings, "scenarios": scenarios.collect::<Vec<_>>() })
    }
}

/// What was found out about one client.
pub(super) fn page(ip: IpAddr, trials: &[Trial]) -> Page {
    let findings = client::findings(trials);
    let row = |trial: &Trial| {
        let Judgement { verdict, why } = trial.judge();
        vec![trial.scenario.as_str().into(), Cell::new(mood(verdict), verdict.to_string()), why.into()]
    };
    let table = Table {
        head: ["scenario", "verdict", "seen"].map(String::from).into(),
        rows: trials.iter().map(row).collect(),
    };
    let sections = vec![Section { table, ..Section::default() }];
    let (subject, verdict) = (format!("client {ip}"), verdict(trials, &findings));
    Page { subject, verdict, sections, findings, ..Page::default() }
}

fn verdict(trials: &[Trial], findings: &[Finding]) -> report::Verdict {
    let tried = trials.iter().filter(|trial| !trial.connections.is_empty()).count();
    let problems = findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
    let (mood, text) = match (tried, problems) {
        (0, _) => (Mood::Odd, "has not connected".to_owned()),
        (_, 0) => (Mood::Good, format!("no problems in {tried} of {} scenarios", trials.len())),
        (_, 1) => (Mood::Bad, "1 problem".to_owned()),
        (_, problems) => (Mood::Bad, format!("{problems} problems")),
    };
    report::Verdict { mood, text }
}

fn mood(verdict: Verdict) -> Mood {
    match verdict {
        Verdict::Full | Verdict::Resumed => Mood::Good,
        Verdict::NotDetermined => Mood::Faint,
        Verdict::KeepsOldSession | Verdict::NeverOffers => Mood::Odd,
        Verdict::AbortedAfterRenewal | Verdict::FellBack(_) | Verdict::Alert(_) | Verdict::LosesSession => Mood::Bad,
    }
}

/// A scenario, for programs.
pub(super) fn scenario(trial: &Trial) -> Value {
    let judgement = trial.judge();
    let Trial { scenario, connections } = trial;
    json!({
        "scenario": scenario.as_str(),
        "description": scenario.description(),
        "verdict": judgement.verdict.as_str(),
        "said": judgement.verdict.to_string(),
        "why": judgement.why,
        "connections": connections.iter().map(|each| connection(each, &connections[0])).collect::<Vec<_>>(),
    })
}

/// A connection, for programs; times are seconds since the `first` one of the scenario began.
fn connection(connection: &Connection, first: &Connection) -> Value {
    let hello = connection.client_hello.as_ref();
    let alerts = connection.read_alerts().map(|(side, alert)| format!("{}:{}", side.as_str(), alert.0));
    json!({
        "client": connection.client.to_string(),
        "start": connection.start.time.since(first.start.time).as_secs_f64(),
        "version": connection.version().map(|version| version.to_string()),
        "offered_version": hello.map(|hello| hello.version.to_string()),
        "ja4": hello.map(|hello| hello.profile.ja4.to_string()),
        "sni": hello.and_then(|hello| hello.server_name.as_deref()),
        "offered": Offered::from(connection.offer()).as_str(),
        "kind": connection.kind().as_str(),
        "renewed_inline": connection.renewed_inline() == raincheck_diagnosis::evidence::Answer::Yes,
        "close": connection.close(Side::Client).as_str(),
        "alerts": alerts.collect::<Vec<_>>(),
    })
}
