//! What the doctor's commands print on standard output.

use std::io::{self, IsTerminal, Write};

use raincheck_diagnosis::{Finding, Severity};
use raincheck_doctor::report::Paint;
use rustix::termios::tcgetwinsize;
use serde_json::Value;

use crate::failure::Failure;

/// How to write for whoever reads: colours and its width for a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
pub(super) fn paint() -> Paint {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return Paint::PLAIN;
    }
    let columns = tcgetwinsize(&stdout).map_or(USUAL_WIDTH, |size| usize::from(size.ws_col));
    let paint = Paint::terminal(if columns == 0 { USUAL_WIDTH } else { columns });
    if std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty()) { paint.without_colours() } else { paint }
}

/// Prints a report.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    written(io::stdout().write_all(text.as_bytes()))
}

/// What came of writing to standard output.
pub(super) fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        // Whoever read has seen enough, as `head` has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Prints an object for programs, on a line.
pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

/// The outcome of a command that has printed `findings`.
pub(super) fn outcome<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Result<(), Failure> {
    let problem = findings.into_iter().any(|finding| finding.severity == Severity::Problem);
    if problem { Err(Failure::Findings) } else { Ok(()) }
}

const USUAL_WIDTH: usize = 80;
