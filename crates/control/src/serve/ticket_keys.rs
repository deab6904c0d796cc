//! `GET /ticket-keys`: three lines for HAProxy, and for whatever else polls.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use hyper::http::uri::Authority;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use raincheck_keyring::{KeySize, Layout, Product, Slot, Slots, TicketKey, UnixTime};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Server;
use super::answer::{has_tag, no_store, refusal_of_method, text, withheld};
use super::listen::handshake;
use super::network::Network;
use super::refused::Refusal;
use crate::Withheld;
use crate::admin::{Conversations, pause_after};

/// Where the lines are served, to whom, and which.
#[derive(Debug, Clone)]
pub struct TicketKeys {
    /// At least one; all of them loopback if there is no TLS.
    pub listen: Vec<SocketAddr>,
    /// With client certificates asked for, but not required, if they admit; none: plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether a client certificate admits; `tls` says whose.
    pub by_certificate: bool,
    /// Who is admitted without one.
    pub allow: Vec<Network>,
    /// All keys are of this size.
    pub size: KeySize,
    /// Which of the ring's keys they are made from: three slots.
    pub slots: Slots,
}

/// Answers pollers on `listener`, for ever.
pub(super) async fn serve(listener: TcpListener, server: Arc<Server>) {
    let mut conversations = Conversations::with_room(MOST);
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => {
                let server = Arc::clone(&server);
                conversations.begin(async move {
                    if timeout(LIFETIME, converse(tcp, peer.ip(), &server)).await.is_err() {
                        server.refuse(peer.ip(), Refusal::Silent);
                    }
                });
            }
            Err(error) => pause_after(error).await,
        }
    }
}

/// One question and its answer.
async fn converse(tcp: TcpStream, peer: IpAddr, server: &Server) {
    let serve = server.serve.load_full();
    // A reload that takes the table away takes a restart to do so.
    let Some(config) = &serve.ticket_keys else { return };
    let is_allowed = config.allow.iter().any(|network| network.contains(peer));
    let Some(tls) = &config.tls else {
        return answer_on(TokioIo::new(tcp), is_allowed, config, peer, server).await;
    };
    match handshake(tcp, tls).await {
        Ok(stream) => {
            let has_certificate = stream.get_ref().1.peer_certificates().is_some();
            answer_on(TokioIo::new(stream), is_allowed || has_certificate, config, peer, server).await;
        }
        Err(refusal) => server.refuse(peer, refusal),
    }
}

async fn answer_on(
    io: impl Read + Write + Unpin,
    is_admitted: bool,
    config: &TicketKeys,
    peer: IpAddr,
    server: &Server,
) {
    let service = service_fn(|request| {
        // Without TLS a page of any site, in a browser on this machine, could make its own name lead here.
        let is_meant = config.tls.is_some() || names_this_machine(&request);
        let response = match (is_admitted, is_meant) {
            (true, true) => answer(config, server, &request),
            (true, false) => text(StatusCode::FORBIDDEN, OTHER_HOST),
            (false, _) => {
                server.refuse(peer, Refusal::Address);
                text(StatusCode::FORBIDDEN, NOT_ADMITTED)
            }
        };
        std::future::ready(Ok::<_, Infallible>(response))
    });
    // Whoever breaks HTTP, or leaves, has nobody here who would want to know.
    let _ = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .half_close(true)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(io, service)
        .await;
}

/// Whether a request names its host by address, or as localhost, or not at all.
fn names_this_machine<B>(request: &Request<B>) -> bool {
    let Some(host) = request.headers().get(HOST) else { return true };
    let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    host.is_some_and(|host| {
        let host = host.host().trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok()
    })
}

fn answer<B>(config: &TicketKeys, server: &Server, request: &Request<B>) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return text(StatusCode::NOT_FOUND, "not found; /ticket-keys is what there is\n");
    }
    if let Some(refusal) = refusal_of_method(request.method()) {
        return refusal;
    }
    let offered = server.keys.offered().map(|ring| {
        let slots = config.slots.fill(&ring, Product::HaProxy, config.size);
        let newest = ring.entries().next().expect("a ring is never empty");
        (slots, newest.since)
    });
    let (slots, made) = match offered {
        Ok(offered) => offered,
        Err(why) => return withheld(why),
    };
    let Some(lines) = three_lines(&slots, config.size) else { return withheld(Withheld::NoRing) };
    let tag = tag(&lines, config.size);
    let modified = server.versions.modified(&tag, made);
    let mut response = if is_unchanged(request.headers(), &tag, &modified) {
        server.tally.lines_unchanged.increment();
        no_store(StatusCode::NOT_MODIFIED, &tag, Bytes::new())
    } else {
        server.tally.lines.increment();
        let mut response = no_store(StatusCode::OK, &tag, Bytes::from_owner(written(&lines)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    };
    let modified = HeaderValue::try_from(modified).expect("a date is ASCII");
    response.headers_mut().insert(LAST_MODIFIED, modified);
    response
}

/// Previous, issuing, next: HAProxy takes no fewer, seals with the last but one, and a key that is pushed takes the place
/// of the first.
///
/// A ring that has just begun has no previous key: one that never sealed stands there. While it has no next one either,
/// the issuing one stands in its place too, so that the next key, when it is pushed, leaves it the issuing one.
fn three_lines(slots: &[Slot], size: KeySize) -> Option<[Line<'_>; 3]> {
    let unused = |key: &TicketKey| Line::Unused(Product::HaProxy.key(key, size));
    match slots {
        [] => None,
        [issuing] => Some([unused(&issuing.key), Line::Key(&issuing.key), Line::Key(&issuing.key)]),
        [issuing, next] => Some([unused(&issuing.key), Line::Key(&issuing.key), Line::Key(&next.key)]),
        [.., previous, issuing, next] => Some([previous, issuing, next].map(|slot| Line::Key(&slot.key))),
    }
}

enum Line<'a> {
    Key(&'a TicketKey),
    Unused(TicketKey),
}

impl Line<'_> {
    fn key(&self) -> &TicketKey {
        match self {
            Self::Key(key) => key,
            Self::Unused(key) => key,
        }
    }
}

fn written(lines: &[Line<'_>]) -> Zeroizing<Vec<u8>> {
    // In its full size from the start: if it grew, a copy would be left behind.
    let mut text = Zeroizing::new(Vec::with_capacity(lines.len() * LONGEST_LINE));
    for line in lines {
        let key = Layout::HaProxy.encode(line.key()).expect("its own keys fit HAProxy");
        let mut base64 = Zeroizing::new([0; LONGEST_LINE]);
        let length = STANDARD.encode_slice(&*key, &mut *base64).expect("80 bytes are the most");
        text.extend_from_slice(&base64[..length]);
        text.push(b'\n');
    }
    text
}

/// Names are public, and no two keys have the same.
fn tag(lines: &[Line<'_>], size: KeySize) -> String {
    let names: Vec<u8> = lines.iter().flat_map(|line| *line.key().name().as_bytes()).collect();
    let digest = digest(&SHA256, &names);
    let (short, _) = digest.as_ref().split_first_chunk().expect("32 bytes");
    format!("\"{:016x}-{}\"", u64::from_be_bytes(*short), 8 * size.cipher_len())
}

/// RFC 9110 §13.2.2: If-Modified-Since counts where there is no If-None-Match. It has to be the very date: an earlier one
/// may be that of other keys if a clock was set back, and so may a later one.
fn is_unchanged(headers: &HeaderMap, tag: &str, modified: &str) -> bool {
    match headers.contains_key(IF_NONE_MATCH) {
        true => has_tag(headers, tag),
        false => headers.get(IF_MODIFIED_SINCE).is_some_and(|since| since.as_bytes() == modified.as_bytes()),
    }
}

/// When the lines became what they are. Dates have whole seconds, and no two versions in a row have the same.
#[derive(Debug, Default)]
pub(super) struct Versions(Mutex<Option<(String, u64)>>);

impl Versions {
    fn modified(&self, tag: &str, made: UnixTime) -> String {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = made.as_millis() / 1000;
        let seconds = match &*last {
            Some((known, seconds)) if known == tag => *seconds,
            Some((_, seconds)) if *seconds == made => made + 1,
            _ => made,
        };
        *last = Some((tag.to_owned(), seconds));
        httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

const PATH: &str = "/ticket-keys";
const OTHER_HOST: &str = "without TLS the URL must name this machine: 127.0.0.1, [::1] or localhost\n";
const NOT_ADMITTED: &str = "not admitted; show a certificate of a CA in serve.ticket-keys.client-ca, or have your address \
                            added to serve.ticket-keys.allow\n";

/// Base64 of 80 bytes, and the end of the line.
const LONGEST_LINE: usize = 109;

/// Connections at once. Whoever comes then ends the oldest, which is one that does not ask.
const MOST: usize = 256;

/// How long a connection may last.
const LIFETIME: Duration = Duration::from_secs(10);

/// Bytes of request line and headers.
const LARGEST_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests;
