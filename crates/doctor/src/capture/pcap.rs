//! The format of tcpdump (draft-ietf-opsawg-pcap), in all its dialects.

use raincheck_diagnosis::Timestamp;

use super::LinkType;
use super::buffer::{Buffer, Fault};
use super::file::{Packet, Record};

/// A pcap file, past its header.
pub(super) struct Pcap {
    dialect: Dialect,
    /// Of all its packets.
    pub(super) link: LinkType,
}

/// What the magic number tells.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    /// In whose byte order the file's numbers are.
    little_endian: bool,
    /// How many nanoseconds the second number of a time counts.
    unit: u64,
    /// How long the header of a packet is.
    header: usize,
}

impl Pcap {
    /// What dialect begins with `magic`, if one does.
    pub(super) fn dialect(magic: [u8; 4]) -> Option<Dialect> {
        let (big, little) = (u32::from_be_bytes(magic), u32::from_le_bytes(magic));
        [(big, false), (little, true)].into_iter().find_map(|(magic, little_endian)| {
            let (unit, header) = match magic {
                0xa1b2_c3d4 => (1000, 16),
                0xa1b2_3c4d => (1, 16),
                // Alexey Kuznetzov's: what else the kernel knows of a packet follows its lengths.
                0xa1b2_cd34 => (1000, 24),
                _ => return None,
            };
            Some(Dialect { little_endian, unit, header })
        })
    }

    /// Reads the header of the file.
    pub(super) fn open(dialect: Dialect, buffer: &mut Buffer) -> Result<Self, Fault> {
        // magic 4 | version 2 + 2 | reserved 4 + 4 | snap length 4 | link type 4
        let header = buffer.peek(FILE_HEADER)?;
        // The upper bits are about a checksum at the end of each packet.
        let link = LinkType(dialect.u32(header, 20) as u16);
        buffer.take(FILE_HEADER);
        Ok(Self { dialect, link })
    }

    /// The next packet, or `None` at the end.
    pub(super) fn next(&mut self, buffer: &mut Buffer) -> Result<Option<Record>, Fault> {
        if buffer.is_at_end()? {
            return Ok(None);
        }
        // seconds 4 | fraction 4 | captured 4 | original length 4
        let Dialect { header, unit, .. } = self.dialect;
        let bytes = buffer.peek(header)?;
        let field = |at| self.dialect.u32(bytes, at);
        let (seconds, fraction, captured, original) = (field(0), field(4), field(8) as usize, field(12) as usize);
        if captured > MOST_CAPTURED {
            return Err(Fault::Broken("a packet claims to be longer than any is"));
        }
        buffer.peek(header + captured)?;
        let record = buffer.take(header + captured);
        Ok(Some(Record::Packet(Packet {
            time: Timestamp::from_nanoseconds(u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * unit),
            link: self.link,
            bytes: record.start + header..record.end,
            original,
        })))
    }
}

impl Dialect {
    /// The number at `at`, which must be inside.
    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let number = bytes[at..].first_chunk().copied().unwrap_or_default();
        if self.little_endian { u32::from_le_bytes(number) } else { u32::from_be_bytes(number) }
    }
}

const FILE_HEADER: usize = 24;

/// Four times what tcpdump and Wireshark capture at most, and twice the largest packet that Linux joins (BIG TCP).
pub(super) const MOST_CAPTURED: usize = 1 << 20;
