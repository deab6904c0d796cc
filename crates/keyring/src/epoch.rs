//! Which ring is the newer one.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The number of a ring: it only grows, with each ring that replaces another.
///
/// Whoever makes a fleet's rings counts; who takes them refuses a lower number than it has had. The
/// generation is an operator's word: it grows when the count cannot be relied on any more, because
/// the store was set back to an earlier state, or because another server makes the rings now.
///
/// Displays and parses as generation and counter, `1.57`.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Epoch {
    /// Compared first.
    pub generation: u64,
    /// Goes on through generations, so that no two keys of a fleet have the same.
    pub counter: u64,
}

impl Epoch {
    /// Before the first: the number of a ring that nobody else has.
    pub const NONE: Self = Self { generation: 0, counter: 0 };

    /// Bytes in an epoch.
    pub const LEN: usize = 16;

    /// Generation and counter, 8 bytes each, big-endian: in bytes, too, the newer is the greater.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        (((self.generation as u128) << 64) | self.counter as u128).to_be_bytes()
    }

    /// What [`to_bytes`](Self::to_bytes) made; any bytes are an epoch.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let number = u128::from_be_bytes(bytes);
        Self { generation: (number >> 64) as u64, counter: number as u64 }
    }

    /// Whether a fleet that is here now may ever get there: a rotation each second takes 136 years to do so. Whoever names
    /// a later one would have the numbers end.
    pub const fn reaches(self, later: Self) -> bool {
        later.generation.saturating_sub(self.generation) < LONGEST_STRIDE
            && later.counter.saturating_sub(self.counter) < LONGEST_STRIDE
    }

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        self.next_in(self.generation)
    }

    /// The one after this, in this generation or a later one.
    #[must_use]
    pub const fn next_in(self, generation: u64) -> Self {
        let generation = if generation > self.generation { generation } else { self.generation };
        Self { generation, counter: self.counter.saturating_add(1) }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.generation, self.counter)
    }
}

impl FromStr for Epoch {
    type Err = NoEpoch;

    fn from_str(text: &str) -> Result<Self, NoEpoch> {
        let (generation, counter) = text.split_once('.').ok_or(NoEpoch)?;
        // `parse` would let a sign pass.
        let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_digit()));
        Ok(Self { generation: number(generation).ok_or(NoEpoch)?, counter: number(counter).ok_or(NoEpoch)? })
    }
}

const LONGEST_STRIDE: u64 = 1 << 32;

/// A text that is no epoch.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
#[error("not an epoch, which is a generation and a counter such as 1.57")]
pub struct NoEpoch;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_only_grow() {
        let epoch = |text: &str| text.parse::<Epoch>().unwrap();
        assert_eq!(epoch("1.57").next(), epoch("1.58"));
        assert_eq!(epoch("1.57").next_in(3), epoch("3.58"));
        assert_eq!(epoch("3.57").next_in(1), epoch("3.58"));
        assert!(epoch("2.1") > epoch("1.57") && epoch("1.57") > epoch("1.6") && epoch("0.0") == Epoch::NONE);
    }

    #[test]
    fn an_epoch_that_no_fleet_comes_to_is_out_of_reach() {
        let epoch = |text: &str| text.parse::<Epoch>().unwrap();
        for (here, there, expected) in [
            ("1.57", "1.58", true),
            ("1.57", "1.2", true),
            ("2.57", "1.4294967000", true),
            ("1.57", "1.18446744073709551615", false),
            ("1.57", "18446744073709551615.57", false),
        ] {
            assert_eq!(epoch(here).reaches(epoch(there)), expected, "{here} {there}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let epoch = Epoch { generation: u64::MAX, counter: 7 };
        assert_eq!(epoch.to_string().parse(), Ok(epoch));
        assert_eq!(Epoch::from_bytes(epoch.to_bytes()), epoch);
        assert_eq!(epoch.to_bytes()[7..], [255, 0, 0, 0, 0, 0, 0, 0, 7]);
        for text in ["", ".", "1", "1.", ".1", "+1.2", "1.-2", "1.2.3", "18446744073709551616.0", " 1.2", "a.b"] {
            assert_eq!(text.parse::<Epoch>(), Err(NoEpoch), "{text}");
        }
    }
}
