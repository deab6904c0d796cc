//! The admin address of an agent.

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::Shared;
use crate::Standing;
use crate::admin::prometheus::{CONTENT_TYPE, Exposition};
use crate::admin::{Page, describe_ring, keys_json, nodes_json};

pub(super) fn answer(agent: &Shared, request: &Request<Incoming>) -> Page {
    let method = request.method();
    if method != Method::GET && method != Method::HEAD {
        return Page::only("GET, HEAD", "only GET and HEAD are answered here\n");
    }
    match request.uri().path() {
        "/" => Page::html(INDEX),
        "/metrics" => Page::ok(CONTENT_TYPE, metrics(agent)),
        "/healthz" => Page::plain(StatusCode::OK, "ok\n"),
        "/readyz" => readiness(agent),
        "/status.json" => Page::ok("application/json", status(agent).to_string()),
        _ => Page::plain(StatusCode::NOT_FOUND, "not found; / lists what there is\n"),
    }
}

/// Ready is an agent whose products all have a ring of its source.
fn readiness(agent: &Shared) -> Page {
    let unavailable = |why: String| Page::plain(StatusCode::SERVICE_UNAVAILABLE, why);
    if *agent.keys.standing().borrow() != Standing::Supplied {
        return unavailable("no ring of the source\n".into());
    }
    let without = agent.tally.all().into_iter().find(|(_, state)| state.epoch.is_none());
    match without {
        Some((name, state)) => {
            let why = state.error.unwrap_or_else(|| "it is being given some".to_owned());
            unavailable(format!("sink {name} has no keys: {why}\n"))
        }
        None => Page::plain(StatusCode::OK, "ready\n"),
    }
}

/// Durations are seconds.
fn status(agent: &Shared) -> Value {
    let sinks = agent.tally.all().into_iter().map(|(name, state)| {
        json!({
            "name": name,
            "epoch": state.epoch.map(|epoch| epoch.to_string()),
            "pushes": state.pushes,
            "failures": state.failures,
            "error": state.error,
        })
    });
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "role": "agent",
        "keys": keys_json(&agent.keys, &agent.source.load()),
        "nodes": agent.keys.leads().then(|| nodes_json(&agent.keys)),
        "sinks": sinks.collect::<Vec<_>>(),
    })
}

fn metrics(agent: &Shared) -> String {
    let mut page = Exposition::default();
    let ring = agent.keys.load_full();
    describe_ring(&mut page, &ring);
    page.gauge("raincheck_epoch_generation", "Of the ring.").sample(&[], ring.epoch().generation);
    page.gauge("raincheck_epoch_counter", "Of the ring: grows with each.").sample(&[], ring.epoch().counter);
    let sinks = agent.tally.all();
    let mut epochs = page.gauge("raincheck_sink_epoch_counter", "Of the newest ring that a product has had; 0: none.");
    for (name, state) in &sinks {
        epochs.sample(&[("sink", name)], state.epoch.map_or(0, |epoch| epoch.counter));
    }
    let mut pushes = page.counter("raincheck_sink_pushes_total", "How often a product was given keys.");
    for (name, state) in &sinks {
        pushes.sample(&[("sink", name)], state.pushes);
    }
    let mut failures = page.counter("raincheck_sink_failures_total", "How often a product could not be given keys.");
    for (name, state) in &sinks {
        failures.sample(&[("sink", name)], state.failures);
    }
    page.finish()
}

const INDEX: &str = "<!doctype html>
<html lang=\"en\"><title>raincheck keys agent</title>
<h1>raincheck keys agent</h1>
<ul>
<li><a href=\"/status.json\">/status.json</a>
<li><a href=\"/metrics\">/metrics</a> for Prometheus
<li><a href=\"/healthz\">/healthz</a>, <a href=\"/readyz\">/readyz</a>
</ul>
</html>
";
