//! Opens the records of one side, each with its own number.

use super::aead::Aead;
use super::agreed::Agreed;
use super::record::Header;
use crate::Side;

/// What opens records, by what they are sealed with.
#[derive(Debug)]
pub(super) enum Opener {
    Aead(Aead),
}

impl Opener {
    /// From a traffic secret of TLS 1.3.
    pub(super) fn tls13(suite: u16, secret: &[u8]) -> Option<Self> {
        Aead::tls13(suite, secret).map(Self::Aead)
    }

    /// From a master secret, for what `side` sends.
    pub(super) fn tls12(agreed: &Agreed<'_>, master: &[u8], side: Side) -> Option<Self> {
        Aead::tls12(agreed, master, side).map(Self::Aead)
    }

    /// The opener of what follows KeyUpdate.
    pub(super) fn next(&self) -> Option<Self> {
        match self {
            Self::Aead(aead) => aead.next().map(Self::Aead),
        }
    }

    /// Opens the record with that number: what it holds comes in `plain`, with type and zeros behind it in TLS 1.3.
    pub(super) fn open(&self, header: Header, sequence: u64, body: &[u8], plain: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Aead(aead) => aead.open(header, sequence, body, plain),
        }
    }
}
