//! Finds out why TLS sessions do not resume: gathers evidence from live connections and from captures, has it diagnosed, and
//! reports what was found.

pub mod capture;
pub mod error;
pub mod explain;
pub mod pcap;
pub mod probe;
pub mod report;

pub use error::Error;
