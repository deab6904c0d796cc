//! Where the TLS in a stream begins: at its start, or behind a PROXY header, a STARTTLS dialogue, whatever came before; and
//! where it goes on behind a gap.

use thin_vec::ThinVec;

use super::old_hello;
use super::record::Header;
use crate::Side;

/// Looks for the first record of one side.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// What was looked at and may be the beginning of a record.
    tail: ThinVec<u8>,
    /// How much was looked at, the tail included.
    looked: usize,
}

/// What the bytes up to now are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// TLS, beginning with these bytes, which precede those given.
    Tls {
        /// Bytes of earlier pieces.
        tail: Vec<u8>,
        /// Where in the bytes given it goes on.
        offset: usize,
        /// Who sent it, as its first message says.
        side: Option<Side>,
    },
    /// A ClientHello in the form of SSL 2.0, behind which records follow.
    OldHello {
        /// All of it.
        hello: Vec<u8>,
        /// Where in the bytes given the records begin.
        offset: usize,
    },
    /// Nothing yet.
    NotYet,
    /// No TLS, as far as anyone would look.
    Foreign,
}

impl Start {
    /// Looks at the next `bytes`.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Found {
        let before = self.tail.len();
        let joined;
        let window = if before == 0 {
            bytes
        } else {
            self.tail.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.tail);
            &joined[..]
        };
        let room = FURTHEST.saturating_sub(self.looked - before);
        self.looked += bytes.len();
        for (offset, first) in window.iter().enumerate().take(room) {
            if !matches!(*first, HANDSHAKE | ALERT | 0x80..) {
                continue;
            }
            match judge(&window[offset..]) {
                Judged::Record(side) => {
                    let tail = window.get(offset..before).unwrap_or_default().to_vec();
                    return Found::Tls { tail, offset: offset.saturating_sub(before), side };
                }
                Judged::OldHello(hello) => {
                    let end = offset + hello.len();
                    return Found::OldHello { hello: hello.to_vec(), offset: end.saturating_sub(before) };
                }
                Judged::TooShort => {
                    self.tail = window[offset..].into();
                    break;
                }
                Judged::No => {}
            }
        }
        if self.looked - self.tail.len() >= FURTHEST { Found::Foreign } else { Found::NotYet }
    }

    pub(super) fn memory(&self) -> usize {
        self.tail.capacity()
    }

    /// Whether some of what was looked at is no TLS.
    pub(super) fn is_foreign(&self) -> bool {
        self.looked > self.tail.len()
    }
}

/// Who sent the record that `bytes` begin with, if it is one that a side begins with.
pub(super) fn sender(bytes: &[u8]) -> Option<Side> {
    match judge(bytes) {
        Judged::Record(side) => side,
        Judged::OldHello(_) | Judged::TooShort | Judged::No => None,
    }
}

/// Where in the bytes behind a gap a record begins: at their start, as packets often do, or where one record leads to
/// another or to the end of what is there.
pub(super) fn next_record(bytes: &[u8]) -> Option<usize> {
    let is_header = |at: usize| {
        let header = bytes.get(at..)?.first_chunk().copied();
        header.and_then(Header::parse).filter(|header| header.length > 0)
    };
    if is_header(0).is_some() {
        return Some(0);
    }
    (1..bytes.len()).find(|at| {
        let end = is_header(*at).map(|header| at + Header::LENGTH + usize::from(header.length));
        end.is_some_and(|end| end == bytes.len() || is_header(end).is_some())
    })
}

enum Judged<'a> {
    /// A first record, sent by whom its message tells.
    Record(Option<Side>),
    /// A whole ClientHello in the form of SSL 2.0.
    OldHello(&'a [u8]),
    /// Its beginning could be that of one or the other.
    TooShort,
    No,
}

/// Whether `bytes` begin with what a side begins with.
fn judge(bytes: &[u8]) -> Judged<'_> {
    match bytes.first() {
        Some(&(HANDSHAKE | ALERT)) => judge_record(bytes),
        _ if !old_hello::begins(bytes) => Judged::No,
        _ => old_hello::whole(bytes).map_or(Judged::TooShort, Judged::OldHello),
    }
}

/// Whether they are a hello whose lengths fit, or an alert in clear.
fn judge_record(bytes: &[u8]) -> Judged<'_> {
    // record: type 1 | version 2 | length 2 | message: type 1 | length 3 | version 2
    let plausible: [fn(&[u8]) -> bool; 11] = [
        |b| b[0] == HANDSHAKE || b[0] == ALERT,
        |b| b[1] == 3,
        |b| b[2] <= 4,
        |_| true,
        |b| Header::parse([b[0], b[1], b[2], b[3], b[4]]).is_some_and(|header| header.length > 0),
        |b| if b[0] == ALERT { b[3] == 0 && b[4] == 2 && (1..=2).contains(&b[5]) } else { (1..=2).contains(&b[5]) },
        |b| b[0] == ALERT || b[6] == 0,
        |_| true,
        |b| b[0] == ALERT || u16::from_be_bytes([b[7], b[8]]) >= SHORTEST_HELLO,
        |b| b[0] == ALERT || b[9] == 3,
        |b| b[0] == ALERT || b[10] <= 4,
    ];
    for (index, holds) in plausible.iter().enumerate() {
        if bytes.len() <= index {
            return Judged::TooShort;
        }
        if !holds(bytes) {
            return Judged::No;
        }
        if bytes[0] == ALERT && index == 6 {
            return Judged::Record(None);
        }
    }
    Judged::Record(Some(if bytes[5] == CLIENT_HELLO { Side::Client } else { Side::Server }))
}

// How much of a stream is looked at. The longest dialogues before TLS (SMTP's, LDAP's) have a few hundred bytes.
const FURTHEST: usize = 64 << 10;
// version 2 | random 32 | session ID 1 | suite 2 | compression 1 (RFC 5246 §7.4.1.3)
const SHORTEST_HELLO: u16 = 38;
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const CLIENT_HELLO: u8 = 1;

#[cfg(test)]
mod tests;
