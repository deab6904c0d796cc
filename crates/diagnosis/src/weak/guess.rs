use std::fmt;

/// A key that anybody can guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// A byte over and over.
    Constant(u8),
    /// A byte 16 times, then 16 zeros.
    Half(u8),
    /// Bytes in equal steps.
    Counting {
        /// The first.
        from: u8,
        /// From each to the next, modulo 256.
        step: u8,
    },
    /// Four bytes over and over.
    Word([u8; 4]),
    /// A key that standards print.
    Published(Published),
}

/// A key that standards print, of those that do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// 2b7e1516...: 128 bits, FIPS-197 appendix A.1 and SP 800-38A.
    Bits128,
    /// 603deb10...: 256 bits, FIPS-197 appendix A.3 and SP 800-38A.
    Bits256,
}

impl Guess {
    /// All of them, the most likely first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let constant = (0..=u8::MAX).map(Self::Constant);
        let half = (1..=u8::MAX).map(Self::Half);
        // A file that counts from its beginning has its keys at multiples of 16.
        let up = (0..16).flat_map(|block| [0, 1].map(|first| Self::Counting { from: 16 * block + first, step: 1 }));
        let down =
            (0..16).flat_map(|block| [0, 1].map(|less| Self::Counting { from: 255 - 16 * block - less, step: 255 }));
        let wide = [Self::Counting { from: 0, step: 0x11 }]; // 00 11 22 33 ...
        let words = WORDS.into_iter().flat_map(|word| [word.to_be_bytes(), word.to_le_bytes()]).map(Self::Word);
        let published = [Self::Published(Published::Bits128), Self::Published(Published::Bits256)];
        constant.chain(up).chain(down).chain(wide).chain(words).chain(published).chain(half)
    }

    /// Whether `bytes` are any of them.
    pub(super) fn is_any(bytes: &[u8]) -> bool {
        Self::all().filter_map(|guess| guess.key(bytes.len())).any(|key| key.as_bytes() == bytes)
    }

    /// The key of `length` bytes, if this one can be as long: 16, 32 or 64.
    pub(super) fn key(self, length: usize) -> Option<Key> {
        let mut bytes = [0; LONGEST];
        let key = bytes.get_mut(..length)?;
        match self {
            Self::Constant(byte) => key.fill(byte),
            Self::Half(byte) if length == 32 => key[..16].fill(byte),
            Self::Counting { from, step } => {
                let mut next = from;
                for byte in key {
                    *byte = next;
                    next = next.wrapping_add(step);
                }
            }
            Self::Word(word) => key.chunks_exact_mut(word.len()).for_each(|place| place.copy_from_slice(&word)),
            Self::Published(Published::Bits128) if length == 16 => key.copy_from_slice(&BITS128.to_be_bytes()),
            Self::Published(Published::Bits256) if length == 32 => {
                key[..16].copy_from_slice(&BITS256[0].to_be_bytes());
                key[16..].copy_from_slice(&BITS256[1].to_be_bytes());
            }
            Self::Half(_) | Self::Published(_) => return None,
        }
        Some(Key { bytes, length })
    }
}

impl fmt::Display for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(0) => f.write_str("all zero"),
            Self::Constant(byte) => write!(f, "all 0x{byte:02x}"),
            Self::Half(byte) => write!(f, "16 times 0x{byte:02x}, then zero"),
            Self::Counting { from, step: 1 } => write!(f, "counting up from 0x{from:02x}"),
            Self::Counting { from, step: 255 } => write!(f, "counting down from 0x{from:02x}"),
            Self::Counting { from, step } => write!(f, "counting from 0x{from:02x} in steps of 0x{step:02x}"),
            Self::Word(word) => write!(f, "0x{:08x} over and over", u32::from_be_bytes(*word)),
            Self::Published(_) => f.write_str("printed in FIPS-197 and NIST SP 800-38A"),
        }
    }
}

/// The bytes of a guess.
pub(super) struct Key {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Key {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

// A block of SHA-256, which is how long h2o's keys for HMAC are.
const LONGEST: usize = 64;

const WORDS: [u32; 5] = [0xdead_beef, 0xcafe_babe, 0xbaad_f00d, 0xfeed_face, 0x0bad_c0de];

const BITS128: u128 = 0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c;
const BITS256: [u128; 2] = [0x603d_eb10_15ca_71be_2b73_aef0_857d_7781, 0x1f35_2c07_3b61_08d7_2d98_10a3_0914_dff4];
