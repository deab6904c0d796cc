//! One packet: through the headers of its link and of IP to the TCP segment it carries.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use etherparse::err::{ip::LaxHeaderSliceError, ipv6_exts::HeaderSliceError};
use etherparse::{Ipv6ExtensionSlice, Ipv6Header, LaxIpSlice, ip_number};
use raincheck_diagnosis::Moment;
use raincheck_diagnosis::tcp::{Flags, Segment};

use super::LinkType;
use super::link;

/// What a packet says of its TCP segment, and where in it the payload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it was sent to.
    pub destination: SocketAddr,
    /// Its sequence number.
    pub sequence: u32,
    /// Its acknowledgement.
    pub acknowledgement: u32,
    /// Its control bits.
    pub flags: Flags,
    /// Where in the packet its payload is, as far as it was captured.
    pub payload: Range<usize>,
    /// How long its payload was on the wire, in bytes; of a fragmented segment, as much as the first fragment has.
    pub length: usize,
}

/// Why there is no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It is something else than TCP over IP.
    NotTcp,
    /// It is a fragment of a segment, and not the first one.
    Fragment,
    /// It was captured so short that nobody can tell.
    Cut,
    /// Its headers contradict themselves.
    Malformed,
    /// It is from a link whose headers are not known here.
    UnknownLink,
}

/// Reads `packet`, a frame of `link` that was `original` bytes long on the wire, of which `packet` is what was captured.
pub fn read(link: LinkType, packet: &[u8], original: usize) -> Result<Header, Skip> {
    let frame = Frame { bytes: packet, original: original.max(packet.len()) };
    let start = link::ip(link, packet)?.ok_or(frame.ends_early())?;
    frame.tcp(&frame.ip(start)?)
}

impl Header {
    /// The segment, captured at `at` in `packet`.
    pub fn segment<'a>(&self, at: Moment, packet: &'a [u8]) -> Segment<'a> {
        Segment {
            at,
            source: self.source,
            destination: self.destination,
            sequence: self.sequence,
            acknowledgement: self.acknowledgement,
            flags: self.flags,
            payload: packet.get(self.payload.clone()).unwrap_or_default(),
            length: self.length,
        }
    }
}

struct Frame<'a> {
    bytes: &'a [u8],
    original: usize,
}

/// What a packet of IP carries.
struct Carried {
    source: IpAddr,
    destination: IpAddr,
    /// Where in the frame that is, as far as it was captured.
    captured: Range<usize>,
    /// How long it was on the wire.
    length: usize,
}

impl Frame<'_> {
    /// The segment in the packet of IP that begins at `start`.
    fn ip(&self, start: usize) -> Result<Carried, Skip> {
        let bytes = self.bytes.get(start..).unwrap_or_default();
        let (ip, stopped) = LaxIpSlice::from_slice(bytes).map_err(|error| match error {
            LaxHeaderSliceError::Len(_) => self.ends_early(),
            LaxHeaderSliceError::Content(_) => Skip::Malformed,
        })?;
        match stopped {
            Some((HeaderSliceError::Len(_), _)) => return Err(self.ends_early()),
            Some((HeaderSliceError::Content(_), _)) => return Err(Skip::Malformed),
            None if ip.payload_ip_number() != ip_number::TCP => return Err(Skip::NotTcp),
            None if is_later_fragment(&ip) => return Err(Skip::Fragment),
            None => {}
        }
        let (headers, total) = match &ip {
            LaxIpSlice::Ipv4(ip) => {
                let authentication = ip.extensions().auth.map_or(0, |header| header.slice().len());
                (ip.header().slice().len() + authentication, usize::from(ip.header().total_len()))
            }
            LaxIpSlice::Ipv6(ip) => match ip.header().payload_length() {
                0 => (Ipv6Header::LEN + ip.extensions().slice().len(), 0),
                length => (Ipv6Header::LEN + ip.extensions().slice().len(), Ipv6Header::LEN + usize::from(length)),
            },
        };
        let total = match total {
            // The kernel joined segments to more than the field can say, or left it to the network card to split them.
            0 => self.original - start,
            _ => total,
        };
        let begin = start + headers;
        Ok(Carried {
            source: ip.source_addr(),
            destination: ip.destination_addr(),
            captured: begin..begin + ip.payload().payload.len(),
            length: total.checked_sub(headers).ok_or(Skip::Malformed)?,
        })
    }

    /// The header of a segment.
    ///
    /// Its options are not read, and may be missing: with the snap length of old, 68 bytes, they often are.
    fn tcp(&self, carried: &Carried) -> Result<Header, Skip> {
        // ports 2 + 2 | sequence 4 | acknowledgement 4 | header length in the upper 4 bits 1 | flags 1 | ... (RFC 9293 §3.1)
        if carried.length < TCP_HEADER {
            return Err(Skip::Malformed);
        }
        let bytes = &self.bytes[carried.captured.clone()];
        let [s0, s1, d0, d1, sequence @ .., length, flags] = bytes.first_chunk::<14>().ok_or(Skip::Cut)?;
        let [q0, q1, q2, q3, a0, a1, a2, a3] = *sequence;
        let header = usize::from(length >> 4) * 4;
        if header < TCP_HEADER || header > carried.length {
            return Err(Skip::Malformed);
        }
        let Range { start, end } = carried.captured;
        Ok(Header {
            source: SocketAddr::new(carried.source, u16::from_be_bytes([*s0, *s1])),
            destination: SocketAddr::new(carried.destination, u16::from_be_bytes([*d0, *d1])),
            sequence: u32::from_be_bytes([q0, q1, q2, q3]),
            acknowledgement: u32::from_be_bytes([a0, a1, a2, a3]),
            flags: Flags {
                fin: flags & 0x01 != 0,
                syn: flags & 0x02 != 0,
                rst: flags & 0x04 != 0,
                ack: flags & 0x10 != 0,
            },
            payload: (start + header).min(end)..end,
            length: carried.length - header,
        })
    }

    /// What it means that the frame ends before its headers do.
    fn ends_early(&self) -> Skip {
        if self.bytes.len() < self.original { Skip::Cut } else { Skip::Malformed }
    }
}

/// Whether it is a fragment, and not the first one.
fn is_later_fragment(ip: &LaxIpSlice<'_>) -> bool {
    match ip {
        LaxIpSlice::Ipv4(ip) => ip.header().fragments_offset().value() > 0,
        LaxIpSlice::Ipv6(ip) => {
            ip.is_payload_fragmented()
                && ip.extensions().clone().into_iter().any(|extension| match extension {
                    Ipv6ExtensionSlice::Fragment(header) => header.fragment_offset().value() > 0,
                    _ => false,
                })
        }
    }
}

/// Without options.
const TCP_HEADER: usize = 20;

#[cfg(test)]
mod tests;
