//! What handshake messages say about sessions.

use std::sync::Arc;
use std::time::Duration;

use super::cursor::Cursor;
use super::ja4::Ingredients;
use crate::Moment;
use crate::evidence::{ClientHello, Identity, NewTicket, Profile, ServerHello, SessionId, TicketRequest, Version};

/// Reads the body of a ClientHello (RFC 8446 §4.1.2). `profile` makes its client's profile.
pub(super) fn client_hello(
    body: &[u8],
    at: Moment,
    profile: impl FnOnce(Ingredients) -> Arc<Profile>,
) -> Option<ClientHello> {
    let mut cursor = Cursor::new(body);
    let legacy_version = Version(cursor.u16()?);
    let random = *cursor.take(32)?.first_chunk()?;
    let session_id = SessionId::new(cursor.vec8()?)?;
    let suites = u16s(cursor.vec16()?).collect();
    cursor.vec8()?; // legacy_compression_methods
    let mut said = Extensions::none(legacy_version);
    said.kinds.reserve(MANY_EXTENSIONS);
    for (kind, extension) in extensions(&mut cursor)? {
        said.kinds.push(kind);
        match kind {
            SERVER_NAME => said.server_name = host_name(extension),
            EXTENDED_MASTER_SECRET => said.extended_master_secret = true,
            SESSION_TICKET => said.ticket = Some(extension.into()),
            PRE_SHARED_KEY => said.psks = identities(extension)?,
            EARLY_DATA => said.early_data = true,
            SUPPORTED_VERSIONS => {
                let known = u16s(Cursor::new(extension).vec8()?).filter(|version| *version <= Version::TLS13.0).max();
                said.version = known.map_or(legacy_version, Version);
            }
            TICKET_REQUEST => said.ticket_request = ticket_request(extension),
            SIGNATURE_ALGORITHMS => said.signature_algorithms = extension,
            ALPN => said.protocol = first_protocol(extension).unwrap_or_default(),
            _ => {}
        }
    }
    Some(said.hello(at, random, session_id, suites, profile))
}

/// What the extensions of a ClientHello say.
pub(super) struct Extensions<'a> {
    /// The highest version, which the hello itself says where no extension does.
    version: Version,
    server_name: Option<Box<str>>,
    ticket: Option<Box<[u8]>>,
    psks: Box<[Identity]>,
    early_data: bool,
    extended_master_secret: bool,
    ticket_request: Option<TicketRequest>,
    /// The types of all.
    kinds: Vec<u16>,
    signature_algorithms: &'a [u8],
    /// The first of ALPN.
    protocol: &'a [u8],
}

impl Extensions<'_> {
    /// Those of a hello of `version` that has none.
    pub(super) fn none(version: Version) -> Self {
        Self {
            version,
            server_name: None,
            ticket: None,
            psks: Box::default(),
            early_data: false,
            extended_master_secret: false,
            ticket_request: None,
            kinds: Vec::new(),
            signature_algorithms: &[],
            protocol: &[],
        }
    }

    /// The hello with these extensions. `profile` makes its client's profile.
    pub(super) fn hello(
        self,
        at: Moment,
        random: [u8; 32],
        session_id: SessionId,
        suites: Vec<u16>,
        profile: impl FnOnce(Ingredients) -> Arc<Profile>,
    ) -> ClientHello {
        ClientHello {
            at,
            random,
            version: self.version,
            server_name: self.server_name,
            session_id,
            ticket: self.ticket,
            psks: self.psks,
            early_data: self.early_data,
            extended_master_secret: self.extended_master_secret,
            fallback: suites.contains(&FALLBACK_SCSV),
            ticket_request: self.ticket_request,
            profile: profile(Ingredients::new(
                self.version,
                suites,
                self.kinds,
                self.signature_algorithms,
                self.protocol,
            )),
        }
    }
}

/// A ServerHello, or what has its form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// The server chose. With the random bytes, which go into the keys of TLS 1.2, and with whether it agrees to have the MAC
    /// of a record outside of what is encrypted (RFC 7366).
    ServerHello { hello: ServerHello, random: [u8; 32], encrypt_then_mac: bool },
    /// The server asks for another ClientHello.
    HelloRetryRequest,
}

/// Reads the body of a ServerHello (RFC 8446 §4.1.3).
pub(super) fn server_hello(body: &[u8], at: Moment) -> Option<Answered> {
    let mut cursor = Cursor::new(body);
    let version = Version(cursor.u16()?);
    let random = *cursor.take(32)?.first_chunk()?;
    if random == HELLO_RETRY_REQUEST {
        return Some(Answered::HelloRetryRequest);
    }
    let session_id = SessionId::new(cursor.vec8()?)?;
    let suite = cursor.u16()?;
    cursor.u8()?; // legacy_compression_method
    let mut hello =
        ServerHello { at, version, suite, session_id, ticket: false, psk: None, extended_master_secret: false };
    let mut encrypt_then_mac = false;
    for (kind, extension) in extensions(&mut cursor)? {
        match kind {
            EXTENDED_MASTER_SECRET => hello.extended_master_secret = true,
            SESSION_TICKET => hello.ticket = true,
            ENCRYPT_THEN_MAC => encrypt_then_mac = true,
            PRE_SHARED_KEY => hello.psk = Some(Cursor::new(extension).u16()?),
            SUPPORTED_VERSIONS => hello.version = Version(Cursor::new(extension).u16()?),
            _ => {}
        }
    }
    Some(Answered::ServerHello { hello, random, encrypt_then_mac })
}

/// Reads the body of a NewSessionTicket of TLS 1.2 (RFC 5077 §3.3). An empty ticket is none: the server changed its mind.
pub(super) fn ticket12(body: &[u8], at: Moment) -> Option<NewTicket> {
    let mut cursor = Cursor::new(body);
    let lifetime = Duration::from_secs(cursor.u32()?.into());
    let ticket = cursor.vec16()?;
    (!ticket.is_empty()).then(|| NewTicket { at, ticket: ticket.into(), lifetime, age_add: None, early_data: None })
}

/// Reads the body of a NewSessionTicket of TLS 1.3 (RFC 8446 §4.6.1).
pub(super) fn ticket13(body: &[u8], at: Moment) -> Option<NewTicket> {
    let mut cursor = Cursor::new(body);
    let lifetime = Duration::from_secs(cursor.u32()?.into());
    let age_add = cursor.u32()?;
    cursor.vec8()?; // ticket_nonce
    let ticket = cursor.vec16()?.into();
    let early_data = extensions(&mut cursor)?
        .find(|(kind, _)| *kind == EARLY_DATA)
        .and_then(|(_, extension)| Cursor::new(extension).u32());
    Some(NewTicket { at, ticket, lifetime, age_add: Some(age_add), early_data })
}

/// What EncryptedExtensions says about sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EncryptedExtensions {
    /// Whether early data is accepted (RFC 8446 §4.2.10).
    pub(super) early_data: bool,
    /// How many tickets the server means to send (RFC 9149 §3).
    pub(super) expected_tickets: Option<u8>,
}

/// Reads the body of EncryptedExtensions (RFC 8446 §4.3.1).
pub(super) fn encrypted_extensions(body: &[u8]) -> Option<EncryptedExtensions> {
    let mut said = EncryptedExtensions::default();
    for (kind, extension) in extensions(&mut Cursor::new(body))? {
        match kind {
            EARLY_DATA => said.early_data = true,
            TICKET_REQUEST => said.expected_tickets = Cursor::new(extension).u8(),
            _ => {}
        }
    }
    Some(said)
}

/// Reads the extensions that a ClientHello or ServerHello ends with, of which TLS 1.2 and before may have none.
fn extensions<'a>(cursor: &mut Cursor<'a>) -> Option<impl Iterator<Item = (u16, &'a [u8])> + use<'a>> {
    let mut extensions = Cursor::new(if cursor.is_empty() { &[] } else { cursor.vec16()? });
    Some(std::iter::from_fn(move || Some((extensions.u16()?, extensions.vec16()?))))
}

fn ticket_request(extension: &[u8]) -> Option<TicketRequest> {
    let mut counts = Cursor::new(extension);
    Some(TicketRequest { full: counts.u8()?, resumed: counts.u8()? })
}

/// The first protocol of ALPN (RFC 7301 §3.1).
fn first_protocol(extension: &[u8]) -> Option<&[u8]> {
    Cursor::new(Cursor::new(extension).vec16()?).vec8()
}

/// The first host name of a server_name extension, which is ASCII (RFC 6066 §3). What a stranger writes instead ends up
/// in reports, on terminals too, and is not to be mistaken for anything else there.
fn host_name(extension: &[u8]) -> Option<Box<str>> {
    let mut names = Cursor::new(Cursor::new(extension).vec16()?);
    loop {
        let (kind, name) = (names.u8()?, names.vec16()?);
        if kind == HOST_NAME {
            let shown = |byte: &u8| if byte.is_ascii_graphic() { (*byte).into() } else { char::REPLACEMENT_CHARACTER };
            return Some(name.to_ascii_lowercase().iter().map(shown).collect());
        }
    }
}

/// The identities of pre_shared_key (RFC 8446 §4.2.11).
fn identities(extension: &[u8]) -> Option<Box<[Identity]>> {
    let mut list = Cursor::new(Cursor::new(extension).vec16()?);
    let mut identities = Vec::with_capacity(1);
    while !list.is_empty() && identities.len() < MAX_IDENTITIES {
        identities.push(Identity { identity: list.vec16()?.into(), obfuscated_age: list.u32()? });
    }
    Some(identities.into())
}

fn u16s(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))
}

// Browsers have about as many.
const MANY_EXTENSIONS: usize = 20;
// Clients offer one or two; a hello has room for thousands.
const MAX_IDENTITIES: usize = 64;
const HOST_NAME: u8 = 0;
// RFC 7507 §2.
const FALLBACK_SCSV: u16 = 0x5600;
// IANA: TLS ExtensionType values.
const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const ENCRYPT_THEN_MAC: u16 = 22;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SESSION_TICKET: u16 = 35;
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;
const TICKET_REQUEST: u16 = 58;
// RFC 8446 §4.1.3: SHA-256 of "HelloRetryRequest".
pub(super) const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
