//! Addresses that no other test has.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

/// A loopback address and port nobody listens on.
///
/// The whole of 127.0.0.0/8 is loopback. The address is made of the process ID and the port counts up, so that tests in
/// parallel, in this process or another, cannot meet, and nothing has to be bound and let go first. Nobody else's
/// outgoing connection takes the port either: those leave from 127.0.0.1, which no process ID gives.
pub fn unused() -> SocketAddr {
    static PORT: AtomicU16 = AtomicU16::new(10_000);
    let port = PORT.fetch_add(1, Ordering::Relaxed);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(127, high | 0x80, middle, low), port))
}

/// A port that nobody listens on at any address of this machine: for who wants all of them.
///
/// Above what [`unused`] counts up to, below what the kernel chooses from.
pub fn unused_everywhere() -> u16 {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let spread = std::process::id() * 8 + u32::from(COUNT.fetch_add(1, Ordering::Relaxed));
    20_000 + u16::try_from(spread % 12_000).expect("smaller than 12,000")
}
