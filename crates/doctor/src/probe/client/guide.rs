//! What to do with a client, in words for whoever has one.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Ports;

/// What is served where, and how to go there, for somebody who came, or could come, to the address `here`.
pub(super) fn text(ports: &Ports, here: IpAddr) -> String {
    let at = |address: SocketAddr| SocketAddr::new(reachable(here), address.port());
    let page = at(ports.page);
    let mut text =
        format!("browsers: open https://{page}/ and watch\nlibraries: connect to each of these, as often as it says\n");
    for (scenario, address) in &ports.scenarios {
        let (name, address) = (scenario.as_str(), at(*address));
        let _ = writeln!(text, "  {name:<15}  https://{address}/  {}", scenario.description());
    }
    if let Some((scenario, address)) = ports.scenarios.first() {
        let (name, address) = (scenario.as_str(), at(*address));
        let _ = write!(text, "such as, for {name}:\n{}{}", lines(address, 2), script(address, 2));
    }
    let _ = writeln!(text, "then look at https://{page}/verdicts");
    text
}

/// Lines to copy that connect so many times, with one session.
pub(super) fn lines(address: SocketAddr, times: usize) -> String {
    let urls = vec![format!("https://{address}/"); times].join(" ");
    format!(
        "  curl -k {urls}\n  \
         echo | openssl s_client -connect {address} -ign_eof -sess_out s.pem   # and from then on with -sess_in s.pem too\n"
    )
}

/// The same for Python, which has to be told of sessions.
fn script(address: SocketAddr, times: usize) -> String {
    let (host, port) = (address.ip(), address.port());
    format!(
        "  python3 -c 'import socket, ssl; c = ssl._create_unverified_context(); s = None\n\
         for _ in range({times}):\n    \
         t = c.wrap_socket(socket.create_connection((\"{host}\", {port})), session=s); t.sendall(b\"GET / HTTP/1.0\\r\\n\\r\\n\")\n    \
         print(t.recv(9999).decode()); s = t.session; t.unwrap()'\n"
    )
}

/// Where a client on this machine finds what listens on all addresses.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
