//! One capture: what its format calls a packet, and what that turns out to be.

use std::ops::Range;

use raincheck_diagnosis::Timestamp;

use super::buffer::{Buffer, Fault};
use super::packet::{self, Header, Skip};
use super::pcap::Pcap;
use super::pcapng::Pcapng;
use super::source::{Input, Progress};
use super::{Error, LinkType, Notice};

/// A capture that is being read.
pub(super) struct File {
    name: String,
    buffer: Buffer,
    format: Format,
    /// Whether there were packets of a link that can be read.
    readable: bool,
    /// Links that cannot.
    foreign: Vec<LinkType>,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// What a format keeps of its own. Ranges are into the buffer, and hold until the next record.
pub(super) enum Record {
    Packet(Packet),
    /// Something that counts as a packet, and is none that could be read.
    Skipped(Skip),
    /// A TLS key log.
    Secrets(Range<usize>),
}

/// A packet, with the headers of its link.
pub(super) struct Packet {
    pub(super) time: Timestamp,
    pub(super) link: LinkType,
    pub(super) bytes: Range<usize>,
    /// How long it was on the wire.
    pub(super) original: usize,
}

impl File {
    /// Opens `input` and reads as much as tells what it is.
    pub(super) fn open(input: Input, progress: &Progress) -> Result<Self, Error> {
        let name = input.name().to_owned();
        let stored = match input.open(progress) {
            Ok(stored) => stored,
            Err(why) => return Err(Error::Open { name, why }),
        };
        let mut buffer = Buffer::new(stored);
        match Format::of(&mut buffer) {
            Ok(format) => Ok(Self { name, buffer, format, readable: false, foreign: Vec::new() }),
            Err(refused) => Err(refused.error(name, buffer.offset())),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The next record, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Record>, Fault> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.buffer),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.buffer),
        }
    }

    /// What a packet says of a TCP segment, if it is one.
    pub(super) fn header(&mut self, packet: &Packet) -> Result<Header, Skip> {
        let header = packet::read(packet.link, self.buffer.bytes(packet.bytes.clone()), packet.original);
        if !matches!(header, Err(Skip::UnknownLink)) {
            self.readable = true;
        } else if self.foreign.len() < MOST_LINKS && !self.foreign.contains(&packet.link) {
            self.foreign.push(packet.link);
        }
        header
    }

    /// The bytes of a record.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.bytes(range)
    }

    /// Where the next record begins.
    pub(super) fn offset(&self) -> u64 {
        self.buffer.offset()
    }

    /// What is to be said of links that cannot be read: an error if there was nothing else.
    pub(super) fn foreign_links(self) -> Result<impl Iterator<Item = Notice>, Error> {
        let Self { name, readable, foreign, .. } = self;
        match foreign.first() {
            Some(link) if !readable => Err(Error::Link { name, link: *link }),
            _ => Ok(foreign.into_iter().map(move |link| Notice::Link { name: name.clone(), link })),
        }
    }
}

impl Format {
    /// Reads as much as tells the format, and its header.
    fn of(buffer: &mut Buffer) -> Result<Self, Refused> {
        if buffer.is_at_end()? {
            return Err(Refused::Empty);
        }
        let Some(magic) = buffer.peek_at_most(4)?.first_chunk().copied() else {
            return Err(Refused::Other("it is shorter than the header of one"));
        };
        if let Some(dialect) = Pcap::dialect(magic) {
            let pcap = Pcap::open(dialect, buffer)?;
            // Said now, and not once all of the file, or of a pipe that never ends, was read in vain.
            return if pcap.link.is_known() { Ok(Self::Pcap(pcap)) } else { Err(Refused::Link(pcap.link)) };
        }
        if magic == Pcapng::MAGIC {
            return Ok(Self::Pcapng(Pcapng::open(buffer)?));
        }
        Err(Refused::Other(looks_like(buffer.peek_at_most(TELLING)?)))
    }
}

/// Why something is not read as a capture.
enum Refused {
    Fault(Fault),
    Empty,
    Link(LinkType),
    /// It is none: what it looks like.
    Other(&'static str),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Refused {
    fn error(self, name: String, offset: u64) -> Error {
        match self {
            Self::Empty => Error::Empty { name },
            Self::Link(link) => Error::Link { name, link },
            Self::Other(what) => Error::NotACapture { name, what },
            Self::Fault(Fault::Io(why)) => Error::Read { name, offset, why },
            Self::Fault(Fault::Broken(what)) => Error::Broken { name, offset, what },
            Self::Fault(Fault::Cut) => Error::Broken { name, offset, what: "it ends within its header" },
        }
    }
}

/// What people give by mistake, and what other capture programs write.
fn looks_like(start: &[u8]) -> &'static str {
    let known: [(&[u8], &str); 10] = [
        (b"CLIENT_RANDOM ", KEY_LOG),
        (b"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", KEY_LOG),
        (b"SERVER_HANDSHAKE_TRAFFIC_SECRET ", KEY_LOG),
        (b"# SSL/TLS secrets log file", KEY_LOG),
        (b"snoop\0\0\0", "it is in Solaris' snoop format"),
        (b"GMBU", "it is in Microsoft's Network Monitor format"),
        (b"PK\x03\x04", "it is a zip archive: unpack it first"),
        (b"\xfd7zXZ\0", "it is compressed by xz: unpack it first"),
        (b"BZh", "it is compressed by bzip2: unpack it first"),
        (b"\x04\x22\x4d\x18", "it is compressed by lz4: unpack it first"),
    ];
    match known.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, what)) => what,
        None if start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => "it is text",
        None => "it begins as none does",
    }
}

/// So many bytes tell what something is.
const TELLING: usize = 64;

/// What a TLS key log looks like.
pub(super) const KEY_LOG: &str = "it is a TLS key log";

/// Links that cannot be read are named up to this many for each file.
const MOST_LINKS: usize = 8;
