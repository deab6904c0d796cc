use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};

use raincheck_doctor::capture::{Capture, Counts, Error, Event, Notice};

/// A capture: what it says does not depend on how it comes, nothing comes of a prefix that does not come of the whole, and
/// each packet is counted once.
pub fn capture_file(bytes: &[u8]) -> bool {
    let whole = Said::of(bytes.to_vec(), usize::MAX);
    whole.counts_add_up();
    if !is_compressed(bytes) {
        assert!(whole.captured <= bytes.len() as u64, "{} bytes of {}", whole.captured, bytes.len());
        let in_pieces = Said::of(bytes.to_vec(), 7);
        assert_eq!(in_pieces.events, whole.events);
        assert_eq!((in_pieces.counts, in_pieces.notices), (whole.counts, whole.notices.clone()));
        for prefix in super::prefixes(bytes) {
            let said = Said::of(prefix.to_vec(), usize::MAX);
            said.counts_add_up();
            // Of secrets, a prefix may have other pieces.
            if !whole.has_secrets {
                assert!(whole.events.starts_with(&said.events), "{} bytes", prefix.len());
            }
        }
    }
    whole.error.is_none() && whole.notices.is_empty() && whole.counts.skipped.malformed == 0
}

/// What was read of a capture.
struct Said {
    /// A hash of each event.
    events: Vec<u64>,
    /// How many bytes of payload and of secrets.
    captured: u64,
    has_secrets: bool,
    counts: Counts,
    notices: Vec<Notice>,
    error: Option<Error>,
}

impl Said {
    /// Of what `bytes` give if no read gets more than `most` of them.
    fn of(bytes: Vec<u8>, most: usize) -> Self {
        let mut capture = Capture::from_reader("capture", Pieces { bytes: io::Cursor::new(bytes), most });
        let (mut events, mut captured, mut has_secrets, mut last) = (Vec::new(), 0, false, 0);
        let error = loop {
            match capture.next() {
                Ok(Some(event)) => {
                    let mut hasher = DefaultHasher::new();
                    match event {
                        Event::Segment(segment) => {
                            assert!(segment.payload.len() <= segment.length);
                            assert!(segment.at.packet > last);
                            last = segment.at.packet;
                            captured += segment.payload.len() as u64;
                            (segment.at, segment.source, segment.destination, segment.sequence).hash(&mut hasher);
                            (segment.acknowledgement, segment.payload, segment.length).hash(&mut hasher);
                        }
                        Event::Secrets(secrets) => {
                            assert!(!secrets.is_empty());
                            captured += secrets.len() as u64;
                            has_secrets = true;
                            secrets.hash(&mut hasher);
                        }
                    }
                    events.push(hasher.finish());
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert!(matches!(capture.next(), Ok(None)), "what has ended goes on");
        assert_eq!(capture.locate(last), (last > 0).then_some(("capture", last)));
        Self { events, captured, has_secrets, counts: *capture.counts(), notices: capture.notices().to_vec(), error }
    }

    fn counts_add_up(&self) {
        assert_eq!(self.counts.packets, self.counts.segments + self.counts.skipped.total());
        assert!(self.counts.incomplete <= self.counts.segments);
    }
}

/// Then there may be more in it than there are bytes, and what of it can be read before it breaks is the decompressor's.
fn is_compressed(bytes: &[u8]) -> bool {
    matches!(bytes, [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Reads as a pipe does that brings little.
struct Pieces {
    bytes: io::Cursor<Vec<u8>>,
    most: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.most.min(buffer.len());
        self.bytes.read(&mut buffer[..most])
    }
}
