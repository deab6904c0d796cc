//! Where the TLS in a stream begins: at its start, or behind a PROXY header, a STARTTLS dialogue, whatever came before.

use super::record::Header;
use crate::Side;

/// Looks for the first record of one side.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// What was looked at and may be the beginning of a record.
    tail: Vec<u8>,
    /// How much was looked at.
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
    /// Nothing yet.
    NotYet,
    /// No TLS, as far as anyone would look.
    Foreign,
}

impl Start {
    /// Looks at the next `bytes`.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Found {
        if self.looked > FURTHEST {
            return Found::Foreign;
        }
        let before = self.tail.len();
        let joined;
        let window = if before == 0 {
            bytes
        } else {
            self.tail.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.tail);
            &joined[..]
        };
        for offset in 0..window.len() {
            match judge(&window[offset..]) {
                Judged::Record(side) if offset >= before => {
                    return Found::Tls { tail: Vec::new(), offset: offset - before, side };
                }
                Judged::Record(side) => {
                    return Found::Tls { tail: window[offset..before].to_vec(), offset: 0, side };
                }
                Judged::TooShort => {
                    self.tail = window[offset..].to_vec();
                    break;
                }
                Judged::No => {}
            }
        }
        self.looked += bytes.len();
        Found::NotYet
    }

    /// Whether nothing that was looked at is held back.
    pub(super) fn is_idle(&self) -> bool {
        self.tail.is_empty()
    }
}

enum Judged {
    /// A first record, sent by whom its message tells.
    Record(Option<Side>),
    /// Its beginning could be that of one.
    TooShort,
    No,
}

/// Whether `bytes` begin with the record that a side begins with: a hello whose lengths fit, or an alert in clear.
fn judge(bytes: &[u8]) -> Judged {
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
            return if bytes.is_empty() { Judged::No } else { Judged::TooShort };
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
