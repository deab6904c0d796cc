//! Files with keys in them: where they may be, and how they are replaced.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::{FileFault, SinkError};
use crate::source::file::in_memory;

/// A file that holds keys, and that is replaced as a whole.
#[derive(Debug, Clone)]
pub struct SecretFile {
    path: PathBuf,
    on_disk: bool,
}

impl SecretFile {
    /// A file in a directory on tmpfs or ramfs. It belongs to whom the directory belongs, and nobody else may read it.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), on_disk: false }
    }

    /// The same, wherever its directory is: `on-disk = true`.
    #[must_use]
    pub fn on_disk(self) -> Self {
        Self { on_disk: true, ..self }
    }

    /// The same, with a path from the root.
    pub(super) fn absolute(&self) -> Result<Self, SinkError> {
        let path = std::path::absolute(&self.path).map_err(|error| SinkError::file(&self.path, error))?;
        Ok(Self { path, ..self.clone() })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it holds just that.
    pub(super) fn holds(&self, content: &[u8]) -> Result<bool, SinkError> {
        let (directory, name) = self.open()?;
        Ok(directory.read(name)?.is_some_and(|held| held.as_slice() == content))
    }

    /// Makes it hold that; says whether it did not before.
    pub(super) fn replace(&self, content: &[u8], clock: Clock) -> Result<bool, SinkError> {
        let (directory, name) = self.open()?;
        if directory.read(name)?.is_some_and(|held| held.as_slice() == content) {
            return Ok(false);
        }
        directory.replace(name, content, clock)?;
        Ok(true)
    }

    /// Its directory, and its name in there.
    pub(super) fn open(&self) -> Result<(Directory, &OsStr), SinkError> {
        let name = self.path.file_name().ok_or_else(|| SinkError::file(&self.path, FileFault::NoFileName))?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Ok((Directory::open(parent.unwrap_or(Path::new(".")), self.on_disk)?, name))
    }
}

/// What the time of a file's last change must be for its reader to notice it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// What it is.
    True,
    /// Another second than before, if need be one that is still to come.
    AnotherSecond,
}

/// An open directory that was found fit for keys. What is done in it is done in that one, whatever becomes of its path.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    file: File,
}

impl Directory {
    pub(super) fn open(path: &Path, on_disk: bool) -> Result<Self, SinkError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOENT | Errno::NOTDIR => SinkError::file(path, FileFault::NoDirectory),
            error => SinkError::file(path, io::Error::from(error)),
        })?;
        let directory = Self { path: path.to_owned(), file: File::from(opened) };
        if !on_disk && !directory.tried(in_memory(&directory.file))? {
            return Err(SinkError::file(path, FileFault::OnDisk));
        }
        Ok(directory)
    }

    /// What a file holds; `None` if there is none.
    pub(super) fn read(&self, name: &OsStr) -> Result<Option<Zeroizing<Vec<u8>>>, SinkError> {
        // Not blocking, so that a FIFO in its place is no wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.file, name, flags, Mode::empty()) {
            // A link is replaced, not followed.
            Err(Errno::NOENT | Errno::LOOP) => Ok(None),
            opened => self.tried(opened.map_err(io::Error::from).and_then(read_whole)),
        }
    }

    /// Puts a file with this content in the place of what is there, so that whoever opens it finds the old one or this.
    pub(super) fn replace(&self, name: &OsStr, content: &[u8], clock: Clock) -> Result<(), SinkError> {
        let temporary = temporary(name);
        // One that was left behind when its writer was killed.
        self.remove(&temporary)?;
        let written = self.write(&temporary, name, content, clock);
        let renamed = written
            .and_then(|()| Ok(rustix::fs::renameat(&self.file, &temporary, &self.file, name)?))
            .inspect_err(|_| drop(self.remove(&temporary)));
        self.tried(renamed)
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &OsStr) -> Result<(), SinkError> {
        match rustix::fs::unlinkat(&self.file, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => self.tried(removed.map_err(io::Error::from)),
        }
    }

    /// The names of all that is in it.
    pub(super) fn names(&self) -> Result<Vec<Vec<u8>>, SinkError> {
        let names = Dir::read_from(&self.file).map_err(io::Error::from).and_then(|entries| {
            entries.map(|entry| Ok(entry?.file_name().to_bytes().to_owned())).collect::<io::Result<_>>()
        });
        self.tried(names)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self, temporary: &OsStr, name: &OsStr, content: &[u8], clock: Clock) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.file, temporary, flags, Mode::RUSR | Mode::WUSR)?);
        self.give_to_owner(&file)?;
        file.write_all(content)?;
        if clock == Clock::AnotherSecond {
            match rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
                Ok(before) => {
                    let after =
                        UNIX_EPOCH + Duration::from_secs(u64::try_from(before.st_mtime).unwrap_or_default() + 1);
                    file.set_modified(after.max(SystemTime::now()))?;
                }
            }
        }
        Ok(())
    }

    /// The product may run as somebody else: to whom the directory belongs, the file belongs. Only root can give it away;
    /// what another user writes stays that user's.
    fn give_to_owner(&self, file: &File) -> io::Result<()> {
        let (of_directory, of_file) = (rustix::fs::fstat(&self.file)?, rustix::fs::fstat(file)?);
        if (of_directory.st_uid, of_directory.st_gid) == (of_file.st_uid, of_file.st_gid) {
            return Ok(());
        }
        let (owner, group) = (Uid::from_raw(of_directory.st_uid), Gid::from_raw(of_directory.st_gid));
        match rustix::fs::fchown(file, Some(owner), Some(group)) {
            Err(Errno::PERM) => Ok(()),
            given => Ok(given?),
        }
    }

    fn tried<T>(&self, result: io::Result<T>) -> Result<T, SinkError> {
        result.map_err(|error| SinkError::file(&self.path, error))
    }
}

/// What a file is called until it is whole.
pub(super) fn temporary(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".raincheck");
    temporary
}

/// Into one allocation that is wiped: one that grew would leave copies behind.
fn read_whole(file: OwnedFd) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut file = File::from(file);
    let metadata = file.metadata()?;
    // What is larger, or no file at all, is none of ours.
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Ok(None);
    }
    let mut content = Zeroizing::new(vec![0; usize::try_from(metadata.len()).unwrap_or_default()]);
    file.read_exact(&mut content)?;
    Ok(Some(content))
}

/// In bytes: thousands of keys.
const LARGEST: u64 = 1024 * 1024;

#[cfg(test)]
mod tests;
