//! The ClientHello in the form of SSL 2.0, by which a client of SSL 3.0 to TLS 1.2 is understood by servers that know nothing
//! newer (RFC 5246 §E.2). OpenSSL 0.9.8 and Java 6 send it, and to this day Java where `SSLv2Hello` is enabled; with a session to
//! resume they do not.

use std::sync::Arc;

use super::cursor::Cursor;
use super::hello::Extensions;
use super::ja4::Ingredients;
use crate::Moment;
use crate::evidence::{ClientHello, Profile, SessionId, Version};

/// Whether `bytes` are such a hello, or may be the beginning of one.
pub(super) fn begins(bytes: &[u8]) -> bool {
    match bytes.first_chunk() {
        Some(header) => Header::parse(header).is_some(),
        None => could_begin(bytes),
    }
}

/// The hello that `bytes` begin with, if all of it is there.
pub(super) fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let header = Header::parse(bytes.first_chunk()?)?;
    bytes.get(..Header::LENGTH + header.suites + header.session_id + header.challenge)
}

/// Reads a hello. `profile` makes its client's profile.
pub(super) fn client_hello(
    hello: &[u8],
    at: Moment,
    profile: impl FnOnce(Ingredients) -> Arc<Profile>,
) -> Option<ClientHello> {
    let (header, body) = hello.split_first_chunk()?;
    let header = Header::parse(header)?;
    let mut cursor = Cursor::new(body);
    // Suites of SSL 2.0 are among them, whose first byte is not zero.
    let suites = cursor.take(header.suites)?.as_chunks::<3>().0.iter().filter(|[of_ssl2, ..]| *of_ssl2 == 0);
    let suites = suites.map(|[_, hi, lo]| u16::from_be_bytes([*hi, *lo])).collect();
    let session_id = SessionId::new(cursor.take(header.session_id)?)?;
    // The challenge stands for the random bytes, with zeros in front of it where it is shorter.
    let mut random = [0; 32];
    random.get_mut(32 - header.challenge..)?.copy_from_slice(cursor.take(header.challenge)?);
    Some(Extensions::none(header.version).hello(at, random, session_id, suites, profile))
}

/// The header: length 2, its highest bit set | type 1 | version 2 | lengths, 2 each: of suites, session ID, challenge.
struct Header {
    version: Version,
    suites: usize,
    session_id: usize,
    challenge: usize,
}

impl Header {
    const LENGTH: usize = 11;

    fn parse(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let two = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let [suites, session_id, challenge] = [5, 7, 9].map(|at| usize::from(two(at)));
        let fits = usize::from(two(0) & 0x7fff) + 2 == Self::LENGTH + suites + session_id + challenge;
        let plausible = could_begin(bytes)
            && (3..=MOST_SUITES).contains(&suites)
            && suites % 3 == 0
            && session_id <= 32
            && (16..=32).contains(&challenge);
        (fits && plausible).then_some(Self { version: Version(two(3)), suites, session_id, challenge })
    }
}

/// Whether the first bytes are such a hello's, as far as they are there: the highest bit | .. | client_hello | 3 | 0 to 3.
fn could_begin(bytes: &[u8]) -> bool {
    let plausible: [fn(u8) -> bool; 5] = [|b| b & 0x80 != 0, |_| true, |b| b == 1, |b| b == 3, |b| b <= 3];
    bytes.iter().zip(plausible).all(|(byte, is_plausible)| is_plausible(*byte))
}

// In bytes. Java 17 sends 174, with suites for SSL 2.0 among them.
const MOST_SUITES: usize = 3 * 256;

#[cfg(test)]
mod tests;
