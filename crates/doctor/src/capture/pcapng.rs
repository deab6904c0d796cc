//! The format of Wireshark (draft-ietf-opsawg-pcapng): blocks, in sections that each have their byte order and interfaces.

mod clock;
mod fields;

use std::ops::Range;

use raincheck_diagnosis::Timestamp;

use super::LinkType;
use super::buffer::{Buffer, Fault};
use super::file::{Packet, Record};
use super::packet::Skip;
use super::pcap::MOST_CAPTURED;
use clock::Clock;
use fields::{Fields, Order};

/// A pcapng file, past the header of its first section.
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// When the last packet was captured. A Simple Packet Block does not tell, and is taken to follow at once.
    time: Timestamp,
    /// What is left of a Decryption Secrets Block: secrets, and what follows them.
    secrets: Secrets,
}

/// Where packets were captured.
struct Interface {
    link: LinkType,
    snap_length: usize,
    clock: Clock,
}

#[derive(Default)]
struct Secrets {
    left: usize,
    behind: u64,
}

/// The beginning of a block.
struct Block {
    kind: u32,
    length: usize,
}

impl Pcapng {
    /// How each section begins, in either byte order.
    pub(super) const MAGIC: [u8; 4] = SECTION.to_be_bytes();

    /// Reads the header of the first section.
    pub(super) fn open(buffer: &mut Buffer) -> Result<Self, Fault> {
        let mut file = Self {
            order: Order::Little,
            interfaces: Vec::new(),
            time: Timestamp::default(),
            secrets: Secrets::default(),
        };
        let block = file.block(buffer)?;
        file.read(block, buffer)?;
        Ok(file)
    }

    /// The next record, or `None` at the end.
    pub(super) fn next(&mut self, buffer: &mut Buffer) -> Result<Option<Record>, Fault> {
        loop {
            if self.secrets.left > 0 {
                return Ok(Some(Record::Secrets(self.some_secrets(buffer)?)));
            }
            buffer.skip(std::mem::take(&mut self.secrets.behind))?;
            if buffer.is_at_end()? {
                return Ok(None);
            }
            let block = self.block(buffer)?;
            if let Some(record) = self.read(block, buffer)? {
                return Ok(Some(record));
            }
        }
    }

    /// Looks at the beginning of a block; takes none of it.
    fn block(&mut self, buffer: &mut Buffer) -> Result<Block, Fault> {
        // type 4 | length 4 | body | length 4
        let start = buffer.peek(BLOCK_HEADER)?;
        if start.starts_with(&Self::MAGIC) {
            // The byte order of a section is in the body of its header, behind a length that is in this order already.
            let start = buffer.peek(BLOCK_HEADER + 4)?;
            self.order = Order::of(&start[BLOCK_HEADER..]).ok_or(Fault::Broken("a section has no byte order"))?;
        }
        let mut fields = Fields::new(buffer.peek(BLOCK_HEADER)?, self.order);
        let (kind, length) = fields.u32().zip(fields.u32()).ok_or(Fault::Cut)?;
        if (length as usize) < BLOCK_HEADER + BLOCK_TRAILER || length % 4 != 0 {
            return Err(Fault::Broken("a block has a length that none can have"));
        }
        Ok(Block { kind, length: length as usize })
    }

    /// Takes a block, and of it what matters.
    fn read(&mut self, block: Block, buffer: &mut Buffer) -> Result<Option<Record>, Fault> {
        match block.kind {
            SECTION | INTERFACE | ENHANCED_PACKET | SIMPLE_PACKET | PACKET => self.read_whole(block, buffer),
            SECRETS => self.read_secrets(block, buffer).map(|()| None),
            // They count as packets for tshark.
            JOURNAL | SYSDIG_EVENT | SYSDIG_EVENT_WITH_FLAGS | SYSDIG_EVENT_V2 | SYSDIG_EVENT_V2_LARGE => {
                buffer.skip(block.length as u64)?;
                Ok(Some(Record::Skipped(Skip::NotTcp)))
            }
            _ => buffer.skip(block.length as u64).map(|()| None),
        }
    }

    /// Takes a block that must be in the buffer as a whole.
    fn read_whole(&mut self, block: Block, buffer: &mut Buffer) -> Result<Option<Record>, Fault> {
        if block.length > MOST_BLOCK {
            return Err(Fault::Broken("a block claims to be longer than any is"));
        }
        let bytes = &buffer.peek(block.length)?[..block.length];
        let (body, trailer) = bytes[BLOCK_HEADER..].split_at(block.length - BLOCK_HEADER - BLOCK_TRAILER);
        if Fields::new(trailer, self.order).u32() != Some(block.length as u32) {
            return Err(Fault::Broken("the two lengths of a block differ"));
        }
        let fields = Fields::new(body, self.order);
        let record = match block.kind {
            SECTION => self.section(fields).map(|()| None),
            INTERFACE => self.interface(fields).map(|()| None),
            ENHANCED_PACKET => self.enhanced_packet(fields).map(Some),
            SIMPLE_PACKET => self.simple_packet(fields).map(Some),
            _ => self.packet(fields).map(Some),
        };
        let mut record = record.ok_or(TOO_SHORT)?;
        let taken = buffer.take(block.length);
        if let Some(Record::Packet(packet)) = &mut record {
            let body = taken.start + BLOCK_HEADER;
            packet.bytes = packet.bytes.start + body..packet.bytes.end + body;
        }
        Ok(record)
    }

    fn section(&mut self, mut fields: Fields<'_>) -> Option<()> {
        // byte order 4 | version 2 + 2 | section length 8 | options
        fields.take(4 + 4 + 8)?;
        self.interfaces.clear();
        Some(())
    }

    fn interface(&mut self, mut fields: Fields<'_>) -> Option<()> {
        // link type 2 | reserved 2 | snap length 4 | options
        let link = LinkType(fields.u16()?);
        fields.u16()?;
        let snap_length = match fields.u32()? {
            0 => usize::MAX,
            limit => limit as usize,
        };
        if self.interfaces.len() < MOST_INTERFACES {
            self.interfaces.push(Interface { link, snap_length, clock: Clock::of(fields) });
        }
        Some(())
    }

    fn enhanced_packet(&mut self, mut fields: Fields<'_>) -> Option<Record> {
        // interface 4 | time 4 + 4 | captured 4 | original length 4 | packet | options
        let interface = fields.u32()?;
        self.timed_packet(interface as usize, fields)
    }

    /// The block of before 2010, which tools still read and some still write.
    fn packet(&mut self, mut fields: Fields<'_>) -> Option<Record> {
        // interface 2 | dropped 2 | and on as in the enhanced one
        let interface = fields.u16()?;
        fields.u16()?;
        self.timed_packet(interface.into(), fields)
    }

    fn timed_packet(&mut self, interface: usize, mut fields: Fields<'_>) -> Option<Record> {
        let ticks = u64::from(fields.u32()?) << 32 | u64::from(fields.u32()?);
        let (captured, original) = (fields.u32()? as usize, fields.u32()? as usize);
        let bytes = fields.take(captured)?;
        let Some(interface) = self.interfaces.get(interface) else { return Some(Record::Skipped(Skip::Malformed)) };
        self.time = interface.clock.time(ticks);
        Some(Record::Packet(Packet { time: self.time, link: interface.link, bytes, original }))
    }

    fn simple_packet(&mut self, mut fields: Fields<'_>) -> Option<Record> {
        // original length 4 | packet, of the first interface, as long as that lets it be | padding
        let original = fields.u32()? as usize;
        let Some(interface) = self.interfaces.first() else { return Some(Record::Skipped(Skip::Malformed)) };
        let bytes = fields.take(original.min(interface.snap_length))?;
        Some(Record::Packet(Packet { time: self.time, link: interface.link, bytes, original }))
    }

    /// Takes the beginning of a Decryption Secrets Block. The secrets themselves may be long, and come in pieces.
    fn read_secrets(&mut self, block: Block, buffer: &mut Buffer) -> Result<(), Fault> {
        // secrets type 4 | secrets length 4 | secrets | padding | options
        const START: usize = BLOCK_HEADER + 4 + 4;
        let mut fields = Fields::new(buffer.peek(START)?, self.order);
        fields.take(BLOCK_HEADER);
        let (kind, left) = fields.u32().zip(fields.u32()).ok_or(Fault::Cut)?;
        let behind = (block.length as u64).checked_sub(START as u64 + u64::from(left));
        let behind = behind.filter(|behind| *behind >= BLOCK_TRAILER as u64).ok_or(TOO_SHORT)?;
        buffer.take(START);
        self.secrets = match kind {
            TLS_KEY_LOG => Secrets { left: left as usize, behind },
            _ => Secrets { left: 0, behind: behind + u64::from(left) },
        };
        Ok(())
    }

    /// Takes as many secrets as are handed on at once: whole lines, if there is an end to them.
    fn some_secrets(&mut self, buffer: &mut Buffer) -> Result<Range<usize>, Fault> {
        let most = self.secrets.left.min(MOST_SECRETS);
        let bytes = &buffer.peek(most)?[..most];
        let line_end = bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let length = if most < self.secrets.left { line_end.unwrap_or(most) } else { most };
        self.secrets.left -= length;
        Ok(buffer.take(length))
    }
}

const TOO_SHORT: Fault = Fault::Broken("a block is too short for what it claims to hold");

const BLOCK_HEADER: usize = 8;
const BLOCK_TRAILER: usize = 4;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const JOURNAL: u32 = 9;
const SECRETS: u32 = 10;
const SYSDIG_EVENT: u32 = 0x204;
const SYSDIG_EVENT_WITH_FLAGS: u32 = 0x208;
const SYSDIG_EVENT_V2: u32 = 0x216;
const SYSDIG_EVENT_V2_LARGE: u32 = 0x221;

/// "TLSK" (draft-ietf-opsawg-pcapng §4.7).
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// A packet with a lot of comments.
const MOST_BLOCK: usize = MOST_CAPTURED + (256 << 10);
/// As many as an obsolete Packet Block can name.
const MOST_INTERFACES: usize = 1 << 16;
const MOST_SECRETS: usize = 64 << 10;

#[cfg(test)]
mod tests;
