//! TLS, read from outside: from the bytes of both sides to the [`Connection`](crate::evidence::Connection) they make.
//!
//! [`Reader`] finds the TLS in a stream (`start`), takes it apart into records (`record`) and their handshake messages
//! (`message`), and notes what those say (`hello`, `old_hello`) and which client says it (`ja4`, `profiles`). What is encrypted is
//! opened with a [`KeyLog`] (`keys`, `opener`, `aead`, `cbc`); without one, sizes tell what they can (`sizes`). Nothing here
//! judges whether a peer keeps to the protocol.

mod aead;
mod agreed;
mod cbc;
mod cursor;
mod direction;
mod expand;
mod hello;
mod ja4;
mod key_log;
mod keys;
mod message;
mod old_hello;
mod opener;
mod prf;
mod profiles;
mod reader;
mod record;
#[cfg(test)]
mod script;
mod sizes;
mod start;
mod tail;

pub use cursor::Cursor;
pub use expand::expand_label;
pub use key_log::{BadLines, KeyLog};
pub use profiles::Profiles;
pub use reader::Reader;
