//! A place in a direction's bytes, as TCP counts it.

/// A sequence number: modulo 2³², so that it has no order of its own (RFC 9293 §3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequence(u32);

impl Sequence {
    pub(super) fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number `bytes` further on, or before it where that is negative.
    pub(super) fn plus(self, bytes: i64) -> Self {
        // What is cut off is whole turns of 2³².
        Self(self.0.wrapping_add(bytes as u32))
    }

    /// How far it is from `other` to here, the shorter way round: negative where `other` is further on.
    pub(super) fn distance_from(self, other: Self) -> i64 {
        i64::from(self.0.wrapping_sub(other.0) as i32)
    }

    /// How far it is from `other` forward to here: up to 4 GB.
    pub(super) fn forward_from(self, other: Self) -> i64 {
        i64::from(self.0.wrapping_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::Sequence;

    #[test]
    fn numbers_wrap() {
        for (from, to, distance, forward) in [
            (0, 0, 0, 0),
            (5, 8, 3, 3),
            (8, 5, -3, 0xffff_fffd),
            (0xffff_fffe, 1, 3, 3),
            (1, 0xffff_fffe, -3, 0xffff_fffd),
            (0, 0x7fff_ffff, 0x7fff_ffff, 0x7fff_ffff),
        ] {
            let (from, to) = (Sequence::new(from), Sequence::new(to));
            assert_eq!((to.distance_from(from), to.forward_from(from)), (distance, forward), "{from:?} to {to:?}");
            assert_eq!(from.plus(distance), to);
            assert_eq!(from.plus(forward), to);
            assert_eq!(from.plus(distance + (1 << 40)), to);
        }
    }
}
