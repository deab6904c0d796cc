use std::num::NonZeroU16;

use thin_vec::ThinVec;

use super::message::Messages;
use super::record::{Content, Header, Records};
use super::start::Start;

/// What is known of one side's bytes.
#[derive(Debug, Default)]
pub(super) struct Direction {
    pub(super) phase: Phase,
    pub(super) start: Start,
    pub(super) records: Records,
    pub(super) messages: Messages,
    pub(super) protection: Protection,
    /// What becomes of the body of the record that is being read.
    pub(super) reading: Reading,
    /// The body of a record that is read whole.
    pub(super) body: ThinVec<u8>,
    /// Whether ChangeCipherSpec was seen, which TLS 1.3 has for the eyes of middleboxes alone (RFC 8446 §D.4).
    pub(super) changed: bool,
    /// TLS 1.3: how many zeros this side pads its records with, if its Finished tells.
    pub(super) padding: Option<u16>,
    /// TLS 1.3: the length of its last record, where that has the size of an alert.
    pub(super) like_alert: Option<NonZeroU16>,
}

impl Direction {
    /// How the record that begins with `header` is to be read, where nothing can be opened.
    pub(super) fn how_to_read(&self, header: Header) -> Reading {
        match (header.content, self.protection) {
            (Content::Handshake, Protection::Clear) => Reading::Messages,
            (Content::Handshake, Protection::Unsure) => Reading::Whole,
            (Content::Alert, _) if header.length == CLEAR_ALERT => Reading::Whole,
            _ => Reading::Passed,
        }
    }

    /// How much memory it takes beyond its own size, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.start.memory() + self.messages.memory() + self.body.capacity()
    }

    /// Where the next record begins is not known any more, nor what it may be.
    pub(super) fn lose(&mut self) {
        self.phase = Phase::Lost;
        self.records = Records::default();
        self.messages = Messages::default();
        self.body = ThinVec::new();
        self.reading = Reading::Passed;
        if self.protection == Protection::Clear {
            self.protection = Protection::Unsure;
        }
    }
}

/// How far the reading of one side's bytes is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// TLS is still to be found.
    #[default]
    Start,
    /// Records follow one another.
    Records,
    /// Bytes are missing, and where the next record begins is not known.
    Lost,
    /// There is no TLS.
    Foreign,
}

/// Whether the handshake messages of a side can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Protection {
    /// They are in clear.
    #[default]
    Clear,
    /// They may be in clear or not: the messages that would tell were not seen, or not yet.
    Unsure,
    /// They are encrypted: behind ChangeCipherSpec in TLS 1.2 and before.
    Sealed,
}

/// What becomes of a record's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nobody looks at it.
    #[default]
    Passed,
    /// Its messages are joined as they come.
    Messages,
    /// It is kept until it is whole.
    Whole,
}

// level 1 | description 1. What is encrypted is longer, by a tag or a MAC.
pub(super) const CLEAR_ALERT: u16 = 2;
