//! Reading a key file so that its keys are nowhere left behind in memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use raincheck_keyring::TicketKey;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::lines::parse;
use super::watch::Stamp;
use crate::{Error, KeyFileError};

/// A key file that is in order.
#[derive(Debug)]
pub struct KeyFile {
    /// Its keys, oldest first; at least one, no name twice.
    pub keys: Vec<TicketKey>,
    /// Whether it lies on tmpfs or ramfs. If not, ticket keys are on a disk.
    pub in_memory: bool,
    pub(crate) fingerprint: Fingerprint,
}

/// SHA-256 of a file's text: tells whether a file that was touched has changed.
pub(crate) type Fingerprint = [u8; 32];

/// Reads the key file at `path`.
///
/// # Errors
/// [`Error::KeyFile`] with the path, the line, what is wrong and the remedy.
pub fn load(path: &Path) -> Result<KeyFile, Error> {
    read(path).map_err(|fault| Error::KeyFile { path: path.to_owned(), fault })
}

pub(crate) fn read(path: &Path) -> Result<KeyFile, KeyFileError> {
    // Non-blocking, so that a FIFO is an error at once and not a wait for somebody to write to it.
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    let text = read_text(&file)?;
    let sha256 = digest(&SHA256, &text);
    Ok(KeyFile {
        keys: parse(&text)?,
        in_memory: in_memory(&file)?,
        fingerprint: sha256.as_ref().try_into().expect("SHA-256 has 32 bytes"),
    })
}

/// The whole text, read into one allocation that is wiped: one that grew would leave copies behind.
fn read_text(mut file: &File) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotRegular);
    }
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if size > LARGEST {
        return Err(KeyFileError::TooLarge);
    }
    let mut text = Zeroizing::new(vec![0; size]);
    file.read_exact(&mut text).map_err(|_| KeyFileError::ChangedWhileRead)?;
    if Stamp::from(&file.metadata()?) != Stamp::from(&metadata) {
        return Err(KeyFileError::ChangedWhileRead);
    }
    Ok(text)
}

/// Whether a file or directory lies on tmpfs or ramfs.
pub(crate) fn in_memory(file: &File) -> io::Result<bool> {
    let statfs = rustix::fs::fstatfs(file)?;
    // The type of the field differs between architectures; the numbers fit 32 bits on all.
    let magic = statfs.f_type as u32;
    Ok(matches!(magic, TMPFS_MAGIC | RAMFS_MAGIC))
}

/// The largest key file that is read, in bytes: a thousand keys and more.
pub const LARGEST: usize = 128 * 1024;

// From linux/magic.h.
const TMPFS_MAGIC: u32 = 0x0102_1994;
const RAMFS_MAGIC: u32 = 0x8584_58f6;
