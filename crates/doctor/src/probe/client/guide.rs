//! What to do with a client, in words for whoever has one.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Ports;

/// What is served where, and how to go there.
pub(super) fn text(ports: &Ports) -> String {
    let mut text = format!(
        "browsers: open https://{}/ and watch\nlibraries: connect to each of these, as often as it says\n",
        reachable(ports.page)
    );
    for (scenario, address) in &ports.scenarios {
        let _ =
            writeln!(text, "  {:<15}  https://{}/  {}", scenario.as_str(), reachable(*address), scenario.description());
    }
    if let Some((scenario, address)) = ports.scenarios.first() {
        let _ = write!(text, "such as, for {}:\n{}{}", scenario.as_str(), lines(*address, 2), script(*address, 2));
    }
    let _ = writeln!(text, "then look at https://{}/verdicts", reachable(ports.page));
    text
}

/// Lines to copy that connect so many times, with one session.
pub(super) fn lines(address: SocketAddr, times: usize) -> String {
    let address = reachable(address);
    let urls = vec![format!("https://{address}/"); times].join(" ");
    format!(
        "  curl -k {urls}\n  \
         echo | openssl s_client -connect {address} -ign_eof -sess_out s.pem   # and from then on with -sess_in s.pem too\n"
    )
}

/// The same for Python, which has to be told of sessions.
fn script(address: SocketAddr, times: usize) -> String {
    let (host, port) = (reachable(address).ip(), address.port());
    format!(
        "  python3 -c 'import socket, ssl; c = ssl._create_unverified_context(); s = None\n\
         for _ in range({times}):\n    \
         t = c.wrap_socket(socket.create_connection((\"{host}\", {port})), session=s); t.sendall(b\"GET / HTTP/1.0\\r\\n\\r\\n\")\n    \
         print(t.recv(9999).decode()); s = t.session; t.unwrap()'\n"
    )
}

/// An address that a client on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
