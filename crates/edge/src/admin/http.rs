//! The admin address: metrics for machines, status for people, health for both.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use raincheck_control::admin::prometheus::CONTENT_TYPE;
use raincheck_control::admin::{Conversations, Page, converse, pause_after};
use tokio::net::TcpListener;

use super::observed::{Observed, Phase};
use super::{metrics, status};

/// Answers on `listener`, for ever.
pub(super) async fn serve(listener: TcpListener, observed: Arc<Observed>) {
    let mut conversations = Conversations::default();
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let observed = Arc::clone(&observed);
                conversations.begin(async move {
                    converse(tcp, |request| answer(&observed, request.method(), request.uri().path())).await;
                });
            }
            Err(error) => pause_after(error).await,
        }
    }
}

fn answer(observed: &Observed, method: &Method, path: &str) -> Page {
    // hyper leaves the body of an answer to HEAD out by itself.
    let is_read = method == Method::GET || method == Method::HEAD;
    match path {
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
