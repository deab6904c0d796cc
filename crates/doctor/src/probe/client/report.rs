//! What was found out, for people and for programs.

use std::fmt::Write;
use std::net::IpAddr;

use raincheck_diagnosis::diagnose::client::{self, Trial};
use raincheck_diagnosis::evidence::{Close, Connection, Kind, Offer};
use raincheck_diagnosis::{Certainty, Finding, Severity, Side};
use serde_json::{Value, json};

use super::clients::Clients;

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

    /// Whether anything is worth acting on.
    pub fn has_problems(&self) -> bool {
        self.findings().iter().any(|finding| finding.severity == Severity::Problem)
    }

    /// For people.
    pub fn text(&self) -> String {
        match self.clients.is_empty() {
            true => "no client has connected\n".to_owned(),
            false => self.clients.iter().map(|(ip, trials)| of_client(*ip, trials)).collect::<Vec<_>>().join("\n"),
        }
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
        let findings: Vec<_> = self.findings().iter().map(finding).collect();
        json!({ "findings": findings, "scenarios": scenarios.collect::<Vec<_>>() })
    }
}

/// What was found out about one client.
pub(super) fn of_client(ip: IpAddr, trials: &[Trial]) -> String {
    let findings = client::findings(trials);
    let tried = trials.iter().filter(|trial| !trial.connections.is_empty()).count();
    let problems = findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
    let verdict = match (tried, problems) {
        (0, _) => "has not connected".to_owned(),
        (_, 0) => format!("no problems in {tried} of {} scenarios", trials.len()),
        (_, 1) => "1 problem".to_owned(),
        (_, problems) => format!("{problems} problems"),
    };
    let mut text = format!("{ip}: {verdict}\n");
    let rows: Vec<_> = trials.iter().map(|trial| (trial.scenario.as_str(), trial.judge())).collect();
    let widest = rows.iter().map(|(_, judgement)| judgement.verdict.to_string().len()).max().unwrap_or_default();
    for (scenario, judgement) in rows {
        let _ = writeln!(text, "  {scenario:15}  {:widest$}  {}", judgement.verdict.to_string(), judgement.why);
    }
    findings.iter().for_each(|finding| text += &paragraph(finding));
    text
}

/// What was found out about one client, for programs.
pub(super) fn findings(trials: &[Trial]) -> Value {
    client::findings(trials).iter().map(finding).collect()
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

fn paragraph(finding: &Finding) -> String {
    let Finding { name, severity, summary, evidence, cost, remedy, .. } = finding;
    let mut text = format!("\n{}: {name}: {summary}\n", severity_name(*severity));
    evidence.iter().for_each(|seen| text += &format!("  seen: {seen}\n"));
    if !cost.is_empty() {
        text += &format!("  cost: {cost}\n");
    }
    remedy.iter().for_each(|remedy| text += &format!("  {}: {}\n", remedy.product, remedy.change));
    text
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Problem => "problem",
        Severity::Note => "note",
    }
}

fn finding(finding: &Finding) -> Value {
    let Finding { name, severity, certainty, summary, evidence, cost, remedy, peers } = finding;
    let remedy = remedy.iter().map(|remedy| json!({ "product": remedy.product.to_string(), "change": remedy.change }));
    json!({
        "name": name.as_str(),
        "severity": severity_name(*severity),
        "certainty": match certainty {
            Certainty::Seen => "seen",
            Certainty::Inferred => "inferred",
        },
        "summary": summary,
        "evidence": evidence,
        "cost": cost,
        "remedy": remedy.collect::<Vec<_>>(),
        "peers": peers.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// A connection, for programs; times are seconds since the `first` one of the scenario began.
fn connection(connection: &Connection, first: &Connection) -> Value {
    let hello = connection.client_hello.as_ref();
    let alerts = connection.read_alerts().map(|(side, alert)| {
        let side = if side == Side::Client { "client" } else { "server" };
        format!("{side}:{}", alert.0)
    });
    json!({
        "client": connection.client.to_string(),
        "start": connection.start.time.since(first.start.time).as_secs_f64(),
        "version": connection.version().map(|version| version.to_string()),
        "offered_version": hello.map(|hello| hello.version.to_string()),
        "sni": hello.and_then(|hello| hello.server_name.as_deref()),
        "offered": match connection.offer() {
            Offer::None => "none",
            Offer::SessionId(_) => "session-id",
            Offer::Ticket(_) => "ticket",
            Offer::Psk(_) => "psk",
            Offer::Unknown => "unknown",
        },
        "kind": match connection.kind() {
            Kind::Full => "full",
            Kind::ResumedSessionId => "resumed-session-id",
            Kind::ResumedTicket => "resumed-ticket",
            Kind::ResumedPsk => "resumed-psk",
            Kind::Aborted => "aborted",
            Kind::Unknown => "unknown",
        },
        "renewed_inline": connection.renewed_inline() == raincheck_diagnosis::evidence::Answer::Yes,
        "close": match connection.close(Side::Client) {
            Close::Clean => "clean",
            Close::Truncated => "truncated",
            Close::Reset => "reset",
            Close::Open => "open",
            Close::Unknown => "unknown",
        },
        "alerts": alerts.collect::<Vec<_>>(),
    })
}
