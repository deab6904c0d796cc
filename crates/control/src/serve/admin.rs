//! The admin address of a server of keys.

use hyper::body::Incoming;
use hyper::header::{HeaderMap, ORIGIN};
use hyper::{Method, Request, StatusCode};
use serde_json::{Map, Value, json};

use super::Server;
use crate::Role;
use crate::admin::prometheus::{CONTENT_TYPE, Exposition};
use crate::admin::{Page, describe_ring, keys_json, nodes_json, process};

pub(super) fn answer(server: &Server, request: &Request<Incoming>) -> Page {
    let method = request.method();
    let is_read = method == Method::GET || method == Method::HEAD;
    match request.uri().path() {
        "/promote" if method == Method::POST => promote(server, request.headers()),
        "/promote" => Page::only("POST", "only POST is answered here\n"),
        _ if !is_read => Page::only("GET, HEAD", "only GET and HEAD are answered here\n"),
        "/" => Page::html(INDEX),
        "/metrics" => Page::ok(CONTENT_TYPE, metrics(server)),
        "/healthz" => Page::plain(StatusCode::OK, "ok\n"),
        "/readyz" => match server.keys.offered() {
            Ok(_) => Page::plain(StatusCode::OK, "ready\n"),
            Err(why) => Page::plain(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        "/status.json" => Page::ok("application/json", status(server).to_string()),
        _ => Page::plain(StatusCode::NOT_FOUND, "not found; / lists what there is\n"),
    }
}

/// A page of another site, in the browser of somebody who may come here, can send no header of its own making; and where
/// it made its name lead here, its browser still says `Origin`, which no command line does.
fn promote(server: &Server, headers: &HeaderMap) -> Page {
    let is_meant = headers.get(PROMOTE).is_some_and(|value| value == "yes") && !headers.contains_key(ORIGIN);
    if !is_meant {
        return Page::plain(
            StatusCode::FORBIDDEN,
            "promotion takes the header `Raincheck-Promote: yes`, and no browser\n",
        );
    }
    match server.keys.promote() {
        Ok(epoch) => Page::ok("application/json", json!({ "epoch": epoch.to_string() }).to_string()),
        Err(why) => Page::plain(StatusCode::CONFLICT, format!("{why}\n")),
    }
}

/// Durations are seconds.
fn status(server: &Server) -> Value {
    let refused = server.tally.refused.counts().map(|(reason, count)| (reason.as_str().to_owned(), count.into()));
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "role": server.keys.role().as_str(),
        "started": server.started_at().as_secs_f64(),
        "uptime": server.started.elapsed().as_secs_f64(),
        "keys": keys_json(&server.keys, &server.source.load()),
        "nodes": nodes_json(&server.keys),
        "refused": refused.collect::<Map<_, _>>(),
    })
}

fn metrics(server: &Server) -> String {
    let (keys, tally) = (&server.keys, &server.tally);
    let mut page = Exposition::default();
    let ring = keys.load_full();
    describe_ring(&mut page, &ring);
    let epoch = ring.epoch();
    page.gauge("raincheck_epoch_generation", "Of the ring: how often a server was promoted.")
        .sample(&[], epoch.generation);
    page.gauge("raincheck_epoch_counter", "Of the ring: grows with each.").sample(&[], epoch.counter);
    let made = ring.entries().next().expect("a ring is never empty").since;
    page.gauge("raincheck_last_rotation_timestamp_seconds", "When the newest key was made, since 1970.")
        .sample(&[], made.as_millis() as f64 / 1000.0);
    page.counter("raincheck_rotations_total", "Rotations made here.").sample(&[], tally.rotations.value());
    page.counter("raincheck_rotations_without_nodes_total", "Those that went on without a node that was waited for.")
        .sample(&[], tally.rotations_without.value());
    page.counter("raincheck_rings_taken_total", "Rings taken from the server that is followed.")
        .sample(&[], tally.taken.value());
    let role = keys.role();
    let mut roles = page.gauge("raincheck_role", "What the server is: 1 for that, 0 for the others.");
    for candidate in Role::ALL {
        roles.sample(&[("role", candidate.as_str())], u8::from(role == candidate));
    }
    let members = keys.members();
    let count = |is: &dyn Fn(&crate::Member) -> bool| members.iter().filter(|member| is(member)).count();
    page.gauge("raincheck_nodes", "Nodes that ask for the ring; some lack the newest, some have not asked for long.")
        .sample(&[("state", "registered")], count(&|member| !member.holding.lapsed))
        .sample(&[("state", "lapsed")], count(&|member| member.holding.lapsed))
        .sample(&[("state", "lacking")], count(&|member| member.holding.epoch < epoch));
    page.counter("raincheck_ring_polls_total", "Questions of nodes, by what they were answered.")
        .sample(&[("result", "new")], tally.polls_new.value())
        .sample(&[("result", "unchanged")], tally.polls_unchanged.value())
        .sample(&[("result", "withheld")], tally.polls_withheld.value());
    page.counter("raincheck_ticket_keys_polls_total", "Questions for lines, by what they were answered.")
        .sample(&[("result", "new")], tally.lines.value())
        .sample(&[("result", "unchanged")], tally.lines_unchanged.value());
    let mut refused = page.counter("raincheck_requests_refused_total", "Who was turned away, by reason.");
    for (reason, count) in tally.refused.counts() {
        refused.sample(&[("reason", reason.as_str())], count);
    }
    page.gauge("raincheck_build_info", "Always 1; the version is the label.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    process::describe(&mut page, server.started_at());
    page.finish()
}

const PROMOTE: &str = "raincheck-promote";

const INDEX: &str = "<!doctype html>
<html lang=\"en\"><title>raincheck keys</title>
<h1>raincheck keys</h1>
<ul>
<li><a href=\"/status.json\">/status.json</a>
<li><a href=\"/metrics\">/metrics</a> for Prometheus
<li><a href=\"/healthz\">/healthz</a>, <a href=\"/readyz\">/readyz</a>
</ul>
</html>
";
