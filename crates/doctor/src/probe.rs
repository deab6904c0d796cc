//! Evidence from live connections, each made for what it shows.

pub mod attempt;
pub mod by_hand;
pub mod client;
mod clock;
pub mod fleet;
pub mod pace;
mod quote;
pub mod server;
pub mod session;
pub mod starttls;
pub mod target;
pub mod trust;

pub use attempt::{Attempt, Ending, Offer, Outcome, Speech, Versions};
pub use by_hand::{Ask, ByHand, Ticket};
pub use fleet::{FleetProbe, Progress};
pub use pace::Pace;
pub use session::Session;
pub use starttls::Protocol;
pub use target::Target;
pub use trust::Trust;
