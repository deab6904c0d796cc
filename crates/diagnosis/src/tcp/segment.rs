//! A TCP segment, as a capture has it.

use std::net::SocketAddr;

use crate::Moment;

/// A TCP segment (RFC 9293 §3.1), whatever carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// When it was captured, and as which packet.
    pub at: Moment,
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it was sent to.
    pub destination: SocketAddr,
    /// The sequence number of its first byte, or of its SYN.
    pub sequence: u32,
    /// The next sequence number its sender expects; meaningless without [`Flags::ack`].
    pub acknowledgement: u32,
    /// Its control bits.
    pub flags: Flags,
    /// Its payload, as far as it was captured.
    pub payload: &'a [u8],
    /// How long its payload was on the wire, in bytes: more than was captured where the snap length cut it.
    pub length: usize,
}

/// The control bits of a segment that matter here (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are RFC 9293's")]
pub struct Flags {
    pub syn: bool,
    pub ack: bool,
    pub fin: bool,
    pub rst: bool,
}
