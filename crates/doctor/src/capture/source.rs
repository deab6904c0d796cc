//! Where a capture comes from.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::Error;

/// Where a capture comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file, or a named pipe.
    File(PathBuf),
}

impl Source {
    /// The one that `name` means on a command line: a path, or `-`.
    pub fn named(name: impl AsRef<OsStr>) -> Self {
        let name = name.as_ref();
        if name == "-" { Self::Stdin } else { Self::File(name.into()) }
    }
}

/// How far reading has come, in bytes as they are stored, compressed where they are. A clone sees the same, from whatever
/// thread.
#[derive(Clone, Debug)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

impl Progress {
    pub(super) fn of(total: Option<u64>) -> Self {
        Self { read: Arc::default(), total }
    }

    /// How many bytes were read so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many there are in all; `None` with a pipe among them.
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}

/// A source that looks as if it could be read.
pub(super) struct Input {
    name: String,
    size: Option<u64>,
    bytes: Bytes,
}

enum Bytes {
    Stdin,
    File(PathBuf),
    Reader(Box<dyn Read + Send>),
}

impl Input {
    /// Of `source`, if it is there, may be opened and is not empty. A named pipe is not touched, for that would wait for
    /// who writes into it.
    pub(super) fn check(source: Source) -> Result<Self, Error> {
        match source {
            Source::Stdin if io::stdin().is_terminal() => Err(Error::Terminal),
            Source::Stdin => Ok(Self { name: "standard input".to_owned(), size: None, bytes: Bytes::Stdin }),
            Source::File(path) => {
                let name = path.display().to_string();
                match size(&path) {
                    Ok(Size::Directory) => Err(Error::Directory { name }),
                    Ok(Size::Bytes(0)) => Err(Error::Empty { name }),
                    Ok(Size::Bytes(size)) => Ok(Self { name, size: Some(size), bytes: Bytes::File(path) }),
                    Ok(Size::Unknown) => Ok(Self { name, size: None, bytes: Bytes::File(path) }),
                    Err(why) => Err(Error::Open { name, why }),
                }
            }
        }
    }

    /// Of what `reader` gives.
    pub(super) fn reader(name: String, reader: impl Read + Send + 'static) -> Self {
        Self { name, size: None, bytes: Bytes::Reader(Box::new(reader)) }
    }

    /// What messages call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes it has, where that is known.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Its bytes as they were before gzip or zstd had them, which is told by the first of them and not by a name.
    pub(super) fn open(self, progress: &Progress) -> io::Result<Box<dyn Read + Send>> {
        let stored: Box<dyn Read + Send> = match self.bytes {
            Bytes::Stdin => Box::new(io::stdin()),
            Bytes::File(path) => Box::new(fs::File::open(path)?),
            Bytes::Reader(reader) => reader,
        };
        let mut counted = Counted { stored, read: Arc::clone(&progress.read) };
        let mut start = Vec::new();
        (&mut counted).take(4).read_to_end(&mut start)?;
        let magic = <[u8; 4]>::try_from(&start[..]).unwrap_or_default();
        let whole = io::Cursor::new(start).chain(counted);
        Ok(match magic {
            // RFC 1952 §2.3.1
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(BufReader::with_capacity(COMPRESSED, whole))),
            // RFC 8878 §3.1.1, and §3.1.2: a frame to skip, as pzstd puts ahead
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
                Box::new(zstd::Decoder::with_buffer(BufReader::with_capacity(COMPRESSED, whole))?)
            }
            _ => Box::new(whole),
        })
    }
}

enum Size {
    Directory,
    Bytes(u64),
    Unknown,
}

fn size(path: &Path) -> io::Result<Size> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Ok(Size::Directory);
    }
    if !metadata.is_file() {
        return Ok(Size::Unknown);
    }
    Ok(Size::Bytes(fs::File::open(path)?.metadata()?.len()))
}

/// Counts what is read.
struct Counted {
    stored: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stored.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// How much is read of a compressed file at once.
const COMPRESSED: usize = 128 << 10;
