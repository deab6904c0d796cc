//! New keys.

use raincheck_keyring::{KeySize, TicketKey};

/// A ticket key that nobody else has, from AWS-LC's random generator.
pub fn fresh_key(size: KeySize) -> TicketKey {
    TicketKey::generate(size, |bytes| {
        aws_lc_rs::rand::fill(bytes).expect("AWS-LC ends the process itself where the kernel gives no entropy");
    })
    .expect("random bytes are not degenerate")
}
