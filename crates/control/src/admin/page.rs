//! A page, and the connection on which it is asked for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::conversations::{Conversations, pause_after};

/// Answers on `listener`, for ever: one question a connection, of `state`.
pub async fn answer_on<S: Send + Sync + 'static>(
    listener: TcpListener,
    state: Arc<S>,
    answer: fn(&S, &Request<Incoming>) -> Page,
) -> Infallible {
    let mut conversations = Conversations::default();
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let state = Arc::clone(&state);
                conversations.begin(async move { converse(tcp, |request| answer(&state, request)).await });
            }
            Err(error) => pause_after(error).await,
        }
    }
}

/// One question on this connection, and its answer.
async fn converse(tcp: TcpStream, answer: impl Fn(&Request<Incoming>) -> Page) {
    let service = service_fn(|request| {
        let response = answer(&request).into_response();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let conversation = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .half_close(true)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(tcp), service);
    // A client that breaks HTTP, or leaves, has nobody here who would want to know; and whoever takes longer than that for
    // a question and an answer is not asking.
    let _ = timeout(LIFETIME, conversation).await;
}

/// An answer.
#[derive(Debug)]
pub struct Page {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    /// The methods that are, where the status says that the one asked with is not.
    allow: &'static str,
}

impl Page {
    /// What was asked for.
    pub fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: body.into(), allow: "" }
    }

    /// A page for people.
    pub fn html(body: &'static str) -> Self {
        Self::ok("text/html; charset=utf-8", body)
    }

    /// A line of text.
    pub fn plain(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, ..Self::ok("text/plain; charset=utf-8", body) }
    }

    /// The page is there, but not for that method.
    pub fn only(allow: &'static str, body: &'static str) -> Self {
        Self { allow, ..Self::plain(StatusCode::METHOD_NOT_ALLOWED, body) }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::builder()
            .status(self.status)
            .header(CONTENT_TYPE, self.content_type)
            .header(CACHE_CONTROL, "no-store")
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(CONTENT_SECURITY_POLICY, POLICY);
        if !self.allow.is_empty() {
            response = response.header(ALLOW, self.allow);
        }
        response.body(Full::new(self.body)).expect("the headers are constants")
    }
}

/// The status page brings its script and style along; nothing comes from elsewhere.
const POLICY: &str = "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How long a connection may last.
const LIFETIME: Duration = Duration::from_secs(10);

/// Bytes of request line and headers.
const LARGEST_HEAD: usize = 16 * 1024;
