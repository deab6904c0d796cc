//! The numbers of a block, in the byte order of its section.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

impl Order {
    /// The one in which `bytes` begin with the mark of it.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.first_chunk()? {
            [0x1a, 0x2b, 0x3c, 0x4d] => Some(Self::Big),
            [0x4d, 0x3c, 0x2b, 0x1a] => Some(Self::Little),
            _ => None,
        }
    }
}

/// What of a block's body is not yet read; `None` where it has no more.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    body: &'a [u8],
    at: usize,
    order: Order,
}

impl<'a> Fields<'a> {
    pub(super) fn new(body: &'a [u8], order: Order) -> Self {
        Self { body, at: 0, order }
    }

    /// Where in the body the next `length` bytes are.
    pub(super) fn take(&mut self, length: usize) -> Option<Range<usize>> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.body.len())?;
        Some(std::mem::replace(&mut self.at, end)..end)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next option, with its code (draft-ietf-opsawg-pcapng §3.5).
    pub(super) fn option(&mut self) -> Option<(u16, Self)> {
        // code 2 | length 2 | value | padding to a multiple of 4
        let (code, length) = (self.u16()?, self.u16()?);
        let value = self.take(length.into())?;
        self.at = self.at.next_multiple_of(4).min(self.body.len());
        Some((code, Self { body: &self.body[value], at: 0, order: self.order }))
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// The next number, least byte first.
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let range = self.take(N)?;
        let mut bytes: [u8; N] = self.body[range].try_into().ok()?;
        if self.order == Order::Big {
            bytes.reverse();
        }
        Some(bytes)
    }
}
