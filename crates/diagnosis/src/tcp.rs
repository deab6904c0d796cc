//! TCP: from segments in the order they were captured to the bytes of each connection in the order they were sent.

pub mod segment;

use std::net::SocketAddr;

pub use segment::{Flags, Segment};

use crate::{Moment, Side};

/// What reads the bytes of one connection.
///
/// Bytes of each side come in order, each once; what a side lost comes as a gap in its place.
pub trait Conversation {
    /// `side` sent `bytes`, which were seen at `at`.
    fn data(&mut self, side: Side, at: Moment, bytes: &[u8]);

    /// `length` bytes that `side` sent are not in the capture. What follows them was seen at `at`.
    fn gap(&mut self, side: Side, at: Moment, length: u64);

    /// `side` ended its direction, and all it sent before was handed over.
    fn fin(&mut self, side: Side, at: Moment);

    /// `side` reset the connection.
    fn reset(&mut self, side: Side, at: Moment);
}

/// How a connection came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Who opened it, or where that was not seen, who looks like it: the end with the higher port.
    pub client: SocketAddr,
    /// The other end.
    pub server: SocketAddr,
    /// When its first segment was seen.
    pub at: Moment,
    /// Whether a SYN told who opened it. Otherwise the beginning was not captured, and the sides may be the other way round.
    pub from_the_start: bool,
}
