mod handshake;
mod protected;
mod sealed;

use std::sync::Arc;

use super::direction::{Direction, Phase, Protection, Reading};
use super::ja4::Ingredients;
use super::key_log::KeyLog;
use super::keys::Keys;
use super::profiles::Profiles;
use super::record::{Content, Header, Piece};
use super::start::{self, Found};
use super::{message, old_hello};
use crate::evidence::{Alert, AlertContent, CloseNotify, Connection, Description, Flight, Profile, Version};
use crate::tcp::{Conversation, Opening};
use crate::{Moment, Side, Sides};

/// Reads a connection: bytes of both sides in, what was seen of it out.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    directions: Sides<Direction>,
    /// Whether the end that was taken for the client is the server, as the hellos tell.
    swapped: bool,
    keys: Option<Box<Keys>>,
    /// Those of the connections that are read together.
    profiles: Option<Profiles>,
}

impl Reader {
    /// A reader of the connection that `opening` began.
    pub fn new(opening: Opening) -> Self {
        let Opening { client, server, at, from_the_start } = opening;
        let mut directions = Sides::<Direction>::default();
        if !from_the_start {
            directions.client.lose();
            directions.server.lose();
        }
        let connection = Connection::new(client, server, at, from_the_start);
        Self { connection, directions, swapped: false, keys: None, profiles: None }
    }

    /// A reader that opens what is encrypted with the secrets of `log`, where it has them, or may come to have them.
    pub fn with_key_log(opening: Opening, log: KeyLog) -> Self {
        // Of most captures nobody has secrets, and then a reader would be half as large again for nothing.
        let keys = log.may_know().then(|| Box::new(Keys::new(log)));
        Self { keys, ..Self::new(opening) }
    }

    /// The reader, which shares the profiles of clients with those of other connections.
    pub fn sharing(self, profiles: Profiles) -> Self {
        Self { profiles: Some(profiles), ..self }
    }

    /// What was seen up to now, but for records whose secrets may still come.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What was seen.
    pub fn into_connection(mut self) -> Connection {
        self.finish();
        self.connection
    }

    /// What was seen: nothing more comes, neither bytes nor secrets.
    pub fn finish(&mut self) -> &Connection {
        self.retry_waiting(true);
        &self.connection
    }

    /// How much memory it takes, in bytes: 1.0 to 1.3 KB for an established connection without its tickets, less than 512 KB for
    /// one that does its worst, and 200 KB more where secrets may come late.
    pub fn memory(&self) -> usize {
        let directions = self.directions.client.memory() + self.directions.server.memory();
        let keys = self.keys.as_ref().map_or(0, |keys| keys.memory());
        size_of::<Self>() - size_of::<Connection>() + self.connection.memory() + directions + keys
    }

    fn side(&self, side: Side) -> Side {
        if self.swapped { !side } else { side }
    }

    /// Who is who, now that `side` sent a record that only `sender` does: where nobody saw the connection begin, what was
    /// taken for the client may be the server.
    fn recognize(&mut self, side: Side, sender: Option<Side>) -> Side {
        match sender {
            Some(sender) if sender != side && !self.connection.from_the_start => {
                self.swapped = !self.swapped;
                self.connection.swap();
                let Sides { client, server } = &mut self.directions;
                std::mem::swap(client, server);
                self.keys.iter_mut().for_each(|keys| keys.swap());
                sender
            }
            _ => side,
        }
    }

    fn find_start(&mut self, side: Side, at: Moment, bytes: &[u8]) {
        match self.directions[side].start.look(bytes) {
            Found::Tls { tail, offset, side: sender } => {
                let side = self.recognize(side, sender);
                self.directions[side].phase = Phase::Records;
                self.connection.foreign[side] = false;
                self.records(side, at, &tail);
                self.records(side, at, &bytes[offset..]);
            }
            Found::OldHello { hello, offset } => {
                let side = self.recognize(side, Some(Side::Client));
                self.directions[side].phase = Phase::Records;
                self.connection.foreign[side] = false;
                if side == Side::Client {
                    let profile = |said| profile(self.profiles.as_ref(), said);
                    self.connection.client_hello = old_hello::client_hello(&hello, at, profile).map(Box::new);
                }
                self.records(side, at, &bytes[offset..]);
            }
            Found::NotYet => {
                self.connection.foreign[side] |= self.directions[side].start.is_foreign();
            }
            Found::Foreign => {
                self.connection.foreign[side] = true;
                self.directions[side].phase = Phase::Foreign;
            }
        }
    }

    fn find_again(&mut self, side: Side, at: Moment, bytes: &[u8]) {
        if let Some(offset) = start::next_record(bytes) {
            let bytes = &bytes[offset..];
            let side = self.recognize(side, start::sender(bytes));
            self.directions[side].phase = Phase::Records;
            self.records(side, at, bytes);
        }
    }

    fn records(&mut self, side: Side, at: Moment, mut bytes: &[u8]) {
        while let Some(piece) = self.directions[side].records.next(&mut bytes) {
            match piece {
                Piece::Foreign => return self.derailed(side),
                Piece::Body { header, first, bytes, last } => self.piece(side, at, header, first, bytes, last),
            }
        }
    }

    /// What should be a record is none: of what follows, only what comes behind a gap may be known again for one.
    fn derailed(&mut self, side: Side) {
        self.keys.iter_mut().for_each(|keys| keys.lose(side));
        let direction = &mut self.directions[side];
        direction.lose();
        if !self.connection.missing[side] && self.connection.from_the_start {
            direction.phase = Phase::Foreign;
        }
        self.connection.missing[side] = true;
    }

    fn piece(&mut self, side: Side, at: Moment, header: Header, first: bool, bytes: &[u8], last: bool) {
        if first {
            self.record_begins(side, at, header);
        }
        self.keys.iter_mut().for_each(|keys| keys.follow(side, first, bytes));
        match self.directions[side].reading {
            Reading::Passed => {}
            Reading::Messages => self.messages(side, at, bytes),
            Reading::Whole => self.directions[side].body.extend_from_slice(bytes),
        }
        if last {
            self.record_ends(side, at, header);
        }
    }

    fn record_begins(&mut self, side: Side, at: Moment, header: Header) {
        // No key is due before the server has chosen.
        if self.connection.server_hello.is_some() {
            self.retry_waiting(false);
        }
        let direction = &mut self.directions[side];
        direction.reading = direction.how_to_read(header);
        direction.body.clear();
        if self.keys.is_some() && self.is_opened(header.content) {
            self.directions[side].reading = Reading::Whole;
        }
        if header.content != Content::Alert {
            self.goes_on(side);
        }
        if header.content == Content::ApplicationData && self.directions[side].reading == Reading::Passed {
            self.application_data(side, at, header.length);
        }
    }

    /// Whether records of this type are opened, given keys: in TLS 1.2 only alerts say anything new.
    fn is_opened(&self, content: Content) -> bool {
        let hello = self.connection.server_hello.as_ref();
        let is_outside =
            content == Content::ApplicationData && hello.is_none_or(|hello| hello.version >= Version::TLS13);
        is_outside || content == Content::Alert
    }

    /// Whatever looked like a close_notify was none, for something follows it.
    fn goes_on(&mut self, side: Side) {
        let was = std::mem::take(&mut self.connection.end[side].close_notify);
        if let (Some(length), CloseNotify::Likely(at)) = (self.directions[side].like_alert.take(), was) {
            self.connection.application[side].add(at, length.get());
        }
    }

    fn record_ends(&mut self, side: Side, at: Moment, header: Header) {
        let body = std::mem::take(&mut self.directions[side].body);
        // Where some of it is missing, what is left is not to be read, nor anybody to be blamed that it does not open.
        let is_whole = body.len() == usize::from(header.length);
        match (header.content, self.directions[side].reading) {
            (Content::ChangeCipherSpec, _) => self.change_cipher_spec(side),
            (Content::Alert, _) | (Content::ApplicationData, Reading::Whole) if !is_whole => {
                self.pass(side);
                self.sealed_record(side, at, header);
            }
            (Content::Alert, _) => match body[..] {
                [_, description] => self.alert(side, at, Description(description)),
                _ => self.protected(side, at, header, body),
            },
            (Content::Handshake, Reading::Messages) => {}
            (Content::Handshake, Reading::Whole) if message::fill(&body) => self.messages(side, at, &body),
            (Content::Handshake, Reading::Whole | Reading::Passed) => self.sealed_handshake(side, at, header),
            (Content::ApplicationData, Reading::Whole) => self.protected(side, at, header, body),
            (Content::ApplicationData, _) => self.pass(side),
            (Content::Other, _) => {}
        }
    }

    fn is_tls13(&self) -> bool {
        self.connection.retry || self.connection.version() >= Some(Version::TLS13)
    }

    fn change_cipher_spec(&mut self, side: Side) {
        let direction = &mut self.directions[side];
        direction.changed = true;
        // A client's own messages tell what its ChangeCipherSpec is for only where a key exchange came before: else the
        // handshake is abbreviated, or of TLS 1.3.
        direction.protection = match self.connection.version() {
            _ if self.connection.retry => return,
            Some(version) if version >= Version::TLS13 => return,
            Some(_) => Protection::Sealed,
            None if side == Side::Server || self.connection.flight == Flight::Full => Protection::Sealed,
            None => Protection::Unsure,
        };
        self.keys.iter_mut().for_each(|keys| keys.change(side));
        if side == Side::Server {
            self.abbreviated(side);
        }
    }

    /// `side` comes to its Finished without a message of a full handshake, as far as it was seen.
    fn abbreviated(&mut self, side: Side) {
        let connection = &mut self.connection;
        if connection.flight == Flight::Unknown && !connection.missing[side] && connection.from_the_start {
            connection.flight = Flight::Abbreviated;
        }
    }

    /// An encrypted record of type handshake: TLS 1.2 or before, and the first is Finished (RFC 5246 §7.4.9).
    fn sealed_handshake(&mut self, side: Side, at: Moment, header: Header) {
        self.pass(side);
        let direction = &mut self.directions[side];
        if direction.changed && self.connection.version().is_none() && header.length > LONGEST_FINISHED {
            // The ServerHello behind a HelloRetryRequest and its ChangeCipherSpec, neither of which could be read.
            return;
        }
        if direction.changed {
            direction.protection = Protection::Sealed;
            self.connection.implied_version.get_or_insert(header.version);
            self.abbreviated(side);
        }
        // Where bytes are missing, the first that is seen may be of a renegotiation, but then there was a Finished too.
        self.connection.finished[side].get_or_insert(at);
    }

    fn alert(&mut self, side: Side, at: Moment, description: Description) {
        if description == Description::CLOSE_NOTIFY {
            self.connection.end[side].close_notify = CloseNotify::Sent(at);
        } else {
            self.connection.add_alert(Alert { side, at, content: AlertContent::Read(description) });
        }
    }

    fn sealed_alert(&mut self, side: Side, at: Moment) {
        let Connection { finished, missing, from_the_start, .. } = &self.connection;
        if finished[side].is_some() || missing[side] || !from_the_start {
            self.connection.end[side].close_notify = CloseNotify::Likely(at);
        }
        self.connection.add_alert(Alert { side, at, content: AlertContent::Sealed });
    }
}

/// The profile of a client that says this, shared if there are those to share it with.
fn profile(profiles: Option<&Profiles>, said: Ingredients) -> Arc<Profile> {
    match profiles {
        Some(profiles) => profiles.share(said),
        None => Arc::new(said.profile()),
    }
}

impl Conversation for Reader {
    fn data(&mut self, side: Side, at: Moment, bytes: &[u8]) {
        let side = self.side(side);
        self.connection.last = at;
        match self.directions[side].phase {
            Phase::Start => self.find_start(side, at, bytes),
            Phase::Records => self.records(side, at, bytes),
            Phase::Lost => self.find_again(side, at, bytes),
            Phase::Foreign => {}
        }
    }

    fn gap(&mut self, side: Side, at: Moment, length: u64) {
        let side = self.side(side);
        self.connection.missing[side] = true;
        self.keys.iter_mut().for_each(|keys| keys.lose(side));
        let direction = &mut self.directions[side];
        let Some(skipped) = direction.records.skip(length).filter(|_| direction.phase == Phase::Records) else {
            if direction.phase != Phase::Foreign || !self.connection.foreign[side] {
                self.goes_on(side);
                self.directions[side].lose();
            }
            return;
        };
        match direction.reading {
            Reading::Passed | Reading::Whole => {}
            Reading::Messages => {
                let mut messages = std::mem::take(&mut direction.messages);
                if messages.skip(skipped.length.into(), |message| self.message(side, at, &message)) {
                    self.directions[side].messages = messages;
                } else {
                    return self.directions[side].lose();
                }
            }
        }
        if skipped.last {
            self.record_ends(side, at, skipped.header);
        }
    }

    fn fin(&mut self, side: Side, at: Moment) {
        let side = self.side(side);
        self.connection.last = at;
        self.connection.end[side].fin.get_or_insert(at);
    }

    fn reset(&mut self, side: Side, at: Moment) {
        let side = self.side(side);
        self.connection.last = at;
        self.connection.end[side].reset.get_or_insert(at);
        let Direction { phase, records, .. } = &self.directions[side];
        self.connection.cut[side] |= *phase == Phase::Records && records.is_inside();
    }
}

// IV 16 | header 4 | verify_data 12 | MAC 48 | padding 16, if there is as little of that as there may be (RFC 5246 §6.2.3.2).
const LONGEST_FINISHED: u16 = 96;

#[cfg(test)]
mod tests;
