//! Java's JSSE.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Seen, Visit, two_lines};
use crate::program;

/// A connection, then another with its session. It insists on close_notify (`requireCloseNotify`).
pub fn twice(visit: &Visit) -> [Seen; 2] {
    let mut command = Command::new("java");
    // Starting is most of what it does: no more compiler than needed.
    command.args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dcom.sun.net.ssl.requireCloseNotify=true"]);
    command.arg("-cp").arg(classes()).arg("Visit").args(visit.arguments());
    two_lines(&program::run(&mut command, b"").succeeded())
}

/// The directory with the compiled program; compiled once a process.
fn classes() -> &'static Path {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    CLASSES.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let directory = test.with_file_name(format!("java-{}", test.file_stem().unwrap().display()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/java/Visit.java");
        program::run(Command::new("javac").arg("-d").arg(&directory).arg(source), b"").succeeded();
        directory
    })
}
