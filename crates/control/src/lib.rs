//! Where ticket keys come from, and where they go: a source brings keys to a ring, and the ring is published to every
//! worker; a sink makes another product hold what belongs to the ring.
//!
//! [`Keys`] is the handle everybody holds: workers read the ring without a lock, the admin thread pushes, reloads and
//! drives the source ([`Keys::run`]). Nothing here prints: what happened is an [`Event`] for the observer given to
//! [`Keys::start`].

pub mod admin;
pub mod agent;
mod clock;
mod error;
pub mod etcd;
mod event;
pub mod fleet;
mod fresh;
pub mod https;
mod keys;
mod reading;
pub mod serve;
pub mod sink;
pub mod source;
mod task;

pub use error::{
    EndpointFault, Error, EtcdError, HttpsError, HttpsFault, KeyFileError, SourceFault, TrustError, UrlError,
    WatchError,
};
pub use event::Event;
pub use fresh::fresh_key;
pub use keys::{CannotPromote, Following, Keys, Member, Prepared, Role, Standing, Withheld};
pub use source::KeySource;
