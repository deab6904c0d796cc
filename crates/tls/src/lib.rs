//! TLS the way raincheck needs it: rustls 0.23 with the parts around it that decide
//! whether sessions resume.
//!
//! A client's connection passes through the modules in this order: [`hello`] reads the ClientHello, [`endpoint`] makes a
//! connection for it with a [`ticketer`] of its own, [`accept`] takes the handshake to its end, [`session`] turns bytes
//! into bytes and holds tickets back, and [`stream`] does the reading, the writing and the close.

pub mod accept;
mod alert;
pub mod buffer;
mod channel;
pub mod client;
pub mod client_chain;
pub mod endpoint;
pub mod engine;
pub mod hello;
pub mod policy;
mod reader;
pub mod reason;
pub mod send_queue;
pub mod session;
pub mod session_cache;
pub mod stream;
pub mod ticketer;

pub use accept::Accepted;
pub use buffer::{Buffer, Scratch};
pub use client::{ClientOutcome, ClientSession, ClientStream, Connected, Connector, ConnectorSettings};
pub use endpoint::{Endpoint, Renewal, Rings, Settings};
pub use hello::ClientHello;
pub use policy::{ClientAuthMode, Policy};
pub use reason::{Kind, Outcome, Reason};
pub use session::Session;
pub use session_cache::SessionCache;
pub use stream::{Closed, Closing, Event, HandshakeError, Opened, Refused, ServerStream, Stream};
