//! pcap files: little-endian, microseconds, Ethernet, as tcpdump writes them here.

use std::io::{self, Write};
use std::time::Duration;

/// The packets of a file: when each was captured after the first, and its bytes. `None` if it is a file of another kind.
pub(super) fn packets(file: &[u8]) -> Option<Vec<(Duration, &[u8])>> {
    let mut rest = file.strip_prefix(&HEADER)?;
    let mut packets = Vec::new();
    let mut first = None;
    while let Some((header, after)) = rest.split_first_chunk::<16>() {
        let [seconds, micros, length] = [0, 4, 8].map(|at| {
            let [a, b, c, d] = [0, 1, 2, 3].map(|byte| header[at + byte]);
            u32::from_le_bytes([a, b, c, d])
        });
        let time = Duration::new(seconds.into(), micros * 1000);
        let (bytes, after) = after.split_at_checked(length as usize)?;
        packets.push((time.saturating_sub(*first.get_or_insert(time)), bytes));
        rest = after;
    }
    rest.is_empty().then_some(packets)
}

/// Begins a file; how many bytes that takes.
pub(super) fn write_header(out: &mut impl Write) -> io::Result<u64> {
    out.write_all(&HEADER)?;
    Ok(HEADER.len() as u64)
}

pub(super) fn write_packet(out: &mut impl Write, at: Duration, bytes: &[u8]) -> io::Result<()> {
    let time = EPOCH + at;
    let seconds = u32::try_from(time.as_secs()).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    for number in [seconds, time.subsec_micros(), length, length] {
        out.write_all(&number.to_le_bytes())?;
    }
    out.write_all(bytes)
}

/// What comes before a packet.
pub(super) const PACKET_HEADER: usize = 16;
/// magic | version 2.4 | zone | accuracy | snap length 256 KiB | Ethernet
const HEADER: [u8; 24] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
/// When captures that are made begin.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);
