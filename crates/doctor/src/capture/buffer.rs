//! A window that slides over the bytes of a file: what is in it is lent out, not copied.

use std::io::{self, Read};
use std::ops::Range;

/// Why a file cannot be read any further.
#[derive(Debug)]
pub(super) enum Fault {
    /// The system would not.
    Io(io::Error),
    /// It ends in the middle of something.
    Cut,
    /// It contradicts itself: what is wrong.
    Broken(&'static str),
}

/// The bytes of a file from somewhere on, as far as they are needed.
pub(super) struct Buffer {
    input: Box<dyn Read + Send>,
    bytes: Vec<u8>,
    /// What of `bytes` was read and is not yet taken.
    unread: Range<usize>,
    /// How many bytes of the file came before those in `bytes`.
    before: u64,
}

impl Buffer {
    /// Of what `input` gives.
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self { input, bytes: vec![0; SIZE], unread: 0..0, before: 0 }
    }

    /// The next `length` bytes, and whatever follows them by chance. Takes none.
    ///
    /// Reads no more often than it must, so that what a pipe brings is handed on at once; and makes room only as bytes do
    /// come, so that who claims a length has to show it.
    pub(super) fn peek(&mut self, length: usize) -> Result<&[u8], Fault> {
        if self.unread.len() < length && !self.fill(length)? {
            return Err(Fault::Cut);
        }
        Ok(&self.bytes[self.unread.clone()])
    }

    /// The next `length` bytes, or as many as there are.
    pub(super) fn peek_at_most(&mut self, length: usize) -> Result<&[u8], Fault> {
        match self.peek(length) {
            Ok(_) | Err(Fault::Cut) => {
                Ok(&self.bytes[self.unread.start..self.unread.end.min(self.unread.start + length)])
            }
            Err(fault) => Err(fault),
        }
    }

    /// Takes the next `length` bytes, which were peeked at. They stay where the range says until the next peek.
    pub(super) fn take(&mut self, length: usize) -> Range<usize> {
        let taken = self.unread.start..self.unread.start + length.min(self.unread.len());
        self.unread.start = taken.end;
        taken
    }

    /// Takes the next `length` bytes, however many, without keeping them.
    pub(super) fn skip(&mut self, mut length: u64) -> Result<(), Fault> {
        loop {
            let skipped = self.take(usize::try_from(length).unwrap_or(usize::MAX)).len();
            length -= skipped as u64;
            if length == 0 {
                return Ok(());
            }
            self.peek(1)?;
        }
    }

    /// Bytes that were taken.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&mut self) -> Result<bool, Fault> {
        Ok(self.unread.is_empty() && !self.fill(1)?)
    }

    /// How many bytes were taken so far; in a compressed file, of what it holds.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.unread.start as u64
    }

    /// Reads until `length` bytes are there to be taken; whether they are.
    fn fill(&mut self, length: usize) -> Result<bool, Fault> {
        self.bytes.copy_within(self.unread.clone(), 0);
        self.before += self.unread.start as u64;
        self.unread = 0..self.unread.len();
        while self.unread.end < length {
            if self.unread.end == self.bytes.len() {
                self.bytes.resize(self.bytes.len() * 2, 0);
            }
            match self.input.read(&mut self.bytes[self.unread.end..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.unread.end += read,
                Err(why) => match why.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::UnexpectedEof => return Err(Fault::Cut),
                    // What is not the system's is the decompressor's.
                    _ if why.raw_os_error().is_none() => return Err(Fault::Broken("its compression is damaged")),
                    _ => return Err(Fault::Io(why)),
                },
            }
        }
        Ok(true)
    }
}

/// Less is slower (`examples/capture_speed.rs`), and more no faster.
const SIZE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_takes_no_memory() {
        let mut buffer = Buffer::new(Box::new(io::repeat(7).take(SIZE as u64 + 1)));
        assert!(matches!(buffer.peek(usize::MAX), Err(Fault::Cut)));
        assert_eq!(buffer.bytes.len(), 2 * SIZE);
        let mut buffer = Buffer::new(Box::new(io::repeat(7).take(100 << 20)));
        assert!(matches!(buffer.skip(u64::MAX), Err(Fault::Cut)));
        assert_eq!((buffer.bytes.len(), buffer.offset()), (SIZE, 100 << 20));
    }

    #[test]
    fn bytes_come_in_order_wherever_the_buffer_ends() {
        let bytes = (0..3 * SIZE as u32).map(|number| (number % 251) as u8).collect::<Vec<_>>();
        let mut buffer = Buffer::new(Box::new(io::Cursor::new(bytes.clone())));
        let mut at = 0;
        // The last is longer than the buffer at first is.
        for length in [1, 1000, SIZE - 7, 5000, SIZE + 1] {
            buffer.peek(length).unwrap();
            let taken = buffer.take(length);
            assert!(buffer.bytes(taken) == &bytes[at..at + length]);
            at += length;
            assert_eq!(buffer.offset(), at as u64);
        }
        buffer.skip((bytes.len() - at) as u64).unwrap();
        assert!(buffer.is_at_end().unwrap());
    }
}
