//! What happened to the keys, for whoever logs and counts.

use std::fmt;
use std::path::PathBuf;

use raincheck_keyring::Change;

use crate::Error;

/// Something the control plane did, or could not do. Carries key names, never keys.
#[derive(Debug)]
pub enum Event {
    /// The local source rotated the ring by schedule.
    Rotated {
        /// What became of which key, in order. Holds several rotations if the process was suspended for that long.
        changes: Vec<Change>,
    },
    /// An operator pushed a key ([`Keys::push`](crate::Keys::push)).
    Pushed {
        /// What became of which key, in order.
        changes: Vec<Change>,
    },
    /// The ring is now what the key file says. Also sent once for the file read at the start.
    FileLoaded {
        /// The file.
        path: PathBuf,
        /// Keys in it.
        keys: usize,
        /// What became of which key; empty at the start and where the file names the keys that were there already.
        changes: Vec<Change>,
    },
    /// The key file changed into something that cannot be used. The ring stays as it was, and the file is read again
    /// until it is right; the same complaint is not repeated.
    FileRejected {
        /// Which file, which line, why, and the remedy.
        error: Error,
    },
    /// The key file lies on a file system that is not tmpfs or ramfs, so its keys are on a disk.
    FileOnDisk {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rotated { changes } => write!(f, "rotated{}", Listed(changes)),
            Self::Pushed { changes } => write!(f, "a key was pushed{}", Listed(changes)),
            Self::FileLoaded { path, keys, changes } => {
                write!(f, "{} loaded, keys: {keys}{}", path.display(), Listed(changes))
            }
            Self::FileRejected { error } => write!(f, "{error}; the keys stay as they were"),
            Self::FileOnDisk { path } => write!(
                f,
                "{} is not on tmpfs or ramfs, so ticket keys are on a disk; keep them where memory is, such as /run",
                path.display()
            ),
        }
    }
}

/// Changes behind a colon, if there are any.
struct Listed<'a>(&'a [Change]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, change) in self.0.iter().enumerate() {
            let word = match change {
                Change::Introduced(_) => "introduced",
                Change::Issuing(_) => "issuing",
                Change::Retired(_) => "retired",
                Change::Wiped(_) => "wiped",
            };
            write!(f, "{}{} {word}", if index == 0 { ": " } else { ", " }, change.name())?;
        }
        Ok(())
    }
}
