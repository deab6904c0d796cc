//! Listening sockets: one for each worker on each address.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use crate::config::collide;

/// An address as a listener asks for it: what is known by the same one keeps its sockets across a reload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// The same address, whoever asks.
    Address(SocketAddr),
    /// Port 0 is a new port each time.
    AnyPort {
        /// With the port 0.
        address: SocketAddr,
        /// The name of the listener that asks.
        listener: String,
        /// How many of this address it has asked for before.
        index: usize,
    },
}

impl Wanted {
    /// What the listener of this name asks for with `bind`.
    pub fn by(listener: &str, bind: &[SocketAddr]) -> Vec<Self> {
        let wanted = |(position, address): (usize, &SocketAddr)| match address.port() {
            0 => Self::AnyPort {
                address: *address,
                listener: listener.to_owned(),
                index: bind[..position].iter().filter(|earlier| *earlier == address).count(),
            },
            _ => Self::Address(*address),
        };
        bind.iter().enumerate().map(wanted).collect()
    }

    /// Whether what arrives at `other` is for this one: it is the same, or this one is all addresses of its port.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(all), Self::Address(one)) if all.ip().is_unspecified() => collide(*all, *one),
            _ => self == other,
        }
    }

    /// The address, with the port that was asked for.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Address(address) | Self::AnyPort { address, .. } => *address,
        }
    }
}

/// Who may be bound already to an address that another one includes, such as 127.0.0.1 and 0.0.0.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbours {
    /// Nobody.
    None,
    /// This edge. The kernel then cannot tell it from another process of the same user that has such an address and shares
    /// it (SO_REUSEPORT); that one keeps its connections.
    Ours,
}

/// The sockets of an address, one for each worker. No connection reaches them yet.
#[derive(Debug)]
pub struct Bound(Vec<Socket>);

/// Binds `address` once for each of `workers`; the kernel spreads connections over the sockets (SO_REUSEPORT).
///
/// The first socket is bound without sharing, so that an address somebody else has, another edge included, is refused
/// instead of shared.
///
/// # Errors
/// The socket's; `AddrInUse` for an address that is taken.
pub fn bind(address: SocketAddr, workers: usize, neighbours: Neighbours) -> io::Result<Bound> {
    let first = socket(address)?;
    first.set_reuse_port(neighbours == Neighbours::Ours)?;
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
    Ok(Bound(sockets))
}

impl Bound {
    /// From now on connections queue.
    ///
    /// # Errors
    /// The socket's.
    pub fn listen(self) -> io::Result<Vec<TcpListener>> {
        let listen = |socket: Socket| {
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        };
        self.0.into_iter().map(listen).collect()
    }
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
    fn each_port_0_is_one_of_its_own_and_stays_that() {
        let [any, other, fixed]: [SocketAddr; 3] =
            ["127.0.0.1:0", "[::1]:0", "127.0.0.1:443"].map(|text| text.parse().unwrap());
        let wanted = Wanted::by("web", &[any, other, fixed, any]);
        assert!((1..4).all(|index| !wanted[..index].contains(&wanted[index])), "{wanted:?}");
        // Others around them change nothing; only who asks for any port does.
        assert_eq!(Wanted::by("web", &[fixed, any, any]), [2, 0, 3].map(|index| wanted[index].clone()));
        let renamed = Wanted::by("app", &[any, fixed]);
        assert!(!wanted.contains(&renamed[0]) && wanted.contains(&renamed[1]));
        assert!(wanted.iter().map(Wanted::address).eq([any, other, fixed, any]));
    }

    #[test]
    fn all_addresses_of_a_port_cover_each() {
        let cases = [
            ("127.0.0.1:443", "127.0.0.1:443", true),
            ("0.0.0.0:443", "127.0.0.1:443", true),
            ("127.0.0.1:443", "0.0.0.0:443", false),
            ("0.0.0.0:443", "127.0.0.1:444", false),
            ("0.0.0.0:443", "[::1]:443", false),
            ("[::]:443", "[::1]:443", true),
        ];
        for (one, other, expected) in cases {
            let [one, other] = [one, other].map(|text| Wanted::Address(text.parse().unwrap()));
            assert_eq!(one.covers(&other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn workers_share_and_strangers_do_not() {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), 3, Neighbours::None).unwrap().listen().unwrap();
        let address = sockets[0].local_addr().unwrap();
        assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
        let everywhere = SocketAddr::from(([0, 0, 0, 0], address.port()));
        for taken in [address, everywhere] {
            let error = bind(taken, 1, Neighbours::None).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        }
        bind(everywhere, 3, Neighbours::Ours).unwrap().listen().unwrap();
        // Whoever does not share is a stranger all the same.
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
        let everywhere = SocketAddr::from(([0, 0, 0, 0], stranger.local_addr().unwrap().port()));
        let error = bind(everywhere, 1, Neighbours::Ours).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
