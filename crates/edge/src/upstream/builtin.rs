//! The upstream that needs no server: it answers each request with how its connection was resumed.

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;

/// A connection on which every request is answered with `about`.
pub(super) fn connect(about: serde_json::Value) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    tokio::spawn(async move {
        let body = Bytes::from(format!("{about}\n"));
        let answer = service_fn(move |_: Request<Incoming>| {
            let response = Response::builder()
                .header(CONTENT_TYPE, "application/json")
                .header(CACHE_CONTROL, "no-store")
                .body(Full::new(body.clone()))
                .expect("these headers are valid");
            async { Ok::<_, Infallible>(response) }
        });
        // What the client did wrong, it has been told.
        let _ = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(theirs), answer).await;
    });
    ours
}

const PIPE: usize = 16 * 1024;
