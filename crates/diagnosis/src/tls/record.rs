//! The record layer (RFC 8446 §5.1), one side of a connection.

use crate::evidence::Version;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
    /// Heartbeats (RFC 6520).
    Other,
}

impl Content {
    /// The content that `kind` stands for.
    pub(super) fn of(kind: u8) -> Option<Self> {
        Some(match kind {
            20 => Self::ChangeCipherSpec,
            21 => Self::Alert,
            22 => Self::Handshake,
            23 => Self::ApplicationData,
            24 => Self::Other,
            _ => return None,
        })
    }

    fn kind(self) -> u8 {
        match self {
            Self::ChangeCipherSpec => 20,
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
            Self::Other => 24,
        }
    }
}

/// The header of a record: type 1 | legacy version 2 | length 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) content: Content,
    pub(super) version: Version,
    pub(super) length: u16,
}

impl Header {
    pub(super) const LENGTH: usize = 5;

    /// The header that `bytes` are, if they can be one.
    pub(super) fn parse(bytes: [u8; Self::LENGTH]) -> Option<Self> {
        let [kind, major, minor, hi, lo] = bytes;
        let content = Content::of(kind)?;
        let length = u16::from_be_bytes([hi, lo]);
        let plausible = major == 3 && minor <= 4 && length <= MAX_LENGTH;
        plausible.then_some(Self { content, version: Version(u16::from_be_bytes([major, minor])), length })
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let [[major, minor], [hi, lo]] = [self.version.0, self.length].map(u16::to_be_bytes);
        [self.content.kind(), major, minor, hi, lo]
    }
}

/// Takes records apart, however they are cut.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The beginning of a header.
    header: [u8; Header::LENGTH],
    have: u8,
    /// The record whose body is being read, and how much of that is to come.
    current: Option<(Header, u16)>,
}

/// A piece of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Bytes of its body; `last` if the record ends with them.
    Body { header: Header, first: bool, bytes: &'a [u8], last: bool },
    /// What should be a header is none.
    Foreign,
}

impl Records {
    /// Takes the next piece off the front of `input`; `None` once `input` is used up.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Piece<'a>> {
        let (header, left) = match self.current {
            Some(current) => current,
            None => match Header::parse(self.whole_header(input)?) {
                Some(header) => (header, header.length),
                None => return Some(Piece::Foreign),
            },
        };
        let first = left == header.length;
        if input.is_empty() && left > 0 {
            self.current = Some((header, left));
            return None;
        }
        let (bytes, rest) = input.split_at(input.len().min(left.into()));
        *input = rest;
        let left = left - u16::try_from(bytes.len()).expect("no longer than the record");
        self.current = (left > 0).then_some((header, left));
        Some(Piece::Body { header, first, bytes, last: left == 0 })
    }

    /// Passes over `length` bytes that are not there. Whether they lay inside one record, so that it is known how to go on.
    pub(super) fn skip(&mut self, length: u64) -> Option<Skipped> {
        let (header, left) = self.current?;
        let skipped = u16::try_from(length).ok().filter(|length| *length <= left)?;
        self.current = (skipped < left).then_some((header, left - skipped));
        Some(Skipped { header, length: skipped, last: skipped == left })
    }

    /// Whether the last record is not there in full.
    pub(super) fn is_inside(&self) -> bool {
        self.current.is_some() || self.have > 0
    }

    fn whole_header(&mut self, input: &mut &[u8]) -> Option<[u8; Header::LENGTH]> {
        if self.have == 0
            && let Some((header, rest)) = input.split_first_chunk()
        {
            *input = rest;
            return Some(*header);
        }
        while usize::from(self.have) < Header::LENGTH {
            let (byte, rest) = input.split_first()?;
            *input = rest;
            self.header[usize::from(self.have)] = *byte;
            self.have += 1;
        }
        self.have = 0;
        Some(self.header)
    }
}

/// A part of a record's body that was passed over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skipped {
    pub(super) header: Header,
    pub(super) length: u16,
    /// Whether the record ended with it.
    pub(super) last: bool,
}

// RFC 5246 §6.2.3: a ciphertext is at most 2^14 + 2048 bytes; RFC 8446 §5.2 allows 2^14 + 256.
const MAX_LENGTH: u16 = (1 << 14) + 2048;
