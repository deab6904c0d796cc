//! One side of a TLS connection, without I/O: records in, application data out, and the other way round.
//!
//! rustls encodes TLS 1.3 tickets, and answers to KeyUpdate, as soon as it can. A server holds them until the application
//! writes, so that it speaks only when the application does: a client that only writes and then closes would answer them
//! with a reset, and lose what it had written.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus, WriteTraffic,
};
use rustls::{CommonState, Error, InvalidMessage, ProtocolVersion};

use crate::alert;
use crate::buffer::Buffer;

/// What a call of [`Engine::feed`] brought.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Whether the peer's close_notify has come: there is no more to read.
    pub peer_closed: bool,
    /// How many of the bytes that were read were not the application's.
    pub overhead: usize,
}

/// A connection of rustls on buffers that it is lent.
pub trait Unbuffered {
    /// rustls' data of this side.
    type Data;

    /// Whether what TLS itself has to say after a TLS 1.3 handshake waits for the application.
    const HOLDS: bool;

    /// rustls' `process_tls_records`, which each side has of its own.
    fn process<'c, 'i>(&'c mut self, records: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;

    /// What both sides have in common.
    fn common(&self) -> &CommonState;
}

/// One side of TLS, as a socket deals with it.
pub trait Side {
    /// rustls' part of it.
    type Connection: Unbuffered;

    /// What is known of a handshake once it is over.
    type Outcome;

    /// Whether the FIN goes along with close_notify. Whoever opened the connection waits for the other's close first, and
    /// leaves TIME_WAIT to it.
    const FIN_FOLLOWS: bool;

    /// What turns bytes into bytes.
    fn engine(&self) -> &Engine<Self::Connection>;

    /// The same, to work with.
    fn engine_mut(&mut self) -> &mut Engine<Self::Connection>;

    /// [`Engine::feed`], and what this side learns from it.
    ///
    /// # Errors
    /// Those of [`Engine::feed`].
    fn feed(&mut self, incoming: &mut [u8], plain: &mut Buffer, outgoing: &mut Buffer) -> Result<Fed, Error>;

    /// How the handshake went, once it is over; `None` before, and the second time.
    fn take_outcome(&mut self) -> Option<Self::Outcome>;

    /// Whether the peer's last flight of the handshake, if nothing came with it, is acknowledged at once.
    fn acknowledges_at_once(&self) -> bool;
}

/// A connection of rustls, and what rustls leaves to whoever uses it.
pub struct Engine<C> {
    tls: C,
    /// Records that wait for the first application write.
    held: Vec<u8>,
    unread: Vec<u8>,
    is_broken: bool,
}

impl<C: Unbuffered> Engine<C> {
    /// Around a connection that has done nothing yet.
    pub fn new(tls: C) -> Self {
        Self { tls, held: Vec::new(), unread: Vec::new(), is_broken: false }
    }

    /// rustls' own connection.
    pub fn tls(&self) -> &CommonState {
        self.tls.common()
    }

    /// What came and is not done with: part of a record, or of a handshake message.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes the records in `incoming`, which begins with what was [`unread`](Self::unread): application data is appended
    /// to `plain`, and what must be sent at once to `outgoing`.
    ///
    /// # Errors
    /// The peer broke the protocol. The alert that says so is in `outgoing` then, behind whatever was held. Nothing can
    /// be read or written afterwards.
    pub fn feed(&mut self, incoming: &mut [u8], plain: &mut Buffer, outgoing: &mut Buffer) -> Result<Fed, Error> {
        let mut peer_closed = false;
        let (mut consumed, plain_before) = (0, plain.len());
        loop {
            let status = self.tls.process(&mut incoming[consumed..]);
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
                Ok(ConnectionState::PeerClosed) => peer_closed = true,
                Ok(_) => {
                    // rustls counts on finding these bytes again as it left them: it decrypts in place.
                    let rest = &incoming[consumed..];
                    if rest.len() > MOST_UNREAD {
                        let error = Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
                        self.is_broken = true;
                        self.encode_alert(&error, &mut incoming[consumed..], outgoing);
                        return Err(error);
                    }
                    self.unread = rest.to_vec();
                    let overhead = consumed.saturating_sub(plain.len() - plain_before);
                    return Ok(Fed { peer_closed, overhead });
                }
                Err(error) => {
                    self.is_broken = true;
                    self.encode_alert(&error, &mut incoming[consumed..], outgoing);
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

    /// Appends what was held to `outgoing`.
    pub fn release(&mut self, outgoing: &mut Buffer) {
        if !self.held.is_empty() {
            outgoing.extend(&std::mem::take(&mut self.held));
        }
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.tls().is_handshaking()
    }

    /// Whether it is known to be TLS 1.3.
    pub fn is_tls13(&self) -> bool {
        self.tls().protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Once a TLS 1.3 handshake is over, all that a server's TLS itself has to say can wait. In TLS 1.2 the last flight of
    /// the handshake is written when it is over already.
    fn may_hold(&self) -> bool {
        C::HOLDS && self.is_tls13() && !self.is_handshaking()
    }

    /// Calls `act` in the one state in which the application may write.
    fn with_write_traffic(
        &mut self,
        outgoing: &mut Buffer,
        act: impl FnOnce(&mut WriteTraffic<'_, C::Data>, &mut Buffer) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.is_broken {
            return Err(Error::EncryptError);
        }
        loop {
            // There is no whole message in what is unread, or it would have been read; but rustls wants to see it again.
            let status = self.tls.process(&mut self.unread);
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
    fn encode_alert(&mut self, error: &Error, rest: &mut [u8], outgoing: &mut Buffer) {
        let has_no_keys = self.tls().protocol_version().is_none();
        if self.tls().wants_write() {
            self.release(outgoing); // encrypted before the alert
        } else if let (Some(alert), true) = (alert::of(error), has_no_keys) {
            outgoing.extend(&alert);
        }
        let start = outgoing.len();
        while self.tls().wants_write() {
            let Ok(ConnectionState::EncodeTlsData(encode)) = self.tls.process(rest).state else {
                return;
            };
            // What cannot be encoded cannot be sent, and there is nobody to tell.
            if encode_into(encode, outgoing).is_err() {
                return;
            }
        }
        alert::correct(&mut outgoing.filled_mut()[start..], error);
    }
}

impl Unbuffered for UnbufferedServerConnection {
    type Data = ServerConnectionData;
    const HOLDS: bool = true;

    fn process<'c, 'i>(&'c mut self, records: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(records)
    }

    fn common(&self) -> &CommonState {
        self
    }
}

impl Unbuffered for UnbufferedClientConnection {
    type Data = ClientConnectionData;
    const HOLDS: bool = false;

    fn process<'c, 'i>(&'c mut self, records: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(records)
    }

    fn common(&self) -> &CommonState {
        self
    }
}

fn encode_into<Data>(mut encode: EncodeTlsData<'_, Data>, outgoing: &mut Buffer) -> Result<(), Error> {
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

/// The most bytes an unfinished handshake message may take, record headers included: rustls limits the message alone, and a
/// message in records of a byte is twenty times as long.
const MOST_UNREAD: usize = 256 * 1024;

/// RFC 8446 §5.1.
const MAX_FRAGMENT: usize = 1 << 14;

/// More than any suite adds to a record: header, explicit nonce, inner type, tag.
const RECORD_OVERHEAD: usize = 5 + 8 + 1 + 16;

const TYPICAL_FLIGHT: usize = 4096;
