//! From evidence to findings.

pub mod capture;
pub mod client;
pub mod cost;
pub mod fleet;
pub mod reuse;
pub mod server;

pub use capture::capture;
