//! Which connection a segment belongs to.

use std::net::{IpAddr, SocketAddr};

use crate::digest::digest;

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

    /// Where tables have it.
    pub(super) fn hash(&self, factors: &Factors) -> u64 {
        let Self { lower, higher, ports } = self;
        let words = [lower[0], lower[1], higher[0], higher[1], u64::from(ports.0) << 16 | u64::from(ports.1)];
        let mut sum = factors.addend;
        for (word, factor) in words.iter().zip(&factors.of_words) {
            sum = sum.wrapping_add(factor.wrapping_mul((*word).into()));
        }
        (sum >> 64) as u64
    }
}

/// What the words of a pair are multiplied with to hash it: nobody's to know, for who writes a capture chooses the addresses in
/// it.
///
/// Whatever pairs are chosen, any two of them have any two hashes as often as by chance: the upper half of such a sum is strongly
/// universal (Lemire and Kaser, "Strongly Universal String Hashing is Fast", §2). That takes factors that are chosen after the
/// pairs, and hashes that nobody is shown, which a capture gives and a live connection might not. SipHash costs several times as
/// much, and was 4% of reading a capture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors {
    of_words: [u128; 5],
    addend: u128,
}

impl Factors {
    /// Those that `seed` makes.
    pub(super) fn new(seed: u64) -> Self {
        let word = |place: u64| u128::from(digest(seed, &place));
        let factor = |place: u64| word(2 * place) << 64 | word(2 * place + 1);
        Self { of_words: [0, 1, 2, 3, 4].map(factor), addend: factor(5) }
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
    use super::{End, Factors, Pair};

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
            let [one, other] = [1, 2].map(Factors::new);
            assert_eq!(there.hash(&one), back.hash(&one));
            assert_ne!(there.hash(&one), there.hash(&other), "a seed counts");
        }
    }

    #[test]
    fn ports_belong_to_their_addresses() {
        let pair = |a: &str, b: &str| Pair::of(a.parse().unwrap(), b.parse().unwrap());
        assert_ne!(pair("10.0.0.1:5", "10.0.0.2:6").0, pair("10.0.0.1:6", "10.0.0.2:5").0);
        assert_eq!(pair("10.0.0.1:5", "10.0.0.2:6").1, End::Lower);
    }

    #[test]
    fn neighbours_are_spread_as_by_chance() {
        let factors = Factors::new(7);
        let made = |a: [u8; 4], b: u16, c: u16| Pair::of((a, b).into(), ([10, 0, 0, 1], c).into()).0;
        let by_client_port = (0..=u16::MAX).map(|port| made([10, 9, 8, 7], port, 443)).collect::<Vec<_>>();
        let by_server_port = (0..=u16::MAX).map(|port| made([10, 9, 8, 7], 50_000, port)).collect();
        let by_client = (0..=u16::MAX).map(|low| made([10, 9, (low >> 8) as u8, low as u8], 50_000, 443)).collect();
        for pairs in [by_client_port, by_server_port, by_client] {
            // A table goes by the lowest bits, and tells those with the same apart by the highest seven.
            let mut filled = vec![0_u32; pairs.len()];
            let mut tags = [0_u32; 128];
            for pair in &pairs {
                let hash = pair.hash(&factors);
                filled[hash as usize % pairs.len()] += 1;
                tags[(hash >> 57) as usize] += 1;
            }
            let crowded = filled.iter().filter(|count| **count > 8).count();
            assert!(crowded < 16, "{crowded} places with more than 8, of which chance makes less than one");
            assert!(tags.iter().all(|count| (256..1024).contains(count)), "{tags:?}");
        }
    }
}
