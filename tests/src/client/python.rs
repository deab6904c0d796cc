//! Python's `ssl`.

use std::process::Command;

use super::{Seen, Visit, two_lines};
use crate::program;

/// A connection, then another with its session.
pub fn twice(visit: &Visit) -> [Seen; 2] {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/visit.py");
    two_lines(&program::run(Command::new("python3").arg(script).args(visit.arguments()), b"").succeeded())
}
