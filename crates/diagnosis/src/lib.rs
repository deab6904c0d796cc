//! From the bytes of connections to why their sessions do not resume.
//!
//! Everything here is pure: bytes, times and evidence go in, what was said and what follows from it comes out. Who has the
//! bytes, from a capture or off a live connection, is not known here.

mod buckets;
mod count;
pub mod diagnose;
mod digest;
pub mod evidence;
pub mod finding;
mod hexadecimal;
pub mod moment;
pub mod product;
pub mod remedy;
pub mod session;
pub mod side;
pub mod tcp;
pub mod tls;
pub mod weak;

pub use count::count;
pub use finding::{Certainty, Finding, Name, Remedy, Severity};
pub use moment::{Moment, Timestamp};
pub use product::Product;
pub use remedy::{remedies, remedies_for};
pub use side::{Side, Sides};
