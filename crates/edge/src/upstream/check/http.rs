//! A check's request and what is made of the answer.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::io::Io;
use super::{Failed, Passed, Server};
use crate::config::HttpCheck;

/// A connection that is kept for the next check.
#[derive(Debug)]
pub(super) struct Held {
    sender: SendRequest<Empty<Bytes>>,
    connection: Connection<TokioIo<Io>, Empty<Bytes>>,
}

impl Held {
    /// A connection on which nothing was asked yet.
    pub(super) async fn new(io: Io) -> Result<Self, Failed> {
        let opened = http1::Builder::new().max_buf_size(LARGEST_HEAD).handshake(TokioIo::new(io)).await;
        let (sender, connection) = opened.map_err(|error| Failed::Answer(in_words(&error)))?;
        Ok(Self { sender, connection })
    }

    /// Whether the server has closed it meanwhile.
    pub(super) async fn is_over(&mut self) -> bool {
        let is_over = poll_fn(|cx| Poll::Ready(self.connection.poll_without_shutdown(cx).is_ready())).await;
        is_over || !self.sender.is_ready()
    }

    /// One request and its answer, and whether the connection can take another.
    pub(super) async fn ask(
        &mut self,
        check: &HttpCheck,
        server: &Server,
        keep_alive: bool,
    ) -> Result<(Passed, bool), Failed> {
        let request = request(check, server, keep_alive)?;
        let (sender, connection) = (&mut self.sender, &mut self.connection);
        let mut is_over = false;
        let mut answer = pin!(answer(sender.send_request(request), check));
        let passed = poll_fn(|cx| {
            // Its error reaches whoever waits for the answer.
            is_over = is_over || connection.poll_without_shutdown(cx).is_ready();
            answer.as_mut().poll(cx)
        })
        .await?;
        Ok((passed, keep_alive && !is_over))
    }

    /// Ends the connection.
    pub(super) async fn close(self, limit: Duration) -> Option<super::Ended> {
        drop(self.sender);
        self.connection.into_parts().io.into_inner().close(limit).await
    }
}

fn request(check: &HttpCheck, server: &Server, keep_alive: bool) -> Result<Request<Empty<Bytes>>, Failed> {
    let target = server.target();
    let host = match (&check.host, &server.host, &target.connector) {
        (Some(host), ..) => host.clone(),
        (None, _, Some(connector)) => connector.server_name().to_str().into_owned(),
        (None, Some(host), None) => host.clone(),
        (None, None, None) => target.address.to_string(),
    };
    Request::builder()
        .method(check.method.as_str())
        .uri(check.path.as_str())
        .header(HOST, host)
        .header(USER_AGENT, concat!("raincheck/", env!("CARGO_PKG_VERSION"), " (health check)"))
        .header(CONNECTION, if keep_alive { "keep-alive" } else { "close" })
        .body(Empty::new())
        .map_err(|error| Failed::Answer(error.to_string()))
}

async fn answer(
    response: impl Future<Output = hyper::Result<Response<Incoming>>>,
    check: &HttpCheck,
) -> Result<Passed, Failed> {
    let response = response.await.map_err(|error| Failed::Answer(in_words(&error)))?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut seen = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failed::Answer(in_words(&error)))?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        if seen.len() + data.len() > LARGEST_BODY {
            // An answer larger than that is an answer; where its end is, is not waited for.
            seen.extend_from_slice(&data[..LARGEST_BODY - seen.len()]);
            break;
        }
        seen.extend_from_slice(data);
    }
    if !check.expect.status.iter().any(|range| range.contains(&status)) {
        return Err(Failed::Status(status));
    }
    let holds = |text: &String| seen.windows(text.len()).any(|part| part == text.as_bytes());
    if !check.expect.body.as_ref().is_none_or(holds) {
        return Err(Failed::Body);
    }
    Ok(Passed { status: Some(status), ..Passed::default() })
}

/// hyper's errors, with what is behind them.
fn in_words(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The most bytes the head of an answer may have; hyper wants 8 KiB at least.
const LARGEST_HEAD: usize = 16 * 1024;

/// The most bytes of a body that are read.
const LARGEST_BODY: usize = 64 * 1024;
