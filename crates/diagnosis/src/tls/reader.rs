use super::direction::{Direction, Phase, Protection, Reading};
use super::hello::{self, Answered};
use super::message::{self, Message, MessageType};
use super::record::{Content, Header, Piece};
use super::sizes::{JAVAS_PADDING, Sizes};
use super::start::{self, Found};
use crate::evidence::{
    Alert, AlertContent, CloseNotify, Connection, Description, End, Flight, NewTicket, Sealed, Version,
};
use crate::tcp::{Conversation, Opening};
use crate::{Moment, Side, Sides};

/// Reads a connection: bytes of both sides in, what was seen of it out.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    directions: Sides<Direction>,
    /// Whether the end that was taken for the client is the server, as the hellos tell.
    swapped: bool,
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
        Self { connection: Connection::new(client, server, at, from_the_start), directions, swapped: false }
    }

    /// What was seen up to now.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What was seen.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// How much memory it takes, in bytes: about 1 KB for an established connection without its tickets, 512 KB for one that
    /// does its worst.
    pub fn memory(&self) -> usize {
        let directions = self.directions.client.memory() + self.directions.server.memory();
        size_of::<Self>() - size_of::<Connection>() + self.connection.memory() + directions
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
                self.connection.foreign[side] = None;
                self.records(side, at, &tail);
                self.records(side, at, &bytes[offset..]);
            }
            Found::NotYet => {
                if self.directions[side].start.is_foreign() {
                    self.connection.foreign[side].get_or_insert(at);
                }
            }
            Found::Foreign => {
                self.connection.foreign[side].get_or_insert(at);
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
        let direction = &mut self.directions[side];
        direction.reading = direction.how_to_read(header);
        direction.body.clear();
        if header.content != Content::Alert {
            self.goes_on(side);
        }
        if header.content == Content::ApplicationData {
            self.application_data(side, at, header.length);
        }
    }

    /// Whatever looked like a close_notify was none, for something follows it.
    fn goes_on(&mut self, side: Side) {
        let was = std::mem::take(&mut self.connection.end[side].close_notify);
        if let (Some(length), CloseNotify::Likely(at)) = (self.directions[side].like_alert.take(), was) {
            self.connection.application[side].add(at, length);
        }
    }

    fn record_ends(&mut self, side: Side, at: Moment, header: Header) {
        let body = std::mem::take(&mut self.directions[side].body);
        match header.content {
            Content::ChangeCipherSpec => self.change_cipher_spec(side),
            Content::Alert => match body[..] {
                [_, description] => self.alert(side, at, Description(description)),
                _ => self.sealed_alert(side, at),
            },
            Content::Handshake => match self.directions[side].reading {
                Reading::Messages => {}
                Reading::Whole if message::fill(&body) => self.messages(side, at, &body),
                Reading::Whole | Reading::Passed => self.sealed_handshake(side, at, header),
            },
            Content::ApplicationData | Content::Other => {}
        }
    }

    fn is_tls13(&self) -> bool {
        self.connection.retry.is_some() || self.connection.version() >= Some(Version::TLS13)
    }

    fn change_cipher_spec(&mut self, side: Side) {
        let direction = &mut self.directions[side];
        direction.changed = true;
        // A client's own messages tell what its ChangeCipherSpec is for only where a key exchange came before: else the
        // handshake is abbreviated, or of TLS 1.3.
        direction.protection = match self.connection.version() {
            _ if self.connection.retry.is_some() => return,
            Some(version) if version >= Version::TLS13 => return,
            Some(_) => Protection::Sealed,
            None if side == Side::Server || self.connection.flight == Flight::Full => Protection::Sealed,
            None => Protection::Unsure,
        };
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
        let direction = &mut self.directions[side];
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

    /// A record of type application_data, which in TLS 1.3 is the outside of every encrypted record.
    fn application_data(&mut self, side: Side, at: Moment, length: u16) {
        if self.directions[side].changed && side == Side::Client {
            self.behind_change_cipher_spec();
        }
        if self.is_tls13() {
            self.sealed(side, at, length);
        } else {
            self.connection.application[side].add(at, length);
        }
    }

    /// A client whose ChangeCipherSpec is not followed by an encrypted handshake message speaks TLS 1.3.
    fn behind_change_cipher_spec(&mut self) {
        let connection = &mut self.connection;
        let early = connection.client_hello.as_ref().is_none_or(|hello| hello.early_data);
        if connection.version().is_none()
            && connection.finished.client.is_none()
            && !early
            && !connection.missing.client
        {
            connection.implied_version = Some(Version::TLS13);
        }
    }

    /// An encrypted record of TLS 1.3.
    fn sealed(&mut self, side: Side, at: Moment, length: u16) {
        let connection = &mut self.connection;
        let direction = &mut self.directions[side];
        let sizes = Sizes::of(connection.server_hello.as_ref().map(|hello| hello.suite));
        if connection.finished.client.is_none() {
            direction.padding = sizes.padding(length);
            if side == Side::Client {
                self.sealed_flight(at, length, sizes);
            }
            return;
        }
        if side == Side::Server && connection.application.client.records == 0 && connection.sealed.len() < MAX_SEALED {
            connection.sealed.push(Sealed { at, length });
        }
        // An answer to the other's end is more likely to be an alert than 18 bytes of data are.
        let ended = connection.end[!side] != End::default();
        let padding = direction.padding.unwrap_or(if ended { JAVAS_PADDING } else { 0 });
        if sizes.is_alert(length, padding) {
            direction.like_alert = Some(length);
            connection.end[side].close_notify = CloseNotify::Likely(at);
        } else {
            connection.application[side].add(at, length);
        }
    }

    /// An encrypted record of a client that has not finished yet.
    fn sealed_flight(&mut self, at: Moment, length: u16, sizes: Sizes) {
        let connection = &mut self.connection;
        let early_data = connection.client_hello.as_ref().is_some_and(|hello| hello.early_data);
        if early_data && !sizes.is_finished(length) {
            connection.application.client.add(at, length);
        } else if length >= sizes.finished() || connection.missing.client {
            // With a certificate before it, it is longer; an alert in its place is shorter.
            connection.finished.client = Some(at);
        }
    }

    fn messages(&mut self, side: Side, at: Moment, bytes: &[u8]) {
        let mut messages = std::mem::take(&mut self.directions[side].messages);
        messages.read(bytes, |message| self.message(side, at, &message));
        if let Some(kind) = messages.begun() {
            self.message_begins(kind);
        }
        self.directions[side].messages = messages;
    }

    /// A message is there, or a part of it.
    fn message_begins(&mut self, kind: MessageType) {
        if matches!(
            kind,
            MessageType::CERTIFICATE
                | MessageType::SERVER_KEY_EXCHANGE
                | MessageType::SERVER_HELLO_DONE
                | MessageType::CLIENT_KEY_EXCHANGE
        ) {
            self.connection.flight = Flight::Full;
        }
    }

    fn message(&mut self, side: Side, at: Moment, message: &Message<'_>) {
        self.message_begins(message.kind);
        let connection = &mut self.connection;
        match message.kind {
            MessageType::CLIENT_HELLO if side == Side::Client => {
                let hello = message.body.and_then(|body| hello::client_hello(body, at));
                connection.client_hello = hello.map(Box::new).or(connection.client_hello.take());
            }
            MessageType::SERVER_HELLO if side == Side::Server => {
                match message.body.and_then(|body| hello::server_hello(body, at)) {
                    Some(Answered::ServerHello(hello)) => connection.server_hello = Some(hello),
                    Some(Answered::HelloRetryRequest) => connection.retry = Some(at),
                    None => {}
                }
            }
            MessageType::NEW_SESSION_TICKET if side == Side::Server => {
                if let Some(ticket) = message.body.and_then(|body| hello::ticket12(body, at)) {
                    self.add_ticket(ticket);
                }
            }
            MessageType::CERTIFICATE if side == Side::Server => connection.certificate = Some(message.length),
            MessageType::CERTIFICATE_REQUEST => connection.client_authentication = Some(at),
            _ => {}
        }
    }

    fn add_ticket(&mut self, ticket: NewTicket) {
        let tickets = &mut self.connection.tickets;
        let bytes = tickets.iter().map(|ticket| ticket.ticket.len()).sum::<usize>();
        if tickets.len() < MAX_TICKETS && bytes + ticket.ticket.len() <= MAX_TICKET_BYTES {
            tickets.push(ticket);
        }
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
        let direction = &mut self.directions[side];
        let Some(skipped) = direction.records.skip(length).filter(|_| direction.phase == Phase::Records) else {
            if direction.phase != Phase::Foreign || self.connection.foreign[side].is_none() {
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
    }
}

// As many as say how tickets are sent. OpenSSL sends two; more than four in a row are rare.
const MAX_SEALED: usize = 8;
// A server that is asked for more (RFC 9149) sends 255 at most; nobody was seen to send more than a handful.
const MAX_TICKETS: usize = 32;
// Tickets with a chain of client certificates have a few KB each.
const MAX_TICKET_BYTES: usize = 128 << 10;

#[cfg(test)]
mod tests;
