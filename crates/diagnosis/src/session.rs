//! The sessions of a capture: which connection issued what, which one offered it, and what came of that.
//!
//! Connections go into [`Sessions`] as they end, and of each a [`Record`] is kept; at the end they become a [`Graph`], in which
//! every session has its history, across connections, servers and ports. Of tickets, a digest and the key's name are kept, so
//! that memory does not depend on their size: less than 500 bytes for each connection, while it is diagnosed and reported too
//! (by `doctor pcap`, of 30,000, 120,000 and 300,000 connections).

mod event;
mod filter;
mod given;
mod graph;
mod interned;
mod key;
mod record;
#[cfg(test)]
pub(crate) mod scene;
mod sessions;
mod summary;
mod tie;
mod verdict;

pub use event::{Issue, Offer, Session};
pub use filter::{Endpoint, Filter};
pub use given::Given;
pub use graph::Graph;
pub use key::Key;
pub use record::{Offered, Record, Speech};
pub use sessions::{Sample, Sessions};
pub use summary::{KeyUse, Summary};
pub use verdict::Verdict;

#[cfg(test)]
mod tests;
