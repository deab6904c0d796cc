//! From evidence to findings.

pub mod client;
pub mod fleet;
pub mod reuse;
