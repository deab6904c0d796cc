//! The PROXY protocol, accepted and sent.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use raincheck_tests::client::{Ending, Version};
use raincheck_tests::config::{Config, Listener, Upstream as Servers, quoted};
use raincheck_tests::deadline;
use raincheck_tests::edge::Edge;
use raincheck_tests::hello::{Answered, Hello, send};
use raincheck_tests::raw::REQUEST;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n";
const V1_6: &[u8] = b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";

/// What [`V1`] says, in version 2.
fn v2() -> Vec<u8> {
    [
        SIGNATURE,
        &[0x21, 0x11, 0, 12],
        &[192, 0, 2, 7],
        &[198, 51, 100, 1],
        &40_000_u16.to_be_bytes(),
        &443_u16.to_be_bytes(),
    ]
    .concat()
}

/// The same with something behind the addresses (a PP2_TYPE_NOOP), to be passed over.
fn v2_with_more() -> Vec<u8> {
    let mut header = [&v2()[..], &[4, 0, 3, 1, 2, 3]].concat();
    header[15] = 18;
    header
}

/// A header as far as its addresses go, and what follows it. What an edge adds behind the addresses in version 2 is its
/// own affair, but has to be as long as it says.
fn split(start: &[u8]) -> (Vec<u8>, Vec<u8>) {
    if !start.starts_with(SIGNATURE) {
        let end = start.windows(2).position(|pair| pair == b"\r\n").expect("a line") + 2;
        return (start[..end].to_vec(), start[end..].to_vec());
    }
    let length = usize::from(u16::from_be_bytes([start[14], start[15]]));
    let mut header = start[..28].to_vec();
    header[14..16].copy_from_slice(&[0, 12]);
    (header, start[16 + length..].to_vec())
}

/// The balancer's own connection.
fn v2_local() -> Vec<u8> {
    [SIGNATURE, &[0x20, 0, 0, 0]].concat()
}

/// An edge that accepts the header or not, and sends what `send` says, if anything.
fn edge(site: &Site, app: &Upstream, accept: bool, send: Option<&str>) -> Edge {
    let servers = Servers::new("app", &[app.address()]);
    let servers = send.into_iter().fold(servers, |servers, version| servers.set("send-proxy", quoted(version)));
    let listener = Listener::new("web", &site.certificate).set("accept-proxy", accept);
    Edge::start(&site.scratch, Config::new(&site.scratch).listener(listener).upstream(servers))
}

/// Connects with this in front, in `pieces` writes, makes a request, and gives the client's own address.
fn visit(site: &Site, address: SocketAddr, header: &[u8], pieces: usize) -> SocketAddr {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    for piece in header.chunks(header.len().div_ceil(pieces).max(1)) {
        socket.write_all(piece).unwrap();
    }
    let own = socket.local_addr().unwrap();
    let mut connection = site.raw(Version::Tls13).handshake(socket, NAME).unwrap();
    connection.write(REQUEST);
    let (answer, ending) = connection.read_to_end();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(ending, Ending::Clean);
    connection.close();
    own
}

#[test]
fn what_was_accepted_in_either_version_is_sent_in_either() {
    let site = Site::new();
    for (send, expected) in [("v1", V1.to_vec()), ("v2", v2())] {
        let app = Upstream::http();
        let edge = edge(&site, &app, true, Some(send));
        let headers = [V1.to_vec(), v2(), v2_with_more()];
        for (index, header) in headers.iter().enumerate() {
            visit(&site, edge.address("web"), header, 1);
            let (sent, rest) = split(&app.ended(index).start);
            assert_eq!(sent, expected, "{send}");
            assert_eq!(rest, REQUEST);
        }
    }
}

#[test]
fn ipv6_goes_through() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = edge(&site, &app, true, Some("v1"));
    visit(&site, edge.address("web"), V1_6, 1);
    assert!(app.ended(0).start.starts_with(V1_6), "{}", String::from_utf8_lossy(&app.ended(0).start));
}

#[test]
fn a_header_in_single_bytes_is_fine() {
    let site = Site::new();
    for header in [V1.to_vec(), v2()] {
        let app = Upstream::http();
        let edge = edge(&site, &app, true, Some("v1"));
        visit(&site, edge.address("web"), &header, header.len());
        assert!(app.ended(0).start.starts_with(V1));
    }
}

#[test]
fn where_none_is_accepted_the_real_address_is_sent() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = edge(&site, &app, false, Some("v1"));
    let own = visit(&site, edge.address("web"), b"", 1);
    let address = edge.address("web");
    let expected = format!("PROXY TCP4 {} {} {} {}\r\n", own.ip(), address.ip(), own.port(), address.port());
    let start = app.ended(0).start;
    assert!(start.starts_with(expected.as_bytes()), "{expected} {}", String::from_utf8_lossy(&start));
}

#[test]
fn a_connection_of_the_balancer_itself_keeps_its_own_address() {
    let site = Site::new();
    for header in [UNKNOWN.to_vec(), v2_local()] {
        let app = Upstream::http();
        let edge = edge(&site, &app, true, Some("v1"));
        let own = visit(&site, edge.address("web"), &header, 1);
        let start = String::from_utf8_lossy(&app.ended(0).start).into_owned();
        let of_own = format!("PROXY TCP4 {} ", own.ip());
        assert!(start.starts_with(&of_own) || start.starts_with("PROXY UNKNOWN\r\n"), "{start}");
    }
}

#[test]
fn nothing_is_sent_unless_asked_for() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = edge(&site, &app, true, None);
    visit(&site, edge.address("web"), V1, 1);
    assert_eq!(app.ended(0).start, REQUEST);
}

#[test]
fn the_access_log_has_the_accepted_address() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = edge(&site, &app, true, None);
    visit(&site, edge.address("web"), V1, 1);
    deadline::until("the line is there", || edge.access_log().contains("192.0.2.7:40000").then_some(()));
}

#[test]
fn a_missing_or_malformed_header_ends_the_connection_before_tls() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = edge(&site, &app, true, None);
    let hello = Hello::to(NAME).wire();
    let too_long = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff], &[0; 100]].concat();
    let bad: [&[u8]; 7] = [
        b"",
        b"PROXY\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n",
        b"PROXY TCP4 192.0.2.777 198.51.100.1 40000 443\r\n",
        &[b"PROXY TCP4 ", &[b'1'; 200][..]].concat(),
        &[SIGNATURE, &[0x31, 0x11, 0, 12], &[0; 12]].concat(),
        &too_long,
    ];
    for header in bad {
        let answered = send(edge.address("web"), &[header, &hello].concat());
        assert_eq!(answered, Answered::Nothing, "{}", String::from_utf8_lossy(header));
    }
    visit(&site, edge.address("web"), V1, 1);
}

#[test]
fn a_header_nobody_asked_for_is_no_tls() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = edge(&site, &app, false, None);
    let answered = send(edge.address("web"), &[V1, &Hello::to(NAME).wire()].concat());
    assert!(matches!(answered, Answered::Alert(_)), "{answered:?}");
}
