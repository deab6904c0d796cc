//! Encrypted records that a key log may open.

use thin_vec::ThinVec;

use super::Reader;
use crate::evidence::Description;
use crate::tls::keys::{Opened, Waiting};
use crate::tls::record::{Content, Header};
use crate::tls::tail::Tail;
use crate::{Moment, Side};

impl Reader {
    /// An encrypted record that may be opened, or else tells what it does from outside.
    pub(super) fn protected(&mut self, side: Side, at: Moment, header: Header, body: ThinVec<u8>) {
        let before = self.keys.as_ref().map_or_else(Tail::default, |keys| keys.before(side));
        self.open(side, Waiting { at, header, body, before });
    }

    fn open(&mut self, side: Side, record: Waiting) {
        let Some(keys) = &mut self.keys else { return self.sealed_record(side, record.at, record.header) };
        if keys.is_waiting(side) {
            return self.wait(side, record);
        }
        match keys.open(&self.connection, side, &record) {
            Opened::Plain(content) => self.plain(side, record.at, content, record.header.length),
            Opened::Later => self.wait(side, record),
            Opened::Sealed => self.sealed_record(side, record.at, record.header),
            Opened::Refused => self.refused(side, &record),
        }
    }

    pub(super) fn wait(&mut self, side: Side, record: Waiting) {
        let has_room = self.keys.as_mut().is_some_and(|keys| keys.wait(side, record));
        if !has_room {
            self.retry_waiting(true);
        }
    }

    /// Tries again to open the records that wait for their keys; `at_last`, none goes on waiting.
    pub(super) fn retry_waiting(&mut self, at_last: bool) {
        let Some(keys) = &mut self.keys else { return };
        let of = |side| move |record| (side, record);
        let client = keys.take_waiting(Side::Client).into_iter().map(of(Side::Client));
        let server = keys.take_waiting(Side::Server).into_iter().map(of(Side::Server));
        let mut records = client.chain(server).collect::<Vec<_>>();
        records.sort_by_key(|(_, record)| record.at);
        for (side, record) in records {
            self.goes_on(side);
            if !at_last {
                self.open(side, record);
            } else if !self.can_open(side, &record) {
                self.sealed_record(side, record.at, record.header);
            }
        }
    }

    /// Opens a record, if its key is there.
    pub(super) fn can_open(&mut self, side: Side, record: &Waiting) -> bool {
        let Some(keys) = &mut self.keys else { return false };
        let opened = keys.open(&self.connection, side, record);
        if let Opened::Plain(content) = opened {
            self.plain(side, record.at, content, record.header.length);
        }
        matches!(opened, Opened::Plain(_))
    }

    /// A record that nobody opens tells what it does from outside.
    pub(super) fn sealed_record(&mut self, side: Side, at: Moment, header: Header) {
        match header.content {
            Content::Alert => self.sealed_alert(side, at),
            _ => self.application_data(side, at, header.length),
        }
    }

    /// A record that none of the keys there are opens: early data, or keys or record are not what they seem.
    pub(super) fn refused(&mut self, side: Side, record: &Waiting) {
        let Waiting { at, header, .. } = record;
        let early_data = self.connection.client_hello.as_ref().is_some_and(|hello| hello.early_data);
        if side == Side::Client && self.connection.finished.client.is_none() && early_data {
            return self.connection.application.client.add(*at, header.length);
        }
        self.connection.unopened[side] += 1;
        self.sealed_record(side, *at, *header);
    }

    /// What an encrypted record holds.
    pub(super) fn plain(&mut self, side: Side, at: Moment, content: Content, length: u16) {
        let Some(keys) = &mut self.keys else { return };
        let (bytes, has_finished) = (keys.take_plain(), keys.has_finished(side));
        match content {
            Content::Handshake => {
                if has_finished {
                    self.note_sealed(side, at, length);
                }
                self.messages(side, at, &bytes);
            }
            Content::Alert => match bytes[..] {
                [_, description] => self.alert(side, at, Description(description)),
                _ => self.sealed_alert(side, at),
            },
            Content::ApplicationData => self.connection.application[side].add(at, length),
            Content::ChangeCipherSpec | Content::Other => {}
        }
        if let Some(keys) = &mut self.keys {
            keys.recycle(bytes);
        }
    }

    /// TLS 1.2 counts the records it encrypts.
    pub(super) fn pass(&mut self, side: Side) {
        self.keys.iter_mut().for_each(|keys| keys.pass(side));
    }
}
