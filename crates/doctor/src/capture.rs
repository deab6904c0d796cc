//! Captures: from files of packets to TCP segments, in the order they were captured.
//!
//! ```no_run
//! # fn main() -> Result<(), raincheck_doctor::capture::Error> {
//! use raincheck_doctor::capture::{Capture, Event, Source};
//!
//! let mut capture = Capture::open([Source::named("clients.pcap"), Source::named("-")])?;
//! while let Some(event) = capture.next()? {
//!     match event {
//!         Event::Segment(segment) => println!("{}: {} bytes", segment.at.packet, segment.length),
//!         Event::Secrets(key_log) => println!("{} bytes of a key log", key_log.len()),
//!     }
//! }
//! for notice in capture.notices() {
//!     println!("{notice}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A packet is never copied: it is read into the buffer of its file and handed out from there, which is why an event lasts
//! until the next one only. Memory does not depend on what a file claims, nor on its size.

mod buffer;
mod counts;
mod error;
mod file;
mod link;
mod notice;
pub mod packet;
mod pcap;
mod pcapng;
mod source;

use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::vec;

use raincheck_diagnosis::tcp::Segment;
use raincheck_diagnosis::{Moment, Timestamp};

pub use counts::{Counts, Skipped};
pub use error::Error;
pub use link::LinkType;
pub use notice::Notice;
pub use source::{Progress, Source};

use buffer::Fault;
use file::{File, Record};
use source::Input;

/// Captures, read one after the other as if they were one.
pub struct Capture {
    waiting: vec::IntoIter<Input>,
    current: Option<File>,
    /// Each file that was begun, and how many packets came before it.
    begun: Vec<(String, u64)>,
    counts: Counts,
    notices: Vec<Notice>,
    progress: Progress,
    first: Option<Timestamp>,
}

/// What a capture holds that a diagnosis can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A TCP segment.
    ///
    /// Packets are numbered from 1 as tshark does it; a further file goes on where the one before it ended, and
    /// [`Capture::locate`] tells them apart.
    Segment(Segment<'a>),
    /// A TLS key log (NSS' format) that somebody put into a pcapng file, ahead of the packets it decrypts. A long one comes
    /// in pieces, of whole lines each.
    Secrets(&'a [u8]),
}

impl Capture {
    /// Gets ready to read `sources` in turn. Nothing is read of them yet, but that each is there, may be opened and is not
    /// empty is known once this returns.
    pub fn open(sources: impl IntoIterator<Item = Source>) -> Result<Self, Error> {
        Ok(Self::of(sources.into_iter().map(Input::check).collect::<Result<_, _>>()?))
    }

    /// Gets ready to read one capture from `reader`, which messages call `name`.
    pub fn from_reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self::of(vec![Input::reader(name.into(), reader)])
    }

    fn of(inputs: Vec<Input>) -> Self {
        let total = inputs.iter().map(Input::size).sum();
        Self {
            waiting: inputs.into_iter(),
            current: None,
            begun: Vec::new(),
            counts: Counts::default(),
            notices: Vec::new(),
            progress: Progress::of(total),
            first: None,
        }
    }

    /// The next event, or `None` at the end of the last capture. Waits for a pipe to bring it.
    ///
    /// After an error, goes on with the next capture.
    #[expect(clippy::should_implement_trait, reason = "an event borrows from the buffer, which no Iterator can say")]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Some(found) = self.advance()? else { return Ok(None) };
        let bytes = |range| self.current.as_ref().map_or(&[][..], |file| file.bytes(range));
        Ok(Some(match found {
            Found::Segment { time, frame, header } => {
                let at = Moment { time, packet: self.counts.packets };
                Event::Segment(header.segment(at, bytes(frame)))
            }
            Found::Secrets(range) => Event::Secrets(bytes(range)),
        }))
    }

    /// What was read so far, and what of it was left out.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// When the first packet was captured, of whatever kind it was.
    pub fn first(&self) -> Option<Timestamp> {
        self.first
    }

    /// What was wrong with the captures, and did not keep the rest from being read. Whole only after the last event.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// How far reading has come. A clone of it may watch from another thread.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The file that a packet came from, and its number in there, as tshark counts.
    pub fn locate(&self, packet: u64) -> Option<(&str, u64)> {
        let (name, before) = self.begun.iter().rev().find(|(_, before)| *before < packet)?;
        Some((name, packet - before))
    }

    /// Reads until something of use is found.
    fn advance(&mut self) -> Result<Option<Found>, Error> {
        loop {
            let Some(file) = self.current.as_mut() else {
                match self.waiting.next() {
                    Some(input) => self.begin(input)?,
                    None => return Ok(None),
                }
                continue;
            };
            match file.next() {
                Ok(Some(Record::Packet(packet))) => {
                    self.counts.packets += 1;
                    self.first.get_or_insert(packet.time);
                    match file.header(&packet) {
                        Ok(header) => {
                            self.counts.segment(&header);
                            return Ok(Some(Found::Segment { time: packet.time, frame: packet.bytes, header }));
                        }
                        Err(skip) => self.counts.skip(skip),
                    }
                }
                Ok(Some(Record::Skipped(skip))) => {
                    self.counts.packets += 1;
                    self.counts.skip(skip);
                }
                Ok(Some(Record::Secrets(range))) => return Ok(Some(Found::Secrets(range))),
                Ok(None) => self.finish()?,
                Err(fault) => self.fail(fault)?,
            }
        }
    }

    fn begin(&mut self, input: Input) -> Result<(), Error> {
        self.begun.push((input.name().to_owned(), self.counts.packets));
        self.current = Some(File::open(input, &self.progress)?);
        Ok(())
    }

    /// The current file was read to its end, or as far as it can be.
    fn finish(&mut self) -> Result<(), Error> {
        if let Some(file) = self.current.take() {
            self.notices.extend(file.foreign_links()?);
        }
        Ok(())
    }

    /// The current file cannot be read any further. What came before counts, if anything did.
    fn fail(&mut self, fault: Fault) -> Result<(), Error> {
        let Some(file) = &self.current else { return Ok(()) };
        let (name, offset) = (file.name().to_owned(), file.offset());
        self.finish()?;
        let packets = self.counts.packets - self.begun.last().map_or(0, |(_, before)| *before);
        self.notices.push(match fault {
            Fault::Io(why) => return Err(Error::Read { name, offset, why }),
            Fault::Broken(what) if packets == 0 => return Err(Error::Broken { name, offset, what }),
            Fault::Broken(what) => Notice::Broken { name, packets, offset, what },
            Fault::Cut => Notice::Cut { name, packets, offset },
        });
        Ok(())
    }
}

/// An event, before it borrows: where its bytes are.
enum Found {
    Segment { time: Timestamp, frame: Range<usize>, header: packet::Header },
    Secrets(Range<usize>),
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("begun", &self.begun).field("counts", &self.counts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
