//! Buffers that are lent, not owned: one [`Scratch`] serves every connection of a worker, so
//! that an idle connection has none.

use std::cell::RefCell;

/// Bytes that grow at the end and keep their storage when they are cleared.
///
/// The storage is initialised once, so that room for the next write costs nothing.
#[derive(Debug, Default)]
pub struct Buffer {
    storage: Vec<u8>,
    /// Where in `storage` it begins.
    start: usize,
    /// Where in `storage` it ends.
    end: usize,
}

impl Buffer {
    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self::starting_at(0, capacity)
    }

    /// The same, with `start` bytes in front that are never used.
    fn starting_at(start: usize, capacity: usize) -> Self {
        Self { storage: vec![0; start + capacity], start, end: start }
    }

    /// The bytes written so far.
    pub fn filled(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    /// The bytes written so far, to change in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.end]
    }

    /// Room for at least `length` more bytes; [`advance`](Self::advance) keeps what was written.
    pub fn room(&mut self, length: usize) -> &mut [u8] {
        if self.storage.len() - self.end < length {
            self.storage.resize(self.end + length, 0);
        }
        &mut self.storage[self.end..]
    }

    /// Counts the first `length` bytes of [`room`](Self::room) as written.
    pub fn advance(&mut self, length: usize) {
        debug_assert!(self.end + length <= self.storage.len());
        self.end += length;
    }

    /// Appends `bytes`.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.advance(bytes.len());
    }

    /// Removes and returns what was written from `at` on.
    pub fn split_off(&mut self, at: usize) -> &[u8] {
        let end = std::mem::replace(&mut self.end, self.start + at);
        &self.storage[self.end..end]
    }

    /// How many bytes were written.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Forgets what was written and keeps the storage.
    pub fn clear(&mut self) {
        self.end = self.start;
    }
}

/// What one worker, a thread, lends to the connection it is busy with.
#[derive(Debug)]
pub struct Scratch {
    /// TLS records as they came, decrypted in place.
    pub incoming: Buffer,
    /// Application data, of either direction.
    pub plain: Buffer,
    /// TLS records about to be written.
    pub outgoing: Buffer,
}

impl Scratch {
    /// Lends this thread's buffers for as long as `work` takes, which must not ask again.
    pub fn lend<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        SCRATCH.with_borrow_mut(work)
    }

    fn new() -> Self {
        Self {
            incoming: Buffer::with_capacity(READ),
            plain: Buffer::starting_at(HALF_A_PAGE, READ),
            outgoing: Buffer::starting_at(HALF_A_PAGE, READ + READ / 64),
        }
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

/// rustls copies a record of ours behind a header of its own, and from there to where it is sent from. All these places are large,
/// so that they begin with a page. A copy that lies but a few bytes further into its page is the one thing at which
/// `rep movsb`, which libc copies with, is bad on processors of AMD's: 3 GB/s in place of 60 (glibc's bug 30994).
const HALF_A_PAGE: usize = 2048;

/// How many bytes one read asks for: four full records.
pub const READ: usize = 64 * 1024;
