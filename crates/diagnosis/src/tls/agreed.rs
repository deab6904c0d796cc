use crate::Side;

/// What the keys of TLS 1.2 and before follow from, but for the master secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed<'a> {
    pub(super) suite: u16,
    pub(super) client_random: &'a [u8; 32],
    pub(super) server_random: &'a [u8; 32],
}

/// That half of `both` which is `side`'s, in a block of keys (RFC 5246 §6.3).
pub(super) fn half(side: Side, both: &[u8]) -> &[u8] {
    let (clients, servers) = both.split_at(both.len() / 2);
    match side {
        Side::Client => clients,
        Side::Server => servers,
    }
}
