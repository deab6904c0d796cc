//! What bounds the memory that connections take.

use std::time::Duration;

/// How much is kept, and for how long. Times are those of the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections kept at once, those that linger among them: beyond it, one that was idle for long ends as it is.
    /// Default 262,144.
    pub connections: usize,
    /// SYNs kept without an answer. One that still has none after as many others is counted and forgotten, so that a flood of
    /// them costs 10 MB and no connection. Default 65,536.
    pub attempts: usize,
    /// How long a connection is kept after it is over, for what crossed its last segment: the reset that answers data sent
    /// after a FIN, or a segment captured out of order. Default 5 s.
    pub linger: Duration,
    /// Connections kept that are over; beyond it, the first of them lingers no longer. Default 16,384.
    pub lingering: usize,
    /// Connections remembered by a hash after they ended, so that a late retransmission does not look like a
    /// connection whose beginning is missing. Default 65,536.
    pub departed: usize,
    /// How long they are remembered: after that, whoever uses the addresses again is taken for another connection, though its
    /// SYN was not captured. Default 60 s, which is how long Linux itself keeps them from being used again.
    pub departed_for: Duration,
    /// How long a hole waits once the receiver acknowledged it. It had the bytes, so nobody sends them again: they are missing
    /// for good unless the capture has them out of order, and that is a matter of milliseconds. Default 1 s.
    pub patience: Duration,
    /// Bytes that wait behind such a hole at most. Default 256 KiB.
    pub patience_bytes: usize,
    /// Bytes of one side that wait behind a hole nobody acknowledged. It is filled when its sender sends again, which takes a
    /// round trip or more, so that a whole window may come before. Default 4 MiB.
    pub waiting_per_side: usize,
    /// Bytes of all connections that wait: beyond it, who waits longest waits no longer. Default 128 MiB.
    pub waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1 << 18,
            attempts: 1 << 16,
            linger: Duration::from_secs(5),
            lingering: 1 << 14,
            departed: 1 << 16,
            departed_for: Duration::from_secs(60),
            patience: Duration::from_secs(1),
            patience_bytes: 256 << 10,
            waiting_per_side: 4 << 20,
            waiting: 128 << 20,
        }
    }
}
