//! What a node and a server of keys say to each other.
//!
//! ```text
//! GET /ring
//! Raincheck-Node: edge-1          who asks
//! Raincheck-Holds: 1.57           it can open with the ring of this epoch, and with those before
//! If-None-Match: "1.57"           the ring it has (RFC 9110 §13.1.2)
//! Prefer: wait=30                 it would rather wait than hear that there is no newer one (RFC 7240 §4.3)
//!
//! 200, or after the wait 304
//! Content-Type: application/vnd.raincheck.ring
//! ETag: "1.58"
//! Preference-Applied: wait        so it can be asked again at once
//! ```

use std::time::Duration;

use hyper::header::HeaderName;

/// Who asks.
pub const NODE: HeaderName = HeaderName::from_static("raincheck-node");
/// The newest epoch with which the node can open.
pub const HOLDS: HeaderName = HeaderName::from_static("raincheck-holds");
/// RFC 7240 §2.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// RFC 7240 §3.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The type of a body that is a ring.
pub const RING: &str = "application/vnd.raincheck.ring";

/// How long a server waits for a newer ring before it says that there is none.
pub const WAIT: Duration = Duration::from_secs(30);

/// A server that says there is none earlier than this has not waited.
pub const SHORTEST_WAIT: Duration = Duration::from_millis(500);
