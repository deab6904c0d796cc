//! Which connection a segment belongs to.

use std::hash::{DefaultHasher, Hasher as _};
use std::net::{IpAddr, SocketAddr};

/// The two addresses of a connection, the same whichever way a segment goes. 40 bytes, where two `SocketAddr` are 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    lower: [u64; 2],
    higher: [u64; 2],
    ports: (u16, u16),
}

/// An end of a connection, told apart by nothing but its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Lower,
    Higher,
}

impl Pair {
    /// The pair, and which end of it `source` is.
    pub(super) fn of(source: SocketAddr, destination: SocketAddr) -> (Self, End) {
        let (source, destination) = (number(source), number(destination));
        if source <= destination {
            (Self::new(source, destination), End::Lower)
        } else {
            (Self::new(destination, source), End::Higher)
        }
    }

    fn new(lower: ([u64; 2], u16), higher: ([u64; 2], u16)) -> Self {
        Self { lower: lower.0, higher: higher.0, ports: (lower.1, higher.1) }
    }

    /// SipHash, and not one of the faster ones: who writes a capture chooses the addresses in it, and
    /// so that nobody can choose ones that fall together, `seed` is nobody's to know.
    pub(super) fn hash(&self, seed: u64) -> u64 {
        let ports = u64::from(self.ports.0) << 16 | u64::from(self.ports.1);
        let words = [seed, self.lower[0], self.lower[1], self.higher[0], self.higher[1], ports];
        let mut hasher = DefaultHasher::new();
        // At once, for each call costs as much as a word does.
        hasher.write(words.map(u64::to_ne_bytes).as_flattened());
        hasher.finish()
    }
}

impl std::ops::Not for End {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Lower => Self::Higher,
            Self::Higher => Self::Lower,
        }
    }
}

fn number(address: SocketAddr) -> ([u64; 2], u16) {
    let bits = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    ([(bits >> 64) as u64, bits as u64], address.port())
}

#[cfg(test)]
mod tests {
    use super::{End, Pair};

    #[test]
    fn both_ways_are_one_pair() {
        for (a, b) in [
            ("10.0.0.1:5", "10.0.0.2:4"),
            ("10.0.0.1:5", "10.0.0.1:6"),
            ("[fe80::1]:443", "[fe80::2]:443"),
            ("10.0.0.1:443", "[::1]:443"),
        ] {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            let (there, from) = Pair::of(a, b);
            let (back, to) = Pair::of(b, a);
            assert_eq!((there, from), (back, !to));
            assert_eq!(there.hash(1), back.hash(1));
            assert_ne!(there.hash(1), there.hash(2), "a seed counts");
        }
    }

    #[test]
    fn ports_belong_to_their_addresses() {
        let pair = |a: &str, b: &str| Pair::of(a.parse().unwrap(), b.parse().unwrap());
        assert_ne!(pair("10.0.0.1:5", "10.0.0.2:6").0, pair("10.0.0.1:6", "10.0.0.2:5").0);
        assert_eq!(pair("10.0.0.1:5", "10.0.0.2:6").1, End::Lower);
    }
}
