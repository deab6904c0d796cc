//! The admin address: metrics for machines, status for people, health for both.

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use raincheck_control::admin::Page;
use raincheck_control::admin::prometheus::CONTENT_TYPE;

use super::observed::{Observed, Phase};
use super::{metrics, status};

/// The answer to one question.
pub(super) fn answer(observed: &Observed, request: &Request<Incoming>) -> Page {
    let method = request.method();
    // hyper leaves the body of an answer to HEAD out by itself.
    let is_read = method == Method::GET || method == Method::HEAD;
    match request.uri().path() {
        _ if !is_read => Page::only("GET, HEAD", "only GET and HEAD are answered here\n"),
        "/" => Page::html(INDEX),
        "/metrics" => Page::ok(CONTENT_TYPE, metrics::render(observed)),
        "/healthz" => Page::plain(StatusCode::OK, "ok\n"),
        "/readyz" => readiness(observed.phase()),
        "/status" => Page::html(status::PAGE),
        "/status.json" => Page::ok("application/json", status::json(observed).to_string()),
        _ => Page::plain(StatusCode::NOT_FOUND, "not found; / lists what there is\n"),
    }
}

fn readiness(phase: Phase) -> Page {
    match phase {
        Phase::Starting => Page::plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "starting: no ticket keys yet, or not all listeners are open\n",
        ),
        Phase::Ready => Page::plain(StatusCode::OK, "ready\n"),
        Phase::Draining => Page::plain(StatusCode::SERVICE_UNAVAILABLE, "draining: no more connections are taken\n"),
    }
}

const INDEX: &str = "<!doctype html>
<html lang=\"en\"><title>raincheck</title>
<h1>raincheck</h1>
<ul>
<li><a href=\"/status\">/status</a>, as <a href=\"/status.json\">/status.json</a>
<li><a href=\"/metrics\">/metrics</a> for Prometheus
<li><a href=\"/healthz\">/healthz</a>, <a href=\"/readyz\">/readyz</a>
</ul>
</html>
";
