use super::hello::{self, Answered};
use super::message::{Message, MessageType, Messages};
use super::record::{Content, Header, Piece, Records};
use super::start::{Found, Start};
use crate::evidence::{Alert, AlertContent, CloseNotify, Connection, Description, Flight, Sealed, Version};
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
        Self {
            connection: Connection::new(client, server, at, from_the_start),
            directions: Sides::default(),
            swapped: false,
        }
    }

    /// What was seen up to now.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What was seen.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    fn side(&self, side: Side) -> Side {
        if self.swapped { !side } else { side }
    }

    /// The hello that `side` sent was the other's: what was taken for the client is the server.
    fn swap(&mut self) {
        self.swapped = !self.swapped;
        let Self { connection, directions, .. } = self;
        std::mem::swap(&mut connection.client, &mut connection.server);
        std::mem::swap(&mut connection.end.client, &mut connection.end.server);
        std::mem::swap(&mut connection.missing.client, &mut connection.missing.server);
        std::mem::swap(&mut connection.foreign.client, &mut connection.foreign.server);
        std::mem::swap(&mut connection.application.client, &mut connection.application.server);
        std::mem::swap(&mut connection.finished.client, &mut connection.finished.server);
        std::mem::swap(&mut directions.client, &mut directions.server);
    }

    fn find_start(&mut self, mut side: Side, at: Moment, bytes: &[u8]) {
        match self.directions[side].start.look(bytes) {
            Found::Tls { tail, offset, side: sender } => {
                if sender.is_some_and(|sender| sender != side) && !self.connection.from_the_start {
                    self.swap();
                    side = !side;
                }
                self.directions[side].phase = Phase::Records;
                self.connection.foreign[side] = None;
                self.records(side, at, &tail);
                self.records(side, at, &bytes[offset..]);
            }
            Found::NotYet => {
                if self.directions[side].start.is_idle() {
                    self.connection.foreign[side].get_or_insert(at);
                }
            }
            Found::Foreign => self.directions[side].phase = Phase::Foreign,
        }
    }

    /// After a gap, a record that begins where a packet does is taken for one.
    fn find_again(&mut self, side: Side, at: Moment, bytes: &[u8]) {
        if bytes.first_chunk().and_then(|header| Header::parse(*header)).is_some() {
            let direction = &mut self.directions[side];
            direction.records = Records::default();
            direction.messages = Messages::default();
            direction.phase = Phase::Records;
            self.records(side, at, bytes);
        }
    }

    fn records(&mut self, side: Side, at: Moment, mut bytes: &[u8]) {
        while let Some(piece) = self.directions[side].records.next(&mut bytes) {
            match piece {
                Piece::Foreign => {
                    self.directions[side].phase = Phase::Lost;
                    self.connection.missing[side] = true;
                    return;
                }
                Piece::Body { header, first, bytes, last } => self.piece(side, at, header, first, bytes, last),
            }
        }
    }

    fn piece(&mut self, side: Side, at: Moment, header: Header, first: bool, bytes: &[u8], last: bool) {
        if first {
            self.record_begins(side, at, header);
        }
        match header.content {
            Content::Handshake if !self.directions[side].encrypted => self.messages(side, at, bytes),
            Content::Alert if !self.directions[side].encrypted => self.directions[side].keep_alert(bytes),
            _ => {}
        }
        if last {
            self.record_ends(side, at, header);
        }
    }

    fn record_begins(&mut self, side: Side, at: Moment, header: Header) {
        let direction = &mut self.directions[side];
        direction.alert.clear();
        if header.content != Content::Alert {
            // Whatever looked like a close_notify was none, for something follows it.
            self.connection.end[side].close_notify = CloseNotify::None;
        }
        if header.content == Content::ApplicationData {
            self.application_data(side, at, header.length);
        }
    }

    fn record_ends(&mut self, side: Side, at: Moment, header: Header) {
        match header.content {
            Content::ChangeCipherSpec => self.change_cipher_spec(side, at),
            Content::Alert => self.alert(side, at),
            Content::Handshake if self.directions[side].encrypted => {
                // The first encrypted handshake message is Finished (RFC 5246 §7.4.9).
                self.connection.finished[side].get_or_insert(at);
            }
            Content::Handshake | Content::ApplicationData | Content::Other => {}
        }
    }

    fn is_tls13(&self) -> bool {
        self.connection.version() >= Some(Version::TLS13)
    }

    fn change_cipher_spec(&mut self, side: Side, _at: Moment) {
        if self.is_tls13() || (self.connection.server_hello.is_none() && side == Side::Client) {
            return; // for the eyes of middleboxes (RFC 8446 §D.4)
        }
        self.directions[side].encrypted = true;
        if self.connection.flight == Flight::Unknown && !self.connection.missing[side] {
            self.connection.flight = Flight::Abbreviated;
        }
    }

    fn alert(&mut self, side: Side, at: Moment) {
        let direction = &self.directions[side];
        let content = match direction.alert[..] {
            [_, description] if !direction.encrypted => AlertContent::Read(Description(description)),
            _ => AlertContent::Sealed,
        };
        let end = &mut self.connection.end[side];
        match content {
            AlertContent::Read(Description::CLOSE_NOTIFY) => end.close_notify = CloseNotify::Sent(at),
            AlertContent::Sealed if self.connection.finished[side].is_some() => {
                end.close_notify = CloseNotify::Likely(at);
                self.connection.alerts.push(Alert { side, at, content });
            }
            _ => self.connection.alerts.push(Alert { side, at, content }),
        }
    }

    /// A record of type application_data, which in TLS 1.3 is the outside of every encrypted record.
    fn application_data(&mut self, side: Side, at: Moment, length: u16) {
        let tls13 = self.is_tls13();
        let connection = &mut self.connection;
        if tls13 {
            match side {
                Side::Client if connection.finished.client.is_none() => {
                    if length >= SHORTEST_FINISHED {
                        connection.finished.client = Some(at);
                    }
                    return;
                }
                Side::Server if connection.finished.client.is_none() => return,
                Side::Server if connection.application.client.records == 0 && connection.sealed.len() < MAX_SEALED => {
                    connection.sealed.push(Sealed { at, length });
                }
                _ => {}
            }
            if length == SEALED_ALERT {
                connection.end[side].close_notify = CloseNotify::Likely(at);
                return;
            }
        }
        let application = &mut connection.application[side];
        application.bytes += u64::from(length);
        application.records += 1;
        application.first.get_or_insert(at);
    }

    fn messages(&mut self, side: Side, at: Moment, bytes: &[u8]) {
        let mut messages = std::mem::take(&mut self.directions[side].messages);
        messages.read(bytes, |message| self.message(side, at, &message));
        self.directions[side].messages = messages;
    }

    fn message(&mut self, side: Side, at: Moment, message: &Message<'_>) {
        let connection = &mut self.connection;
        match message.kind {
            MessageType::CLIENT_HELLO => {
                let hello = message.body.and_then(|body| hello::client_hello(body, at));
                connection.client_hello = hello.map(Box::new).or(connection.client_hello.take());
            }
            MessageType::SERVER_HELLO => match message.body.and_then(|body| hello::server_hello(body, at)) {
                Some(Answered::ServerHello(hello)) => connection.server_hello = Some(hello),
                Some(Answered::HelloRetryRequest) => connection.retry = Some(at),
                None => {}
            },
            MessageType::NEW_SESSION_TICKET => {
                connection.tickets.extend(message.body.and_then(|body| hello::ticket12(body, at)));
            }
            MessageType::CERTIFICATE
            | MessageType::SERVER_KEY_EXCHANGE
            | MessageType::SERVER_HELLO_DONE
            | MessageType::CLIENT_KEY_EXCHANGE => {
                connection.flight = Flight::Full;
                if message.kind == MessageType::CERTIFICATE && side == Side::Server {
                    connection.certificate = Some(message.length);
                }
            }
            _ => {}
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
        match direction.records.skip(length) {
            Some(skipped) if skipped.content == Content::Handshake && !direction.encrypted => {
                let mut messages = std::mem::take(&mut direction.messages);
                if !messages.skip(skipped.length.into(), |message| self.message(side, at, &message)) {
                    self.directions[side].phase = Phase::Lost;
                }
                self.directions[side].messages = messages;
            }
            Some(_) => {}
            None if direction.phase == Phase::Foreign => {}
            None => direction.phase = Phase::Lost,
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

/// What is known of one side's bytes.
#[derive(Debug, Default)]
struct Direction {
    phase: Phase,
    start: Start,
    records: Records,
    messages: Messages,
    /// Whether its records are encrypted (TLS 1.2 and before: behind ChangeCipherSpec).
    encrypted: bool,
    /// The alert that is being read: level 1 | description 1.
    alert: Vec<u8>,
}

impl Direction {
    fn keep_alert(&mut self, bytes: &[u8]) {
        let room = 2_usize.saturating_sub(self.alert.len());
        self.alert.extend(bytes.iter().take(room));
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
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

// RFC 8446 §5.2: alert 2 | content type 1 | tag 16.
const SEALED_ALERT: u16 = 19;
// RFC 8446 §4.4.4: header 4 | verify_data 32 | content type 1 | tag 16.
const SHORTEST_FINISHED: u16 = 53;
// As many as say how tickets are sent. OpenSSL sends two; more than four in a row are rare.
const MAX_SEALED: usize = 8;
