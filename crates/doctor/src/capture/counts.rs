//! How much was read, and how much of it was left out, and why.

use super::packet::{Header, Skip};

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets of whatever kind.
    pub packets: u64,
    /// Packets that were TCP segments.
    pub segments: u64,
    /// Segments whose payload was not captured whole, mostly for a snap length.
    pub incomplete: u64,
    /// The other packets.
    pub skipped: Skipped,
}

/// Packets that were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// They carry something else than TCP over IP.
    pub not_tcp: u64,
    /// They are fragments of TCP segments other than the first one, which alone says whose they are.
    pub fragments: u64,
    /// So little of them was captured that they may have been anything.
    pub cut: u64,
    /// Their headers contradict themselves.
    pub malformed: u64,
    /// They are from a link whose headers are not known here.
    pub unknown_link: u64,
}

impl Counts {
    pub(super) fn segment(&mut self, header: &Header) {
        self.segments += 1;
        self.incomplete += u64::from(header.payload.len() < header.length);
    }

    pub(super) fn skip(&mut self, skip: Skip) {
        let skipped = &mut self.skipped;
        *match skip {
            Skip::NotTcp => &mut skipped.not_tcp,
            Skip::Fragment => &mut skipped.fragments,
            Skip::Cut => &mut skipped.cut,
            Skip::Malformed => &mut skipped.malformed,
            Skip::UnknownLink => &mut skipped.unknown_link,
        } += 1;
    }
}

impl Skipped {
    /// How many packets were left out.
    pub fn total(&self) -> u64 {
        self.not_tcp + self.fragments + self.cut + self.malformed + self.unknown_link
    }
}
