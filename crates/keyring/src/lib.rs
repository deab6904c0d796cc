//! The ring: session ticket keys, and the pure rules for which of them seal and which still open.
//!
//! Bytes, times and entropy come in as arguments; answers and changes come out. Nothing in here has
//! a clock, a socket, a file or randomness of its own (`clippy.toml` beside this crate forbids
//! them), so every rule can be tested by a table.
//!
//! - [`key`]: a ticket key and its public name; [`weak`]: what is no key at all.
//! - [`ring`]: `next`, `issuing` and `retiring` keys, and rotation; [`schedule`]: how long each of
//!   it lasts.
//! - [`ticket`]: a session sealed into a ticket, and opened again.
//! - [`layout`]: key bytes as HAProxy, nginx, Envoy and h2o order them; [`product`]: keys for them,
//!   made from a ring's; [`slots`]: which of a ring's;
//!   [`plan`]: in which order they get them.
//! - [`node`]: what a member of a fleet is called; [`epoch`]: which ring is newer; [`document`]: a ring in bytes, to be handed on;
//!   [`rollout`]: when the fleet may rotate.

#![deny(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types)]

pub mod document;
pub mod epoch;
pub mod key;
pub mod layout;
pub mod node;
pub mod plan;
pub mod product;
pub mod ring;
pub mod rollout;
pub mod schedule;
pub mod slots;
pub mod ticket;
pub mod time;
pub mod weak;

pub use document::DocumentError;
pub use epoch::{Epoch, NoEpoch};
pub use key::{KeyError, KeyName, KeySize, TicketKey};
pub use layout::{Layout, LayoutError};
pub use node::{NoNodeName, NodeName};
pub use product::Product;
pub use ring::{Change, Entry, KeyState, Outdated, Ring, RingError};
pub use rollout::{Decision, Holding, Rollout};
pub use schedule::{Schedule, ScheduleError};
pub use slots::{Slot, Slots, SlotsError};
pub use ticket::{Opened, PolicyDigest, Refused, Session, TicketTooLarge};
pub use time::UnixTime;
