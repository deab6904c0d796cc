//! What handshake messages say.

use std::sync::Arc;

use super::{Reader, profile};
use crate::evidence::{Flight, NewTicket};
use crate::tls::hello::{self, Answered};
use crate::tls::message::{Message, MessageType};
use crate::{Moment, Side};

impl Reader {
    pub(super) fn messages(&mut self, side: Side, at: Moment, bytes: &[u8]) {
        let mut messages = std::mem::take(&mut self.directions[side].messages);
        messages.read(bytes, |message| self.message(side, at, &message));
        if let Some(kind) = messages.begun() {
            self.message_begins(kind);
        }
        self.directions[side].messages = messages;
    }

    /// A message is there, or a part of it.
    pub(super) fn message_begins(&mut self, kind: MessageType) {
        let is_of_full = matches!(
            kind,
            MessageType::CERTIFICATE
                | MessageType::SERVER_KEY_EXCHANGE
                | MessageType::SERVER_HELLO_DONE
                | MessageType::CLIENT_KEY_EXCHANGE
        );
        if is_of_full && !self.is_tls13() {
            self.connection.flight = Flight::Full;
        }
    }

    pub(super) fn message(&mut self, side: Side, at: Moment, message: &Message<'_>) {
        self.message_begins(message.kind);
        let is_tls13 = self.is_tls13();
        let connection = &mut self.connection;
        match message.kind {
            MessageType::CLIENT_HELLO if side == Side::Client => {
                let (first, is_again) = (connection.client_hello.take(), connection.retry);
                let profile = |said| match &first {
                    Some(first) if is_again => Arc::clone(&first.profile),
                    _ => profile(self.profiles.as_ref(), said),
                };
                let hello = message.body.and_then(|body| hello::client_hello(body, at, profile)).map(Box::new);
                connection.client_hello = hello.or(first);
            }
            MessageType::SERVER_HELLO if side == Side::Server => {
                match message.body.and_then(|body| hello::server_hello(body, at)) {
                    Some(Answered::ServerHello { hello, random, encrypt_then_mac }) => {
                        connection.server_hello = Some(hello);
                        if let Some(keys) = &mut self.keys {
                            (keys.server_random, keys.encrypt_then_mac) = (random, encrypt_then_mac);
                        }
                    }
                    Some(Answered::HelloRetryRequest) => connection.retry = true,
                    None => {}
                }
            }
            MessageType::NEW_SESSION_TICKET if side == Side::Server => {
                let read = if is_tls13 { hello::ticket13 } else { hello::ticket12 };
                if let Some(ticket) = message.body.and_then(|body| read(body, at)) {
                    self.add_ticket(ticket);
                }
            }
            MessageType::ENCRYPTED_EXTENSIONS if side == Side::Server => {
                if let Some(said) = message.body.and_then(hello::encrypted_extensions) {
                    connection.early_data = Some(said.early_data);
                    connection.expected_tickets = said.expected_tickets;
                }
            }
            MessageType::FINISHED if is_tls13 => {
                connection.finished[side].get_or_insert(at);
                self.keys.iter_mut().for_each(|keys| keys.finished(side));
            }
            MessageType::KEY_UPDATE if is_tls13 => self.keys.iter_mut().for_each(|keys| keys.update(side)),
            MessageType::CERTIFICATE if side == Side::Server => connection.certificate = Some(message.length),
            MessageType::CERTIFICATE_REQUEST => connection.client_authentication = true,
            _ => {}
        }
    }

    pub(super) fn add_ticket(&mut self, ticket: NewTicket) {
        let tickets = &mut self.connection.tickets;
        let bytes = tickets.iter().map(|ticket| ticket.ticket.len()).sum::<usize>();
        if tickets.len() < MAX_TICKETS && bytes + ticket.ticket.len() <= MAX_TICKET_BYTES {
            // Most servers issue one.
            tickets.reserve_exact(1);
            tickets.push(ticket);
        }
    }
}

// A server that is asked for more (RFC 9149) sends 255 at most; nobody was seen to send more than a handful.
const MAX_TICKETS: usize = 32;
// Tickets with a chain of client certificates have a few KB each.
const MAX_TICKET_BYTES: usize = 128 << 10;
