use super::prf::{Block, Prf};
use crate::Side;
use crate::evidence::Version;

/// What the keys of TLS 1.2 and before follow from, but for the master secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed<'a> {
    pub(super) version: Version,
    pub(super) suite: u16,
    /// Whether records have their MAC outside of what is encrypted (RFC 7366).
    pub(super) encrypt_then_mac: bool,
    pub(super) client_random: &'a [u8; 32],
    pub(super) server_random: &'a [u8; 32],
}

impl Agreed<'_> {
    /// The first `length` bytes of the key block (RFC 5246 §6.3).
    pub(super) fn key_block(&self, prf: Prf, master: &[u8], length: usize) -> Option<Block> {
        prf.key_block(master, self.server_random, self.client_random, length)
    }
}

/// That half of `both` which is `side`'s, in a block of keys (RFC 5246 §6.3).
pub(super) fn half(side: Side, both: &[u8]) -> &[u8] {
    let (clients, servers) = both.split_at(both.len() / 2);
    match side {
        Side::Client => clients,
        Side::Server => servers,
    }
}
