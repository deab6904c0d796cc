//! What answers questions over HTTP, at an edge and at a server of keys alike.

mod conversations;
mod keys;
mod page;
pub mod process;
pub mod prometheus;

pub use conversations::{Conversations, pause_after};
pub use keys::{describe_ring, key_age, keys_json, nodes_json};
pub use page::{Page, answer_on};
