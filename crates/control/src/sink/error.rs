//! What can keep keys from a product. Names are in it, keys never.

use std::io;
use std::path::PathBuf;

use raincheck_keyring::LayoutError;

/// A product could not be given its keys.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A file or its directory.
    #[error("{}: {fault}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        fault: FileFault,
    },
    /// The product takes no key of that size.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// What is wrong with a file for keys, and the remedy.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum FileFault {
    #[error(
        "there is no such directory; make one on tmpfs, such as /run/raincheck (RuntimeDirectory= of a systemd unit)"
    )]
    NoDirectory,
    #[error(
        "not on tmpfs or ramfs, so ticket keys would be on a disk; take a directory under /run or /dev/shm, \
         or set on-disk = true if this disk may have them"
    )]
    OnDisk,
    #[error("no path of a file; give the file in which the keys should be")]
    NoFileName,
    #[error("a file that Envoy reads as protobuf for its name; give it one that ends in .yaml or .json")]
    NotJson,
    #[error("{0}; let the user that runs raincheck read and write this directory")]
    Io(#[from] io::Error),
}

impl SinkError {
    pub(super) fn file(path: impl Into<PathBuf>, fault: impl Into<FileFault>) -> Self {
        Self::File { path: path.into(), fault: fault.into() }
    }
}
