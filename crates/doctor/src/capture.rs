//! Captures: from files of packets to TCP segments, in the order they were captured.

mod link;
pub mod packet;

pub use link::LinkType;
