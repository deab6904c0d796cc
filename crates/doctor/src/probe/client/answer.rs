//! What a client is told.

use std::net::SocketAddr;

use raincheck_diagnosis::diagnose::client::{self, Trial};
use raincheck_diagnosis::evidence::{Answer as Known, Connection, Kind, Offer};
use serde_json::{Value, json};

use super::clients::Place;
use super::request::Request;
use super::{Ports, Server, guide, report};
use crate::report::{Paint, finding_json};

/// What is sent, as bytes.
pub(super) struct Answer(pub(super) Vec<u8>);

/// The answer to `request` on this connection, which has a place unless it is with the page's port.
pub(super) fn to(server: &Server, place: Option<&Place>, connection: &Connection, request: &Request) -> Answer {
    let ip = connection.client.ip();
    let trials = || server.clients.trials(ip);
    let json = || Content::json(progress(&trials(), &server.ports));
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/forget") => {
            server.clients.forget(ip);
            Content::text("forgotten: begin anew\n".to_owned()).to(request)
        }
        ("GET" | "HEAD", "/verdicts.json") => json().to(request),
        ("GET" | "HEAD", "/verdicts") if request.accept.contains("application/json") => json().to(request),
        ("GET" | "HEAD", "/verdicts") => Content::text(report::page(ip, &trials()).text(Paint::PLAIN)).to(request),
        ("GET" | "HEAD", "/image") => Content { kind: "image/svg+xml", body: IMAGE.to_owned() }.to(request),
        ("GET" | "HEAD", "/") => match place {
            Some(place) => {
                let trial = trials().swap_remove(place.scenario as usize);
                Content::text(account(&trial, place.number(), connection)).to(request)
            }
            None if request.accept.contains("text/html") => {
                Content { kind: "text/html; charset=utf-8", body: PAGE.to_owned() }.to(request)
            }
            None => Content::text(guide::text(&server.ports, connection.server.ip())).to(request),
        },
        ("GET" | "HEAD", _) => Content::text("there is only /, /verdicts and /verdicts.json here\n".to_owned())
            .with(request, "404 Not Found"),
        _ => Content::text("there is only GET here, and POST /forget\n".to_owned())
            .with(request, "405 Method Not Allowed"),
    }
}

/// The answer to somebody who speaks HTTP where TLS is spoken. The way on is for now only: tomorrow the port is another's.
pub(super) fn without_tls(address: SocketAddr, request: &Request) -> Answer {
    let host = request
        .host
        .as_deref()
        .filter(|host| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)));
    let host = host.map_or_else(|| address.to_string(), str::to_owned);
    let body = format!("this port speaks TLS: https://{host}/\n");
    let length = body.len();
    let head = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://{host}/\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    Answer([head, body].concat().into_bytes())
}

struct Content {
    kind: &'static str,
    body: String,
}

impl Content {
    fn text(body: String) -> Self {
        Self { kind: "text/plain; charset=utf-8", body }
    }

    fn json(value: Value) -> Self {
        Self { kind: "application/json", body: format!("{value}\n") }
    }

    fn to(self, request: &Request) -> Answer {
        self.with(request, "200 OK")
    }

    /// Each answer ends its connection: the next one is what this is about.
    fn with(self, request: &Request, status: &str) -> Answer {
        let Self { kind, body } = self;
        if !request.is_http {
            return Answer(body.into_bytes());
        }
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\n"
        );
        let body = if request.method == "HEAD" { String::new() } else { body };
        Answer([head, body].concat().into_bytes())
    }
}

/// What the page shows, and what it is to do next.
fn progress(trials: &[Trial], ports: &Ports) -> Value {
    let scenario = |trial: &Trial| {
        let mut scenario = report::scenario(trial);
        scenario["port"] = ports.of(trial.scenario).port().into();
        scenario["next"] = trial.scenario.next(trial.connections.len()).into();
        scenario
    };
    let scenarios: Vec<_> = trials.iter().map(scenario).collect();
    let done = scenarios.iter().all(|scenario| scenario["next"] == 0);
    let findings: Vec<_> = client::findings(trials).iter().map(finding_json).collect();
    json!({ "done": done, "scenarios": scenarios, "findings": findings })
}

/// What a connection was, what has been seen, and what to do next.
fn account(trial: &Trial, number: Option<usize>, connection: &Connection) -> String {
    let scenario = trial.scenario;
    let count = number.map_or_else(|| "one too many to count".to_owned(), |number| format!("number {number}"));
    let judgement = trial.judge();
    let next = match scenario.next(trial.connections.len()) {
        0 => "next:            nothing more here; /verdicts has it all, POST /forget begins anew\n".to_owned(),
        missing => format!("next:            {}\n{}", times(missing), guide::lines(connection.server, missing)),
    };
    format!(
        "scenario:        {} ({})\nthis connection: {count}, {}\nup to now:       {}: {}\n{next}",
        scenario.as_str(),
        scenario.description(),
        said(connection),
        judgement.verdict,
        judgement.why,
    )
}

fn times(missing: usize) -> String {
    match missing {
        1 => "connect again, with the session of before".to_owned(),
        _ => format!("connect {missing} times, at once if you can, with the session of before"),
    }
}

/// The connection in a few words.
fn said(connection: &Connection) -> String {
    let version = connection.version().map_or_else(String::new, |version| version.to_string());
    let kind = match connection.kind() {
        Kind::ResumedSessionId => "resumed by session ID",
        Kind::ResumedTicket if connection.renewed_inline() == Known::Yes => "resumed by ticket, and the ticket renewed",
        Kind::ResumedTicket => "resumed by ticket",
        Kind::ResumedPsk => "resumed by PSK",
        _ if matches!(connection.offer(), Offer::Ticket(_) | Offer::Psk(_)) => "full, though a ticket was offered",
        _ => "full",
    };
    format!("{version}, {kind}")
}

/// The page that drives a browser through all scenarios. All it shows it shows as text.
const PAGE: &str = include_str!("page.html");

/// For browsers, who load it at times at once; what it looks like does not matter.
const IMAGE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\"/>\n";
