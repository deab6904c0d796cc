//! `GET /ring`: the whole ring, for nodes; the protocol is in [`wire`].

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use raincheck_keyring::{Epoch, NodeName};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;

use super::answer::{has_tag, no_store, refusal_of_method, text, withheld};
use super::listen::handshake;
use super::refused::Refusal;
use super::{Notice, Server};
use crate::admin::{Conversations, pause_after};
use crate::source::http::wire;

/// Answers nodes on `listener`, for ever.
pub(super) async fn serve(listener: TcpListener, server: Arc<Server>) {
    let mut greetings = Conversations::with_room(MOST_GREETINGS);
    loop {
        let (tcp, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(error).await;
                continue;
            }
        };
        let server = Arc::clone(&server);
        greetings.begin(async move {
            let tls = Arc::clone(&server.serve.load().tls);
            match handshake(tcp, &tls).await {
                Ok(stream) => match Arc::clone(&server.room).try_acquire_owned() {
                    Ok(place) => drop(tokio::spawn(converse(stream, peer.ip(), tls, server, place))),
                    Err(_) => server.refuse(peer.ip(), Refusal::Full),
                },
                Err(refusal) => server.refuse(peer.ip(), refusal),
            }
        });
    }
}

/// A node's questions, one after the other.
async fn converse(
    stream: TlsStream<TcpStream>,
    peer: IpAddr,
    tls: Arc<ServerConfig>,
    server: Arc<Server>,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(|request| {
        let (server, tls) = (&server, &tls);
        async move {
            let mut response = answer(server, peer, &request).await;
            if !Arc::ptr_eq(tls, &server.serve.load().tls) {
                // A reload may have other CAs: the node shows its certificate anew.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    // A node that breaks HTTP, or leaves, knows that better than anybody here. One that leaves while it waits is noticed.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer<B>(server: &Server, peer: IpAddr, request: &Request<B>) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return text(StatusCode::NOT_FOUND, "not found; /ring is what there is\n");
    }
    if let Some(refusal) = refusal_of_method(request.method()) {
        return refusal;
    }
    let asked = match Asked::read(request.headers()) {
        Ok(asked) => asked,
        Err(what) => {
            server.refuse(peer, Refusal::Node);
            return text(StatusCode::BAD_REQUEST, what);
        }
    };
    // What it holds is believed, so it must not be what no ring could follow.
    if !server.keys.ring().epoch().reaches(asked.holds) {
        server.refuse(peer, Refusal::Node);
        return text(StatusCode::BAD_REQUEST, "Raincheck-Holds: an epoch that no fleet comes to\n");
    }
    let (_visit, is_new) = server.nodes.visit(asked.node.clone(), asked.holds);
    if is_new {
        server.tell(Notice::Registered(asked.node));
    }
    let wait = asked.wait.filter(|_| request.method() == Method::GET);
    let until = Instant::now() + wait.unwrap_or_default();
    // Before the ring is looked at, lest one slip through in between.
    let mut published = server.keys.published();
    let mut reloaded = server.reloaded.subscribe();
    let mut response = loop {
        let ring = match server.keys.offered() {
            Ok(ring) => ring,
            Err(why) => {
                server.tally.polls_withheld.increment();
                return withheld(why);
            }
        };
        let tag = format!("\"{}\"", ring.epoch());
        // After a reload the node has it once more, for to an early "no" it would not come back at once.
        if !has_tag(request.headers(), &tag) || reloaded.has_changed().unwrap_or_default() {
            server.tally.polls_new.increment();
            break whole(&tag, Bytes::from_owner(ring.expose_encoded()));
        }
        let news = async {
            tokio::select! {
                _ = published.changed() => {}
                _ = reloaded.changed() => reloaded.mark_changed(),
            }
        };
        if timeout_at(until, news).await.is_err() {
            server.tally.polls_unchanged.increment();
            break unchanged(&tag);
        }
    };
    if asked.wait.is_some() {
        response.headers_mut().insert(wire::PREFERENCE_APPLIED, HeaderValue::from_static("wait"));
    }
    response
}

fn whole(tag: &str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = no_store(StatusCode::OK, tag, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(wire::RING));
    response
}

fn unchanged(tag: &str) -> Response<Full<Bytes>> {
    no_store(StatusCode::NOT_MODIFIED, tag, Bytes::new())
}

/// What a node says of itself.
#[derive(PartialEq, Eq, Debug)]
struct Asked {
    node: NodeName,
    /// The newest epoch it can open with.
    holds: Epoch,
    /// How long it would rather wait than hear that there is nothing newer; none if it did not say.
    wait: Option<Duration>,
}

impl Asked {
    fn read(headers: &HeaderMap) -> Result<Self, String> {
        let said = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        let node = said(wire::NODE).ok_or("a node says who it is in Raincheck-Node\n")?;
        let node = node.parse().map_err(|error| format!("Raincheck-Node: {error}\n"))?;
        let holds = said(wire::HOLDS).map_or(Ok(Epoch::NONE), str::parse);
        let holds = holds.map_err(|error| format!("Raincheck-Holds: {error}\n"))?;
        Ok(Self { node, holds, wait: said(wire::PREFER).and_then(read_wait) })
    }
}

/// `wait=30`, alone or among others, in seconds; no longer than anybody has to wait.
fn read_wait(preferences: &str) -> Option<Duration> {
    let wait = preferences.split([',', ';']).find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().parse().ok())?
    });
    wait.map(Duration::from_secs).map(|wait| wait.min(wire::WAIT))
}

const PATH: &str = "/ring";

/// Handshakes at once. Whoever comes then ends the oldest, which is one that does not go on.
const MOST_GREETINGS: usize = 256;

/// Connections of nodes, over all addresses.
pub(super) const MOST_NODES: usize = 20_000;

/// For a whole request, and between two: longer than a node keeps a connection that it does not use.
const IDLE: Duration = Duration::from_secs(75);

/// Bytes of request line and headers.
const LARGEST_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_to_wait_has_a_limit() {
        let seconds = |text| read_wait(text).map(|wait| wait.as_secs());
        let cases = [
            ("wait=5", Some(5)),
            ("respond-async, Wait = 7", Some(7)),
            ("wait=99999", Some(30)),
            ("wait=0", Some(0)),
            ("wait", None),
            ("wait=-1", None),
            ("wait=x", None),
            ("await=3", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn a_node_has_a_name_and_may_have_nothing() {
        let asked = |headers: &[(&'static str, &'static str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (hyper::header::HeaderName::from_static(name), HeaderValue::from_static(value)));
            Asked::read(&headers.collect())
        };
        let node: NodeName = "a".parse().unwrap();
        assert_eq!(asked(&[("raincheck-node", "a")]), Ok(Asked { node, holds: Epoch::NONE, wait: None }));
        assert_eq!(asked(&[("raincheck-node", "a"), ("raincheck-holds", "1.5")]).unwrap().holds.to_string(), "1.5");
        for headers in [
            &[][..],
            &[("raincheck-node", "")],
            &[("raincheck-node", "a b")],
            &[("raincheck-node", "a"), ("raincheck-holds", "five")],
        ] {
            assert!(asked(headers).is_err(), "{headers:?}");
        }
    }
}
