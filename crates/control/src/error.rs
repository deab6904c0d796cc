//! What can be wrong with keys that somebody brings. All of it is the operator's to put right.

use std::io;
use std::path::PathBuf;

use raincheck_keyring::{KeyName, LayoutError};

use crate::source::file::LARGEST;

/// Keys could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key file that cannot be used; shown as `path:line: what; remedy`.
    #[error("{}{}: {fault}", path.display(), fault.line().map(|line| format!(":{line}")).unwrap_or_default())]
    KeyFile {
        /// The file, as configured.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFileError,
    },
}

/// What is wrong with a key file, and the remedy. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum KeyFileError {
    #[error("cannot be read: {message}; {}", remedy_for_unreadable(*.kind))]
    Unreadable { kind: io::ErrorKind, message: String },
    #[error("not a regular file; a key file is read again whenever it changes, so it cannot be a pipe or a device")]
    NotRegular,
    #[error("larger than {LARGEST} bytes; a key file has one base64 ticket key a line and nothing else")]
    TooLarge,
    #[error("changed while it was read; replace a key file by rename, not in place")]
    ChangedWhileRead,
    #[error("no key in it; write one base64 ticket key a line, oldest first (`raincheck keys new` prints one)")]
    Empty,
    #[error("an empty line; remove it (one base64 ticket key a line, nothing between them)")]
    EmptyLine { line: usize },
    #[error("not base64; a line is one ticket key in base64 (RFC 4648 §4, with its padding) and nothing else")]
    NotBase64 { line: usize },
    #[error("{bytes} bytes; a ticket key has 48 (AES-128) or 80 (AES-256)")]
    WrongSize { line: usize, bytes: usize },
    #[error("{bytes} bytes, but line 1 has {first}; all keys of a file are of one size")]
    MixedSizes { line: usize, bytes: usize, first: usize },
    #[error("{fault}")]
    Unusable { line: usize, fault: LayoutError },
    #[error("the key name {name} stands in line {first} already; each line needs a key of its own")]
    DuplicateName { line: usize, first: usize, name: KeyName },
}

impl KeyFileError {
    /// The line at fault; none where it is the file as a whole.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::EmptyLine { line }
            | Self::NotBase64 { line }
            | Self::WrongSize { line, .. }
            | Self::MixedSizes { line, .. }
            | Self::Unusable { line, .. }
            | Self::DuplicateName { line, .. } => Some(*line),
            _ => None,
        }
    }
}

impl From<io::Error> for KeyFileError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable { kind: error.kind(), message: error.to_string() }
    }
}

fn remedy_for_unreadable(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => {
            "check the path, or write the file first (`raincheck keys new` prints a line for it)"
        }
        io::ErrorKind::PermissionDenied => "let the user that runs raincheck read it",
        _ => "check the file and the file system it is on",
    }
}
