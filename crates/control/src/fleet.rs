//! The keys of a fleet in a store that must not be able to read them.
//!
//! Bytes in, bytes out: who watches the store and when something is due is not decided here.
//!
//! What goes through the store, and who can make or read it:
//!
//! - [`Registration`]: a node's public key. [`Acknowledgement`]: which ring it has. In clear, under MACs of the
//!   [`FleetSecret`], so that the store cannot register a key of its own.
//! - [`SealedRing`]: a ring under an [`EpochKey`] that seals nothing else, with what a leader must know of it in
//!   clear, all under a MAC.
//! - The [`EpochKey`], wrapped for each node's [`PublicKey`] and the fleet secret: it takes both the [`NodeKey`] and
//!   the secret to open it. A [`NodeKey`] opens one, and is gone: who breaks into a node, with all that the store ever
//!   held, opens no ring of an earlier epoch (HPKE alone is not forward secret: RFC 9180 §9.7).
//!
//! The store can still withhold, delete and bring back old messages. Against the last, each message says what it is
//! for (node, lease, epoch), and a ring that is not newer is refused ([`Ring::succeeded_by`]).
//!
//! [`Ring::succeeded_by`]: raincheck_keyring::Ring::succeeded_by

mod envelope;
mod name;
mod node_key;
mod reader;
mod registration;
mod secret;

pub use envelope::{EnvelopeError, EpochKey, SealedRing, seal};
pub use name::{FleetName, NoFleetName};
pub use node_key::{NodeKey, PublicKey, Unopened};
pub use registration::{Acknowledgement, Registration, RegistrationError};
pub use secret::{FleetSecret, SecretError};
