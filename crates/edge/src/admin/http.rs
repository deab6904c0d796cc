//! The admin address: metrics for machines, status for people, health for both.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::conversations::{Conversations, pause_after};
use super::observed::{Observed, Phase};
use super::{metrics, prometheus, status};

/// Answers on `listener`, for ever.
pub(super) async fn serve(listener: TcpListener, observed: Arc<Observed>) {
    let mut conversations = Conversations::default();
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let observed = Arc::clone(&observed);
                conversations.begin(async move {
                    // Whoever takes longer than that for a question and an answer is not asking.
                    let _ = timeout(LIFETIME, converse(tcp, &observed)).await;
                });
            }
            Err(error) => pause_after(error).await,
        }
    }
}

/// One question and its answer.
async fn converse(tcp: TcpStream, observed: &Observed) {
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let response = answer(observed, request.method(), request.uri().path());
        std::future::ready(Ok::<_, Infallible>(response))
    });
    // A client that breaks HTTP, or leaves, has nobody here who would want to know.
    let _ = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .half_close(true)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(tcp), service)
        .await;
}

fn answer(observed: &Observed, method: &Method, path: &str) -> Response<Full<Bytes>> {
    // hyper leaves the body of an answer to HEAD out by itself.
    let is_read = method == Method::GET || method == Method::HEAD;
    let page = match path {
        _ if !is_read => Page::plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n"),
        "/" => Page::html(INDEX),
        "/metrics" => Page::ok(prometheus::CONTENT_TYPE, metrics::render(observed)),
        "/healthz" => Page::plain(StatusCode::OK, "ok\n"),
        "/readyz" => readiness(observed.phase()),
        "/status" => Page::html(status::PAGE),
        "/status.json" => Page::ok("application/json", status::json(observed).to_string()),
        _ => Page::plain(StatusCode::NOT_FOUND, "not found; / lists what there is\n"),
    };
    page.into_response()
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

struct Page {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
}

impl Page {
    fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: body.into() }
    }

    fn html(body: &'static str) -> Self {
        Self::ok("text/html; charset=utf-8", body)
    }

    fn plain(status: StatusCode, body: &'static str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.into() }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::builder()
            .status(self.status)
            .header(CONTENT_TYPE, self.content_type)
            .header(CACHE_CONTROL, "no-store")
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(CONTENT_SECURITY_POLICY, POLICY);
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response = response.header(ALLOW, "GET, HEAD");
        }
        response.body(Full::new(self.body)).expect("the headers are constants")
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

/// The status page brings its script and style along; nothing comes from elsewhere.
const POLICY: &str = "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How long a connection may last.
const LIFETIME: Duration = Duration::from_secs(10);

/// Bytes of request line and headers.
const LARGEST_HEAD: usize = 16 * 1024;
