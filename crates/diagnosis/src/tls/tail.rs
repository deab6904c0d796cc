/// The last bytes of a record, as far as they are known: what comes next may be chained to them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl Tail {
    /// The block of 16 bytes that has `behind` bytes behind it.
    pub(super) fn block(&self, behind: usize) -> Option<[u8; 16]> {
        let end = Self::LONGEST.checked_sub(behind)?;
        (self.length >= 16 + behind).then(|| self.bytes[..end].last_chunk().copied())?
    }

    /// `bytes` follow, of the same record.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(Self::LONGEST)..];
        self.bytes.rotate_left(bytes.len());
        self.bytes[Self::LONGEST - bytes.len()..].copy_from_slice(bytes);
        self.length = Self::LONGEST.min(self.length + bytes.len());
    }

    // A block, and behind it the MAC of TLS 1.0, where that is not encrypted (RFC 7366).
    const LONGEST: usize = 16 + 20;
}

impl Default for Tail {
    /// That of a record of which nothing is known.
    fn default() -> Self {
        Self { bytes: [0; Self::LONGEST], length: 0 }
    }
}
