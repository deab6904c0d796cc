//! Keys that anybody could guess.
//!
//! They were found in service: an all-zero key until the first rotation (CVE-2020-13777), and 1,923
//! hosts of the top million ("We Really Need to Talk About Session Tickets", USENIX Security 2023)
//! under keys that were zero, constant, half filled, or copied from a standard. A random key looks
//! like one of these less than once in 2^60.

use std::fmt;

/// What is wrong with the bytes of a key, or `None` if nothing is to be seen.
///
/// The bytes are judged as a whole and in blocks of 16, because half a key that anyone knows is no
/// key either. Bytes after the last whole block are judged in the last 16; fewer than 16 only as a
/// whole.
pub fn degenerate(bytes: &[u8]) -> Option<Degenerate> {
    let whole = pattern(bytes).map(|pattern| Degenerate { pattern, whole: true });
    whole.or_else(|| blocks(bytes).find_map(pattern).map(|pattern| Degenerate { pattern, whole: false }))
}

/// Whether two of the 16-byte blocks of `bytes` are equal.
pub fn has_equal_blocks(bytes: &[u8]) -> bool {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    (1..blocks.len()).any(|i| blocks[..i].contains(&blocks[i]))
}

/// How the bytes of a key can be guessed, and whether it is all of them or 16 in a row.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Degenerate {
    /// How they can be guessed.
    pub pattern: Pattern,
    /// All of the bytes, or 16 of them.
    pub whole: bool,
}

impl Degenerate {
    /// Says so of `part` of a key, in words.
    pub fn of(self, part: impl fmt::Display) -> String {
        let Self { pattern, whole } = self;
        let bytes = if whole { "the bytes" } else { "16 bytes in a row" };
        format!("{bytes} of the {part} {pattern}")
    }
}

/// How bytes can be guessed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Pattern {
    /// Nothing but zero.
    Zero,
    /// One other byte, over and over.
    Constant,
    /// Each byte is the one before plus the same step (modulo 256).
    Counting,
    /// The same few bytes over and over; the period in bytes.
    Repeated(usize),
    /// Printed in a standard; its name.
    Published(&'static str),
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("are all zero"),
            Self::Constant => f.write_str("are all the same"),
            Self::Counting => f.write_str("count up or down in equal steps"),
            Self::Repeated(period) => write!(f, "are the same {period} bytes over and over"),
            Self::Published(standard) => write!(f, "are printed in {standard} for all to read"),
        }
    }
}

fn pattern(bytes: &[u8]) -> Option<Pattern> {
    let (&first, rest) = bytes.split_first()?;
    if rest.iter().all(|&byte| byte == first) {
        return Some(if first == 0 { Pattern::Zero } else { Pattern::Constant });
    }
    if is_counting(bytes) {
        return Some(Pattern::Counting);
    }
    let period = PERIODS.into_iter().find(|&period| repeats(bytes, period));
    period.map(Pattern::Repeated).or_else(|| published(bytes))
}

fn is_counting(bytes: &[u8]) -> bool {
    let step = |pair: &[u8]| pair[1].wrapping_sub(pair[0]);
    let mut steps = bytes.windows(2).map(step);
    let first = steps.next();
    // Two bytes always count: that says nothing.
    bytes.len() > 2 && steps.all(|step| Some(step) == first)
}

fn repeats(bytes: &[u8], period: usize) -> bool {
    bytes.len() >= 2 * period && bytes[period..] == bytes[..bytes.len() - period]
}

fn published(bytes: &[u8]) -> Option<Pattern> {
    PUBLISHED.iter().find(|(key, _)| bytes == *key).map(|&(_, standard)| Pattern::Published(standard))
}

/// The aligned blocks of 16 bytes, and the last 16 bytes where those are not one of them.
fn blocks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let aligned = bytes.chunks_exact(BLOCK);
    let last = if aligned.remainder().is_empty() { None } else { bytes.last_chunk::<BLOCK>() };
    aligned.chain(last.map(<[u8; BLOCK]>::as_slice))
}

const BLOCK: usize = 16;

/// Shorter ones first, so that the shortest is named. 1 is `Constant`; 16 and 32 are whole keys
/// that hold equal blocks.
const PERIODS: [usize; 5] = [2, 4, 8, 16, 32];

/// Keys that standards print, in blocks of 16 where they are longer. Those that count (FIPS-197
/// appendix C) or repeat (RFC 4231) need no entry.
const PUBLISHED: [(&[u8; BLOCK], &str); 7] = [
    (&0x2b7e151628aed2a6abf7158809cf4f3c_u128.to_be_bytes(), "FIPS-197 and NIST SP 800-38A"),
    (&0x603deb1015ca71be2b73aef0857d7781_u128.to_be_bytes(), "FIPS-197 and NIST SP 800-38A"),
    (&0x1f352c073b6108d72d9810a30914dff4_u128.to_be_bytes(), "FIPS-197 and NIST SP 800-38A"),
    (&0x8e73b0f7da0e6452c810f32b809079e5_u128.to_be_bytes(), "FIPS-197 and NIST SP 800-38A"),
    (&0xfeffe9928665731c6d6a8f9467308308_u128.to_be_bytes(), "the GCM specification"),
    (&0xae6852f8121067cc4bf7a5765577f39e_u128.to_be_bytes(), "RFC 3686"),
    (&0x7e24067817fae0d743d6ce1f32539163_u128.to_be_bytes(), "RFC 3686"),
];

#[cfg(test)]
mod tests;
