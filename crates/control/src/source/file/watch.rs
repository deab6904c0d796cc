//! Noticing that a key file changed.
//!
//! By looking at it a few times a second rather than by inotify: the path as a whole is what matters, and any part of it
//! may be what changes. Kubernetes swaps a symlink to the directory the file is in; a bind mount replaces what is at the
//! path without a word to whoever watches the old inode; network file systems send nothing at all. A look is one `stat`.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::read::{KeyFile, read};
use crate::KeyFileError;

/// Judges a file each time it changed and has been left alone since.
#[derive(Debug)]
pub(crate) struct Watch {
    path: PathBuf,
    /// What the last poll saw.
    seen: Option<Sight>,
    /// What the last judgement was about.
    judged: Option<Sight>,
    /// What that judgement found wrong, which has been reported.
    complaint: Option<KeyFileError>,
}

/// What a poll has to say.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Nothing that has not been said already.
    Nothing,
    /// The file is another one now (or was touched), and in order.
    Sound(KeyFile),
    /// The file cannot be used.
    Faulty(KeyFileError),
}

impl Watch {
    /// A watch that has seen nothing yet: it judges the file as it finds it, at its second poll.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: None, judged: None, complaint: None }
    }

    /// Looks at the file, and reads it if that is called for.
    pub(crate) fn poll(&mut self) -> Verdict {
        let sight = Some(look(&self.path));
        // A change counts once a second look confirms it. Somebody who writes the file in place, line by line, is thus
        // not taken at his first line; and a write in the same clock tick as the one before is read all the same.
        if sight != self.seen {
            self.seen = sight;
            return Verdict::Nothing;
        }
        // A faulty file is read again even if it looks the same: it may have been mended within one clock tick.
        if self.judged == self.seen && self.complaint.is_none() {
            return Verdict::Nothing;
        }
        match read(&self.path) {
            Err(KeyFileError::ChangedWhileRead) => Verdict::Nothing,
            Ok(file) => {
                self.judged = sight;
                self.complaint = None;
                Verdict::Sound(file)
            }
            Err(fault) => {
                self.judged = sight;
                if self.complaint.as_ref() == Some(&fault) {
                    return Verdict::Nothing;
                }
                self.complaint = Some(fault.clone());
                Verdict::Faulty(fault)
            }
        }
    }
}

/// What a look at the path gave: the file's stamp, or why there is none.
type Sight = Result<Stamp, io::ErrorKind>;

/// What changes whenever a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn look(path: &Path) -> Sight {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Stamp::from(&metadata)),
        Err(error) => Err(error.kind()),
    }
}

#[cfg(test)]
mod tests;
