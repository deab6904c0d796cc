//! Reads a ClientHello ahead of rustls, because the configuration of a connection, with its
//! ticketer, must be known when the connection is made.
//!
//! It takes what the ticketer needs and judges only what rustls would let pass or see otherwise: what is malformed goes to
//! rustls all the same, which knows the right alert.

use crate::reader::Reader;

/// What the ClientHello says about sessions (RFC 8446 §4.1.2, RFC 5077 §3.2, RFC 9149 §3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The host name of the `server_name` extension, in lower case.
    pub server_name: Option<String>,
    /// The legacy session ID; TLS 1.3 clients fill it with random bytes.
    pub session_id: Vec<u8>,
    /// The `session_ticket` extension: `None` without one, empty where the client asks for a
    /// ticket and has none.
    pub ticket: Option<Vec<u8>>,
    /// Whether `supported_versions` names TLS 1.2, or is not there and the legacy version is as new (RFC 8446 §4.2.1).
    pub offers_tls12: bool,
    /// Whether `supported_versions` names TLS 1.3.
    pub offers_tls13: bool,
    /// How many identities `pre_shared_key` carries.
    pub psk_identities: usize,
    /// Whether `psk_key_exchange_modes` allows PSK with (EC)DHE, the only mode served here.
    pub psk_with_dhe: bool,
    /// Whether the client asks for a number of tickets (RFC 9149).
    pub ticket_request: bool,
    /// Whether it offers the extended master secret (RFC 7627).
    pub extended_master_secret: bool,
    /// The cipher suites, in the client's order.
    pub cipher_suites: Vec<u16>,
}

/// What the first bytes of a connection turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// The beginning of a ClientHello: more bytes are needed.
    Incomplete,
    /// A whole ClientHello.
    Hello(Box<ClientHello>),
    /// No TLS, or a ClientHello that breaks the format.
    Malformed,
    /// A record that is longer than any may be. rustls takes those that would have room for encryption.
    TooLong,
    /// A ClientHello that offers nothing later than TLS 1.1. rustls looks for what such a client cannot have (signature
    /// algorithms) before it looks at the version.
    TooOld,
}

/// Reads the ClientHello at the start of `bytes`, which are TLS records as they came.
///
/// A message split over several records is joined. A message longer than
/// [`MAX_HELLO`] is malformed.
pub fn read(bytes: &[u8]) -> Read {
    let mut records = Records { bytes };
    let mut joined = match records.next() {
        Fragment::Bytes(first) => match whole_message(first) {
            Message::Whole(body) => return judge(body),
            Message::Partial => first.to_vec(),
            Message::Not => return Read::Malformed,
        },
        Fragment::Incomplete => return Read::Incomplete,
        Fragment::TooLong => return Read::TooLong,
        Fragment::Not => return Read::Malformed,
    };
    loop {
        match records.next() {
            Fragment::Bytes(more) => joined.extend_from_slice(more),
            Fragment::Incomplete => return Read::Incomplete,
            Fragment::TooLong => return Read::TooLong,
            Fragment::Not => return Read::Malformed,
        }
        match whole_message(&joined) {
            Message::Whole(body) => return judge(body),
            Message::Partial => {}
            Message::Not => return Read::Malformed,
        }
    }
}

/// The handshake records of a connection's first flight, one after the other.
struct Records<'a> {
    bytes: &'a [u8],
}

enum Fragment<'a> {
    Bytes(&'a [u8]),
    Incomplete,
    TooLong,
    Not,
}

impl<'a> Records<'a> {
    fn next(&mut self) -> Fragment<'a> {
        // type 1 | legacy version 2 | length 2 | fragment (RFC 8446 §5.1)
        match self.bytes {
            [kind, ..] if *kind != HANDSHAKE => Fragment::Not,
            [_, major, ..] if *major != 3 => Fragment::Not,
            [_, _, _, hi, lo, rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([*hi, *lo]));
                match length {
                    0 => return Fragment::Not,
                    1..=MAX_FRAGMENT => {}
                    _ => return Fragment::TooLong,
                }
                match rest.split_at_checked(length) {
                    Some((fragment, rest)) => {
                        self.bytes = rest;
                        Fragment::Bytes(fragment)
                    }
                    None => Fragment::Incomplete,
                }
            }
            _ => Fragment::Incomplete,
        }
    }
}

enum Message<'a> {
    Whole(&'a [u8]),
    Partial,
    Not,
}

/// The body of the ClientHello that `bytes` begins with.
fn whole_message(bytes: &[u8]) -> Message<'_> {
    // type 1 | length 3 | body (RFC 8446 §4)
    match bytes {
        [kind, ..] if *kind != CLIENT_HELLO => Message::Not,
        [_, a, b, c, rest @ ..] => {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if length > MAX_HELLO {
                return Message::Not;
            }
            rest.get(..length).map_or(Message::Partial, Message::Whole)
        }
        _ => Message::Partial,
    }
}

fn judge(body: &[u8]) -> Read {
    match parse(body) {
        Some(hello) if hello.offers_tls12 || hello.offers_tls13 => Read::Hello(Box::new(hello)),
        Some(_) => Read::TooOld,
        None => Read::Malformed,
    }
}

fn parse(body: &[u8]) -> Option<ClientHello> {
    let mut reader = Reader::new(body);
    let mut hello = ClientHello { offers_tls12: reader.u16()? >= TLS12, ..ClientHello::default() };
    reader.take(32)?; // random
    hello.session_id = reader.vec8()?.to_vec();
    hello.cipher_suites = u16s(reader.vec16()?)?;
    reader.vec8()?; // legacy_compression_methods
    if reader.is_empty() {
        return Some(hello); // extensions are optional in TLS 1.2 (RFC 5246 §7.4.1.2)
    }
    let mut extensions = Reader::new(reader.vec16()?);
    while !extensions.is_empty() {
        let kind = extensions.u16()?;
        hello.extension(kind, extensions.vec16()?)?;
    }
    reader.is_empty().then_some(hello)
}

impl ClientHello {
    fn extension(&mut self, kind: u16, body: &[u8]) -> Option<()> {
        match kind {
            SERVER_NAME => self.server_name = host_name(body)?,
            EXTENDED_MASTER_SECRET => self.extended_master_secret = true,
            SESSION_TICKET => self.ticket = Some(body.to_vec()),
            PRE_SHARED_KEY => self.psk_identities = psk_identities(body)?,
            SUPPORTED_VERSIONS => {
                let versions = u16s(Reader::new(body).vec8()?)?;
                (self.offers_tls12, self.offers_tls13) = (versions.contains(&TLS12), versions.contains(&TLS13));
            }
            PSK_KEY_EXCHANGE_MODES => {
                self.psk_with_dhe = Reader::new(body).vec8()?.contains(&PSK_DHE_KE);
            }
            TICKET_REQUEST => self.ticket_request = true,
            _ => {}
        }
        Some(())
    }
}

/// The first host name of a `server_name` extension (RFC 6066 §3).
fn host_name(body: &[u8]) -> Option<Option<String>> {
    let mut names = Reader::new(Reader::new(body).vec16()?);
    while !names.is_empty() {
        let kind = names.u8()?;
        let name = names.vec16()?;
        if kind == HOST_NAME {
            return Some(str::from_utf8(name).ok().map(str::to_ascii_lowercase));
        }
    }
    Some(None)
}

/// Counts the identities of `pre_shared_key` (RFC 8446 §4.2.11).
fn psk_identities(body: &[u8]) -> Option<usize> {
    let mut identities = Reader::new(Reader::new(body).vec16()?);
    let mut count = 0;
    while !identities.is_empty() {
        identities.vec16()?;
        identities.take(4)?; // obfuscated_ticket_age
        count += 1;
    }
    Some(count)
}

fn u16s(bytes: &[u8]) -> Option<Vec<u16>> {
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return None;
    };
    Some(pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
}

/// The longest ClientHello that is read; rustls has the same limit.
pub const MAX_HELLO: usize = 0xffff;

// RFC 8446 §5.1: a plaintext fragment is at most 2^14 bytes.
const MAX_FRAGMENT: usize = 1 << 14;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const HOST_NAME: u8 = 0;
const PSK_DHE_KE: u8 = 1;
const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

// Extension types (IANA, TLS ExtensionType Values).
const SERVER_NAME: u16 = 0;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SESSION_TICKET: u16 = 35;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
const PSK_KEY_EXCHANGE_MODES: u16 = 45;
const TICKET_REQUEST: u16 = 58;

#[cfg(test)]
mod tests;
