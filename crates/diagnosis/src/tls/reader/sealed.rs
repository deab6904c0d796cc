//! What encrypted records of TLS 1.3 tell from outside.

use std::num::NonZeroU16;

use super::Reader;
use crate::evidence::{CloseNotify, Connection, End, Sealed, Version};
use crate::tls::sizes::{JAVAS_PADDING, Sizes};
use crate::{Moment, Side};

impl Reader {
    /// A record of type application_data, which in TLS 1.3 is the outside of every encrypted record.
    pub(super) fn application_data(&mut self, side: Side, at: Moment, length: u16) {
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
    pub(super) fn behind_change_cipher_spec(&mut self) {
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
    pub(super) fn sealed(&mut self, side: Side, at: Moment, length: u16) {
        let connection = &mut self.connection;
        let direction = &mut self.directions[side];
        let sizes = Sizes::of(connection.server_hello.as_ref().map(|hello| hello.suite));
        if connection.finished.client.is_none() {
            return match side {
                Side::Client => self.clients_flight(at, length, sizes),
                Side::Server => self.servers_flight(at, length, sizes),
            };
        }
        // An answer to the other's end is more likely to be an alert than 18 bytes of data are.
        let ended = connection.end[!side] != End::default();
        let padding = direction.padding.unwrap_or(if ended { JAVAS_PADDING } else { 0 });
        if sizes.is_alert(length, padding) {
            direction.like_alert = NonZeroU16::new(length);
            connection.end[side].close_notify = CloseNotify::Likely(at);
        } else {
            connection.application[side].add(at, length);
            self.note_sealed(side, at, length);
        }
    }

    /// An encrypted record of a server whose client has not finished yet. Go's servers send tickets right behind their Finished.
    fn servers_flight(&mut self, at: Moment, length: u16, sizes: Sizes) {
        let sealed = &mut self.connection.sealed;
        let direction = &mut self.directions.server;
        if let Some(padding) = sizes.padding(length) {
            direction.padding = Some(padding);
            sealed.clear();
        } else if direction.padding.is_some() && length > sizes.finished() && sealed.len() < MAX_SEALED {
            sealed.push(Sealed { at, length });
        }
    }

    /// An encrypted record of a client that has not finished yet.
    fn clients_flight(&mut self, at: Moment, length: u16, sizes: Sizes) {
        let connection = &mut self.connection;
        self.directions.client.padding = sizes.padding(length);
        let early_data = connection.client_hello.as_ref().is_some_and(|hello| hello.early_data);
        if early_data && !sizes.is_finished(length) {
            connection.application.client.add(at, length);
        } else if length >= sizes.finished() || connection.missing.client {
            // With a certificate before it, it is longer; an alert in its place is shorter.
            connection.finished.client = Some(at);
            let Connection { application, sealed, .. } = connection;
            sealed.iter().for_each(|early| application.server.add(early.at, early.length));
        }
    }

    /// Notes what may be a ticket.
    pub(super) fn note_sealed(&mut self, side: Side, at: Moment, length: u16) {
        let Connection { finished, sealed, .. } = &mut self.connection;
        if side == Side::Server && finished.client.is_some() && sealed.len() < MAX_SEALED {
            sealed.push(Sealed { at, length });
        }
    }
}

// As many as say how tickets are sent. OpenSSL sends two; more than four in a row are rare.
const MAX_SEALED: usize = 8;
