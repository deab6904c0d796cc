//! Java's JSSE.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{Seen, Visit, two_lines};
use crate::java::{self, Release};
use crate::program;

/// A connection, then another with its session. It insists on close_notify (`requireCloseNotify`).
pub fn twice(visit: &Visit) -> [Seen; 2] {
    let mut command = Release::Java17.run(&["-Dcom.sun.net.ssl.requireCloseNotify=true"], classes(), "Visit");
    two_lines(&program::run(command.args(visit.arguments()), b"").succeeded())
}

/// The directory with the compiled program; compiled once a process.
fn classes() -> &'static Path {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    CLASSES.get_or_init(|| java::compile("Visit"))
}
