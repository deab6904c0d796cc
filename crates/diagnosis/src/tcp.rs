//! TCP: from segments in the order they were captured to the bytes of each connection in the order they were sent.

mod attempts;
mod connection;
mod connections;
mod departed;
mod direction;
mod limits;
mod pair;
pub mod segment;
mod sequence;
mod waiting;

use std::net::SocketAddr;

pub use connections::{Connections, Counts};
pub use limits::Limits;
pub use segment::{Flags, Segment};

use crate::{Moment, Side, Sides};

/// What reads the bytes of one connection.
///
/// Bytes of each side come in order, each once; what is lost of them comes as a gap in its place. What waited for its turn
/// comes with the moment at which it was captured, so that a side's moments may go back, and those of the two sides need not
/// be in order.
pub trait Conversation {
    /// `side` sent `bytes`, which were seen at `at`.
    fn data(&mut self, side: Side, at: Moment, bytes: &[u8]);

    /// `length` bytes that `side` sent are not in the capture. What follows them was seen at `at`.
    fn gap(&mut self, side: Side, at: Moment, length: u64);

    /// `side` ended its direction, and all it sent before was handed over.
    fn fin(&mut self, side: Side, at: Moment);

    /// `side` reset the connection. Nothing that it sent is handed over after that, but what the other side did still is.
    fn reset(&mut self, side: Side, at: Moment);

    /// The connection is over, or the capture is: nothing more comes.
    fn ended(&mut self, _totals: Sides<Totals>) {}
}

/// What one side sent in all, in bytes.
///
/// After a reset nobody sends anything again, so that these stay as they were. What was not acknowledged then may be lost, or may
/// have arrived a moment before the reset did; what was acknowledged arrived, though the reset may have kept it from who should
/// have read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sent, as far as that was seen or was acknowledged. Where none of it was captured but acknowledgements, a FIN counts as one.
    pub sent: u64,
    /// Of those: acknowledged. Zero where what the other side sent was not captured.
    pub acknowledged: u64,
    /// Of those sent: not in the capture, and handed over as gaps.
    pub missing: u64,
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
