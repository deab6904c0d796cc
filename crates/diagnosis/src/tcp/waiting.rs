//! What came before its turn.

use std::collections::BTreeMap;

use super::Limits;
use crate::{Moment, Timestamp};

/// What one side sent behind a hole: at least one of a piece, a FIN and a reset.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By offset. They may overlap: who hands them over leaves out what was handed over already.
    pieces: BTreeMap<i64, Piece>,
    pub(super) fin: Option<Mark>,
    pub(super) reset: Option<Mark>,
    cost: usize,
    /// Since when it is known that the hole before all this was acknowledged.
    acknowledged_since: Option<Timestamp>,
}

/// The payload of a segment.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) at: Moment,
    pub(super) bytes: Box<[u8]>,
    /// As long as it was on the wire.
    pub(super) length: i64,
}

/// Something without bytes, and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) offset: i64,
    pub(super) at: Moment,
}

impl Waiting {
    /// Keeps the payload, unless what is kept covers it.
    pub(super) fn insert(&mut self, offset: i64, at: Moment, bytes: &[u8], length: i64) {
        let before = self.pieces.range(..=offset).next_back();
        if before.is_some_and(|(start, piece)| start + piece.length >= offset + length) {
            return;
        }
        self.cost += PIECE_COST + bytes.len();
        if let Some(shorter) = self.pieces.insert(offset, Piece { at, bytes: bytes.into(), length }) {
            self.cost -= PIECE_COST + shorter.bytes.len();
        }
    }

    /// The first piece, if it begins at `offset` or before.
    pub(super) fn pop(&mut self, offset: i64) -> Option<(i64, Piece)> {
        let first = self.pieces.first_entry().filter(|first| *first.key() <= offset)?;
        let (offset, piece) = first.remove_entry();
        self.cost -= PIECE_COST + piece.bytes.len();
        self.acknowledged_since = None;
        Some((offset, piece))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.fin.is_none() && self.reset.is_none()
    }

    /// Where the hole ends, and when what follows it was captured.
    pub(super) fn first(&self) -> Option<Mark> {
        let piece = self.pieces.first_key_value().map(|(offset, piece)| Mark { offset: *offset, at: piece.at });
        [piece, self.fin, self.reset].into_iter().flatten().min_by_key(|mark| mark.offset)
    }

    /// What it takes, in bytes, its own size included.
    pub(super) fn cost(&self) -> usize {
        size_of::<Self>() + self.cost
    }

    /// Whether the hole need not be waited for any longer at `now`, for `acknowledged` is what its receiver has.
    pub(super) fn is_overdue(&mut self, acknowledged: i64, now: Timestamp, limits: &Limits) -> bool {
        if self.cost > limits.waiting_per_side {
            return true;
        }
        if self.first().is_none_or(|first| acknowledged < first.offset) {
            return false;
        }
        let since = *self.acknowledged_since.get_or_insert(now);
        self.cost > limits.patience_bytes || now.since(since) >= limits.patience
    }
}

/// What the map and the allocation take beside a piece's bytes: half of a node's places are empty at worst.
pub(super) const PIECE_COST: usize = 2 * (size_of::<i64>() + size_of::<Piece>()) + 16;
