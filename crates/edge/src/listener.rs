//! Listening sockets: one for each worker on each address.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// Binds `address` once for each of `workers`; the kernel spreads connections over the sockets (SO_REUSEPORT).
///
/// The first socket is bound without sharing, so that an address somebody else has, another edge included, is refused
/// instead of shared.
///
/// # Errors
/// The socket's; `AddrInUse` for an address that is taken.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    // Port 0 is one of the system's choice: the others follow.
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..workers {
        let other = socket(address.as_socket().expect("bound to an IP address"))?;
        other.set_reuse_port(true)?;
        other.bind(&address)?;
        sockets.push(other);
    }
    sockets
        .into_iter()
        .map(|socket| {
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        })
        .collect()
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?; // connections in TIME_WAIT do not stop a restart
    if address.is_ipv6() {
        socket.set_only_v6(true)?; // 0.0.0.0 and [::] are two addresses
    }
    socket.set_tcp_nodelay(true)?; // accepted connections inherit it
    Ok(socket)
}

/// How many connections may wait to be accepted; the kernel has a limit of its own (net.core.somaxconn).
const BACKLOG: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_and_strangers_do_not() {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let address = sockets[0].local_addr().unwrap();
        assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
        let error = bind(address, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
