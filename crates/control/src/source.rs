//! The places keys come from. One file each; [`Keys::run`](crate::Keys::run) follows the one that is configured.

use std::path::PathBuf;

pub mod file;
pub(crate) mod local;

/// Where the ring's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Generated here and rotated by schedule; nobody else has them, and a restart loses them.
    Local,
    /// Read from a file that somebody else writes, and read again whenever it changes.
    File(PathBuf),
}

impl KeySource {
    /// The name by which the configuration file calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::File(_) => "file",
        }
    }
}
