//! What follows from evidence.

pub mod client;
