//! Opens the records of one side, each with its own number.

use super::aead::Aead;
use super::agreed::Agreed;
use super::cbc::Cbc;
use super::keys::Waiting;
use super::tail::Tail;
use crate::Side;

/// What opens records, by what they are sealed with.
#[derive(Debug)]
pub(super) enum Opener {
    Aead(Aead),
    /// It is large, and rare.
    Cbc(Box<Cbc>),
}

impl Opener {
    /// From a traffic secret of TLS 1.3.
    pub(super) fn tls13(suite: u16, secret: &[u8]) -> Option<Self> {
        Aead::tls13(suite, secret).map(Self::Aead)
    }

    /// From a master secret, for what `side` sends.
    pub(super) fn tls12(agreed: &Agreed<'_>, master: &[u8], side: Side) -> Option<Self> {
        let aead = Aead::tls12(agreed, master, side).map(Self::Aead);
        aead.or_else(|| Some(Self::Cbc(Box::new(Cbc::new(agreed, master, side)?))))
    }

    /// The opener of what follows KeyUpdate.
    pub(super) fn next(&self) -> Option<Self> {
        match self {
            Self::Aead(aead) => aead.next().map(Self::Aead),
            Self::Cbc(_) => None,
        }
    }

    /// Whether all is known that opening a record takes which comes behind `before`.
    pub(super) fn follows(&self, before: &Tail) -> bool {
        match self {
            Self::Aead(_) => true,
            Self::Cbc(cbc) => cbc.follows(before),
        }
    }

    /// Opens the record with that number: what it holds comes in `plain`, with type and zeros behind it in TLS 1.3.
    pub(super) fn open(&self, record: &Waiting, sequence: u64, plain: &mut Vec<u8>) -> Option<()> {
        let Waiting { header, before, body, .. } = record;
        match self {
            Self::Aead(aead) => aead.open(*header, sequence, body, plain),
            Self::Cbc(cbc) => cbc.open(*header, sequence, before, body, plain),
        }
    }

    /// How much memory it takes beyond its own size, in bytes.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Aead(_) => 0,
            Self::Cbc(_) => size_of::<Cbc>(),
        }
    }
}
