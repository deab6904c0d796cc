//! A client of HTTP/1.1, over TLS where the URL says `https`.
//!
//! It follows no redirect, and asks for no compression. Connections are kept and used again.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::{Error, HttpsError, HttpsFault};

mod collect;
mod fault;
mod trust;
mod url;

pub use trust::Trust;
pub use url::Url;

/// A handle to its connections, cheap to clone. For use within a tokio runtime.
#[derive(Clone, Debug)]
pub struct Client {
    inner: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What is asked. Shows everything but its headers and its body.
#[derive(Clone)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: Method,
    /// Whom and what.
    pub url: Url,
    /// Those that do not follow from the rest.
    pub headers: HeaderMap,
    /// Empty for none.
    pub body: Bytes,
}

/// How much a request may cost.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// From the start to the last byte of the answer, whatever else is in it: looking up the name, connecting, TLS.
    pub time: Duration,
    /// The largest body that is taken.
    pub bytes: usize,
}

/// A whole answer. Shows everything but its headers and its body.
pub struct Answer {
    /// Whatever it says: an answer of `404` is an answer.
    pub status: StatusCode,
    /// As they came.
    pub headers: HeaderMap,
    /// In one allocation that is wiped. The buffers of hyper and rustls it came through are not.
    pub body: Zeroizing<Vec<u8>>,
}

/// An answer whose body comes bit by bit. Dropping it ends the connection.
pub struct Streaming {
    /// Whatever it says.
    pub status: StatusCode,
    /// As they came.
    pub headers: HeaderMap,
    body: Incoming,
    origin: String,
}

impl Client {
    /// A client with these CAs and this certificate, read now.
    ///
    /// # Errors
    /// [`Error::Trust`] with the file, what is wrong with it and the remedy; [`Error::NoSystemAuthority`].
    pub fn new(trust: &Trust) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        // A stream that is silent by right does not outlive its server's machine.
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust.load()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector);
        Ok(Self { inner })
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// [`HttpsError`] says whom was asked and what went wrong. A status is none.
    pub async fn request(&self, request: Request, limits: Limits) -> Result<Answer, HttpsError> {
        let origin = request.url.origin();
        let answer = async {
            let (head, body) = self.send(request).await?.into_parts();
            let body = collect::collect(body, limits.bytes).await?;
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        within(limits.time, answer).await.map_err(|fault| HttpsError { origin, fault })
    }

    /// Asks, and waits for the head of the answer, for `limit` at most.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn stream(&self, request: Request, limit: Duration) -> Result<Streaming, HttpsError> {
        let origin = request.url.origin();
        match within(limit, self.send(request)).await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                Ok(Streaming { status: head.status, headers: head.headers, body, origin })
            }
            Err(fault) => Err(HttpsError { origin, fault }),
        }
    }

    async fn send(&self, Request { method, url, headers, body }: Request) -> Result<Response<Incoming>, HttpsFault> {
        let mut request = hyper::Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = url.into();
        *request.headers_mut() = headers;
        self.inner.request(request).await.map_err(|error| fault::of(&error))
    }
}

impl Request {
    /// A `GET`.
    pub fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A `POST` of JSON.
    pub fn post_json(url: Url, body: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Self { method: Method::POST, url, headers, body: body.into() }
    }
}

impl Streaming {
    /// What comes next, as soon as it is there; none at the end. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// [`HttpsFault::Closed`] if the connection ends before the answer does.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpsError> {
        match collect::chunk(&mut self.body).await {
            Ok(chunk) => Ok(chunk),
            Err(fault) => Err(HttpsError { origin: self.origin.clone(), fault }),
        }
    }

    /// Whom it comes from: scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {}, {} bytes)", self.method, self.url, self.body.len())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Streaming({}, {})", self.origin, self.status)
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, HttpsFault>>) -> Result<T, HttpsFault> {
    timeout(limit, work).await.unwrap_or(Err(HttpsFault::TimedOut { limit }))
}

/// For all addresses of a name together.
const CONNECT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
/// Shorter than servers keep a connection that is idle (nginx: 75 s), so that we seldom meet one that is about to end.
const IDLE: Duration = Duration::from_secs(60);
const MAX_IDLE: usize = 4;

#[cfg(test)]
mod tests;
