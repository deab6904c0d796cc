//! One TLS connection, without I/O: records in, application data out, and the other way round.
//!
//! rustls encodes TLS 1.3 tickets, and answers to KeyUpdate, as soon as it can. Here they are
//! held until the application writes, so that the server speaks only when the application does:
//! a client that only writes and then closes would answer them with a reset, and lose what it
//! had written.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError};
use rustls::{CipherSuite, Error, HandshakeKind, InvalidMessage, ProtocolVersion};

use crate::buffer::Buffer;
use crate::client_chain;
use crate::reason::Outcome;
use crate::ticketer::Ticketer;

/// The server's side of a TLS connection.
pub struct Session {
    tls: UnbufferedServerConnection,
    /// Until the handshake is over.
    ticketer: Option<Arc<Ticketer>>,
    /// Records that wait for the first application write.
    held: Vec<u8>,
    unread: Vec<u8>,
    is_broken: bool,
}

/// What a call of [`Session::feed`] brought.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Whether the peer's close_notify has come: there is no more to read.
    pub peer_closed: bool,
}

impl Session {
    pub(crate) fn new(tls: UnbufferedServerConnection, ticketer: Arc<Ticketer>) -> Self {
        Self { tls, ticketer: Some(ticketer), held: Vec::new(), unread: Vec::new(), is_broken: false }
    }

    /// What came and is not done with: part of a record, or of a handshake message.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Takes the records in `incoming`, which begins with what was [`unread`](Self::unread): application data is appended
    /// to `plain`, and what must be sent at once to `outgoing`.
    ///
    /// # Errors
    /// The peer broke the protocol. The alert that says so is in `outgoing` then, behind whatever was held. Nothing can
    /// be read or written afterwards.
    pub fn feed(&mut self, incoming: &mut [u8], plain: &mut Buffer, outgoing: &mut Buffer) -> Result<Fed, Error> {
        let fed = self.feed_records(incoming, plain, outgoing);
        // The client's certificate and its last flight may come apart, and other connections between them.
        if let (Some(ticketer), Some(chain)) = (&self.ticketer, client_chain::take_verified()) {
            ticketer.client_showed(chain);
        }
        fed
    }

    fn feed_records(&mut self, incoming: &mut [u8], plain: &mut Buffer, outgoing: &mut Buffer) -> Result<Fed, Error> {
        let mut fed = Fed::default();
        let mut consumed = 0;
        loop {
            let status = self.tls.process_tls_records(&mut incoming[consumed..]);
            consumed += status.discard;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        plain.extend(record?.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(encode)) => {
                    let start = outgoing.len();
                    encode_into(encode, outgoing)?;
                    if self.may_hold() {
                        self.held.extend_from_slice(outgoing.split_off(start));
                    }
                }
                Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
                Ok(ConnectionState::PeerClosed) => fed.peer_closed = true,
                Ok(_) => {
                    // rustls counts on finding these bytes again as it left them: it decrypts in place.
                    let rest = &incoming[consumed..];
                    if rest.len() > MOST_UNREAD {
                        self.is_broken = true;
                        return Err(Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge));
                    }
                    self.unread = rest.to_vec();
                    return Ok(fed);
                }
                Err(error) => {
                    self.is_broken = true;
                    self.encode_alert(&mut incoming[consumed..], outgoing);
                    return Err(error);
                }
            }
        }
    }

    /// Encrypts `plain` into `outgoing`, behind what was held.
    ///
    /// # Errors
    /// The connection cannot send: the handshake is not over, or close_notify was sent.
    pub fn write(&mut self, plain: &[u8], outgoing: &mut Buffer) -> Result<(), Error> {
        self.release(outgoing);
        let records = plain.len().div_ceil(MAX_FRAGMENT);
        let mut room = plain.len() + (records + 1) * RECORD_OVERHEAD;
        self.with_write_traffic(outgoing, |traffic, outgoing| {
            loop {
                match traffic.encrypt(plain, outgoing.room(room)) {
                    Ok(length) => break outgoing.advance(length),
                    Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                        room = required_size;
                    }
                    Err(EncryptError::EncryptExhausted) => return Err(Error::EncryptError),
                }
            }
            Ok(())
        })
    }

    /// Sends the held tickets now, without application data.
    pub fn send_tickets(&mut self, outgoing: &mut Buffer) {
        self.release(outgoing);
    }

    /// Writes close_notify, behind what was held. Nothing can be written afterwards.
    ///
    /// # Errors
    /// The handshake is not over.
    pub fn close(&mut self, outgoing: &mut Buffer) -> Result<(), Error> {
        self.release(outgoing);
        self.with_write_traffic(outgoing, |traffic, outgoing| {
            match traffic.queue_close_notify(outgoing.room(2 * RECORD_OVERHEAD)) {
                Ok(length) => outgoing.advance(length),
                Err(_) => return Err(Error::EncryptError),
            }
            Ok(())
        })
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// Whether the client's flight ends the handshake: always in TLS 1.3, and in TLS 1.2 when
    /// it is resumed.
    pub fn client_finishes_last(&self) -> bool {
        self.is_tls13() || self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// How the handshake went, once it is over; `None` before, and the second time.
    pub fn take_outcome(&mut self) -> Option<Outcome> {
        if self.is_handshaking() {
            return None;
        }
        let version = self.tls.protocol_version()?;
        let kind = self.tls.handshake_kind()?;
        Some(self.ticketer.take()?.outcome(version, kind))
    }

    /// The chain the client showed, its own certificate first; in a resumed connection the one
    /// of the session.
    pub fn client_chain(&self) -> Option<&[CertificateDer<'static>]> {
        self.tls.peer_certificates()
    }

    /// The negotiated application protocol.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.tls.alpn_protocol()
    }

    /// The negotiated cipher suite; rustls spells those of TLS 1.3 with a prefix of its own.
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        self.tls.negotiated_cipher_suite().map(|suite| suite.suite())
    }

    /// Once a TLS 1.3 handshake is over, all that TLS itself has to say can wait. In TLS 1.2
    /// the last flight of the handshake is written when it is over already.
    fn may_hold(&self) -> bool {
        self.is_tls13() && !self.is_handshaking()
    }

    fn is_tls13(&self) -> bool {
        self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    fn release(&mut self, outgoing: &mut Buffer) {
        if !self.held.is_empty() {
            outgoing.extend(&std::mem::take(&mut self.held));
        }
    }

    /// Calls `act` in the one state in which the application may write.
    fn with_write_traffic(
        &mut self,
        outgoing: &mut Buffer,
        act: impl FnOnce(&mut rustls::unbuffered::WriteTraffic<'_, ServerConnectionData>, &mut Buffer) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.is_broken {
            return Err(Error::EncryptError);
        }
        loop {
            // There is no whole message in what is unread, or it would have been read; but rustls wants to see it again.
            let status = self.tls.process_tls_records(&mut self.unread);
            debug_assert_eq!(status.discard, 0);
            match status.state? {
                ConnectionState::WriteTraffic(mut traffic) => return act(&mut traffic, outgoing),
                ConnectionState::EncodeTlsData(encode) => encode_into(encode, outgoing)?,
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                ConnectionState::PeerClosed => {}
                _ => return Err(Error::HandshakeNotComplete),
            }
        }
    }

    /// After an error, rustls hands out what it had still to say, the alert last. It must not be asked for more: it would
    /// take offence at the same bytes once again.
    fn encode_alert(&mut self, rest: &mut [u8], outgoing: &mut Buffer) {
        let has_no_keys = self.tls.protocol_version().is_none();
        if self.tls.wants_write() {
            self.release(outgoing); // encrypted before the alert
        } else if has_no_keys {
            // For a message that announces too great a length there is none.
            outgoing.extend(&DECODE_ERROR);
        }
        while self.tls.wants_write() {
            let Ok(ConnectionState::EncodeTlsData(encode)) = self.tls.process_tls_records(rest).state else {
                return;
            };
            // What cannot be encoded cannot be sent, and there is nobody to tell.
            if encode_into(encode, outgoing).is_err() {
                return;
            }
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("handshaking", &self.is_handshaking())
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

fn encode_into(mut encode: EncodeTlsData<'_, ServerConnectionData>, outgoing: &mut Buffer) -> Result<(), Error> {
    let mut room = TYPICAL_FLIGHT;
    loop {
        match encode.encode(outgoing.room(room)) {
            Ok(length) => {
                outgoing.advance(length);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                room = required_size;
            }
            Err(EncodeError::AlreadyEncoded) => return Ok(()),
        }
    }
}

/// A fatal alert, before there are keys (RFC 8446 §6.2).
const DECODE_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 50];

/// The most bytes an unfinished handshake message may take, record headers included: rustls limits the message alone, and a
/// message in records of a byte is twenty times as long.
const MOST_UNREAD: usize = 256 * 1024;

/// RFC 8446 §5.1.
const MAX_FRAGMENT: usize = 1 << 14;

/// More than any suite adds to a record: header, explicit nonce, inner type, tag.
const RECORD_OVERHEAD: usize = 5 + 8 + 1 + 16;

const TYPICAL_FLIGHT: usize = 4096;

#[cfg(test)]
mod tests;
