//! Evidence from live connections, each made for what it shows.

pub mod attempt;
pub mod session;
pub mod target;
pub mod trust;

pub use attempt::{Attempt, Ending, Offer, Outcome, Speech, Versions};
pub use session::Session;
pub use target::Target;
pub use trust::Trust;
