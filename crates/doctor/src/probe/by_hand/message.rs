//! The handshake messages that are written and read (RFC 8446 §4).

use std::time::Duration;

use raincheck_diagnosis::evidence::Version;
use raincheck_diagnosis::tls::Cursor;
use rustls::pki_types::ServerName;

use super::suite::SUITES;
use super::{Ask, Ticket};

/// The types of handshake messages.
pub(super) mod kind {
    pub(in super::super) const CLIENT_HELLO: u8 = 1;
    pub(in super::super) const SERVER_HELLO: u8 = 2;
    pub(in super::super) const NEW_SESSION_TICKET: u8 = 4;
    pub(in super::super) const ENCRYPTED_EXTENSIONS: u8 = 8;
    pub(in super::super) const CERTIFICATE: u8 = 11;
    pub(in super::super) const CERTIFICATE_REQUEST: u8 = 13;
    pub(in super::super) const CERTIFICATE_VERIFY: u8 = 15;
    pub(in super::super) const FINISHED: u8 = 20;
    pub(in super::super) const MESSAGE_HASH: u8 = 254;
}

/// A handshake message: type 1 | length 3 | body.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).expect("a message of ours is short").to_be_bytes();
    [&[kind, a, b, c], body].concat()
}

/// What a ClientHello says.
pub(super) struct ClientHello<'a> {
    pub(super) random: &'a [u8; 32],
    pub(super) server_name: &'a ServerName<'static>,
    /// Group and public key.
    pub(super) shares: &'a [(u16, Vec<u8>)],
    pub(super) ask: Option<Ask>,
    /// What a HelloRetryRequest wants to have back.
    pub(super) cookie: Option<&'a [u8]>,
    /// A ticket, with its age as it is shown.
    pub(super) ticket: Option<(&'a Ticket, u32)>,
}

impl ClientHello<'_> {
    /// The message. With a ticket it ends with a binder of zeros: [`binders_length`].
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend(self.random);
        body.push(0); // no legacy_session_id: without it nobody expects ChangeCipherSpec (RFC 8446 §D.4)
        body.extend(vec16(&SUITES.iter().flat_map(|suite| suite.id.to_be_bytes()).collect::<Vec<u8>>()));
        body.extend([1, 0]);
        body.extend(vec16(&self.extensions()));
        message(kind::CLIENT_HELLO, &body)
    }

    fn extensions(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        let mut add = |kind: u16, content: &[u8]| {
            extensions.extend(kind.to_be_bytes());
            extensions.extend(vec16(content));
        };
        if let ServerName::DnsName(name) = self.server_name {
            let name = [&[0][..], &vec16(name.as_ref().as_bytes())].concat();
            add(extension::SERVER_NAME, &vec16(&name));
        }
        let groups: Vec<u8> = self.shares.iter().flat_map(|(group, _)| group.to_be_bytes()).collect();
        add(extension::SUPPORTED_GROUPS, &vec16(&groups));
        let schemes: Vec<u8> = SCHEMES.iter().flat_map(|scheme| scheme.to_be_bytes()).collect();
        add(extension::SIGNATURE_ALGORITHMS, &vec16(&schemes));
        add(extension::SUPPORTED_VERSIONS, &[2, 3, 4]);
        let share = |(group, key): &(u16, Vec<u8>)| [&group.to_be_bytes()[..], &vec16(key)].concat();
        add(extension::KEY_SHARE, &vec16(&self.shares.iter().flat_map(share).collect::<Vec<u8>>()));
        add(extension::PSK_KEY_EXCHANGE_MODES, &[1, PSK_DHE_KE]);
        if let Some(Ask { new_session, resumption }) = self.ask {
            add(extension::TICKET_REQUEST, &[new_session, resumption]);
        }
        if let Some(cookie) = self.cookie {
            add(extension::COOKIE, &vec16(cookie));
        }
        if let Some((ticket, age)) = self.ticket {
            let identity = [&vec16(&ticket.ticket)[..], &age.to_be_bytes()].concat();
            let binders = vec![0; binders_length(ticket) - 3];
            let length = u8::try_from(binders.len()).expect("as long as a hash");
            let binders = vec16(&[&[length], &binders[..]].concat());
            add(extension::PRE_SHARED_KEY, &[vec16(&identity), binders].concat());
        }
        extensions
    }
}

/// How long the end of a ClientHello is that its own binder does not cover: length 2 | length 1 | binder.
pub(super) fn binders_length(ticket: &Ticket) -> usize {
    3 + ticket.suite.hash_length()
}

/// What a server chose.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerHello<'a> {
    pub(super) is_retry: bool,
    pub(super) version: Version,
    pub(super) suite: u16,
    /// Group and public key.
    pub(super) share: Option<(u16, &'a [u8])>,
    /// What is to come back in the next ClientHello.
    pub(super) cookie: Option<&'a [u8]>,
    /// Which of the tickets that were offered it took.
    pub(super) ticket: Option<u16>,
}

impl<'a> ServerHello<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let version = Version(cursor.u16()?);
        let mut hello = Self { is_retry: false, version, suite: 0, share: None, cookie: None, ticket: None };
        hello.is_retry = cursor.take(32)? == RETRY;
        cursor.vec8()?; // legacy_session_id_echo
        hello.suite = cursor.u16()?;
        cursor.u8()?; // legacy_compression_method
        for (kind, content) in extensions(&mut cursor)? {
            let mut content = Cursor::new(content);
            match kind {
                extension::SUPPORTED_VERSIONS => hello.version = Version(content.u16()?),
                extension::KEY_SHARE if !hello.is_retry => hello.share = Some((content.u16()?, content.vec16()?)),
                extension::COOKIE => hello.cookie = Some(content.vec16()?),
                extension::PRE_SHARED_KEY => hello.ticket = Some(content.u16()?),
                _ => {}
            }
        }
        Some(hello)
    }
}

/// How many tickets the server means to send, by its EncryptedExtensions (RFC 9149 §3).
pub(super) fn expected_tickets(body: &[u8]) -> Option<Option<u8>> {
    let mut cursor = Cursor::new(body);
    let found = extensions(&mut cursor)?.find(|(kind, _)| *kind == extension::TICKET_REQUEST);
    Some(found.and_then(|(_, content)| Cursor::new(content).u8()))
}

/// The context of a CertificateRequest, which a Certificate echoes.
pub(super) fn request_context(body: &[u8]) -> Option<&[u8]> {
    Cursor::new(body).vec8()
}

/// A NewSessionTicket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewSessionTicket<'a> {
    pub(super) lifetime: Duration,
    pub(super) age_add: u32,
    pub(super) nonce: &'a [u8],
    pub(super) ticket: &'a [u8],
}

impl<'a> NewSessionTicket<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let lifetime = Duration::from_secs(cursor.u32()?.into());
        Some(Self { lifetime, age_add: cursor.u32()?, nonce: cursor.vec8()?, ticket: cursor.vec16()? })
    }
}

fn extensions<'a>(cursor: &mut Cursor<'a>) -> Option<impl Iterator<Item = (u16, &'a [u8])> + use<'a>> {
    let mut extensions = Cursor::new(if cursor.is_empty() { &[] } else { cursor.vec16()? });
    Some(std::iter::from_fn(move || Some((extensions.u16()?, extensions.vec16()?))))
}

/// A vector of at most 2^16-1 bytes: length 2 | bytes.
fn vec16(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), &bytes[..length.into()]].concat()
}

// IANA: TLS ExtensionType values.
mod extension {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const SUPPORTED_GROUPS: u16 = 10;
    pub(super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(super) const PRE_SHARED_KEY: u16 = 41;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
    pub(super) const COOKIE: u16 = 44;
    pub(super) const PSK_KEY_EXCHANGE_MODES: u16 = 45;
    pub(super) const KEY_SHARE: u16 = 51;
    pub(super) const TICKET_REQUEST: u16 = 58;
}

const PSK_DHE_KE: u8 = 1;
// ECDSA, RSA-PSS, Ed25519 and, for certificates, PKCS #1: all that a server may have (RFC 8446 §4.2.3).
const SCHEMES: [u16; 12] =
    [0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x0807, 0x0401, 0x0501, 0x0601];
// RFC 8446 §4.1.3: SHA-256 of "HelloRetryRequest".
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
