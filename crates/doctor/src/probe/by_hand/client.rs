//! The client's side of TLS 1.3: bytes in, bytes out (RFC 8446 §2).

mod handshake;

use aws_lc_rs::rand;
use raincheck_diagnosis::Moment;
use raincheck_diagnosis::evidence::{Description, Failure};
use raincheck_diagnosis::tls::KeyLog;
use rustls::pki_types::ServerName;

use super::cipher::{Cipher, content, header};
use super::share::{Public, Shares};
use super::suite::{Secret, Suite};
use super::{Ask, Ticket};
use crate::probe::quote::quote;

/// A connection.
pub(super) struct Client {
    phase: Phase,
    /// All messages of the handshake up to now.
    transcript: Vec<u8>,
    /// Bytes that are no whole record yet.
    incoming: Vec<u8>,
    /// Bytes that are no whole message yet.
    messages: Vec<u8>,
    outgoing: Vec<u8>,
    receiving: Option<Cipher>,
    sending: Option<Cipher>,
    seen: Seen,
    random: [u8; 32],
    log: KeyLog,
}

/// What the server has said up to now.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether it took the ticket; `None` until it has said hello.
    pub(super) resumed: Option<bool>,
    /// How many tickets it means to send, if it says so.
    pub(super) expected_tickets: Option<u8>,
    /// The tickets it sent.
    pub(super) tickets: Vec<Ticket>,
    /// The beginning of its application data.
    pub(super) answer: Vec<u8>,
    /// Whether it sent close_notify.
    pub(super) closed: bool,
}

/// How far the connection is, with what may be used there.
enum Phase {
    /// A ServerHello is waited for.
    Hello(Box<Greeting>),
    /// The rest of the server's flight is waited for.
    Handshake(Handshake),
    /// Both sides have finished.
    Open { suite: &'static Suite, resumption: Secret },
    /// Something went wrong.
    Over,
}

/// What a ClientHello is made of, the first and after a HelloRetryRequest the second.
struct Greeting {
    server_name: ServerName<'static>,
    shares: Shares,
    public: Public,
    ask: Option<Ask>,
    ticket: Option<Ticket>,
    /// What a HelloRetryRequest wants to have back, and the suite that it names.
    retry: Option<(Vec<u8>, u16)>,
}

struct Handshake {
    suite: &'static Suite,
    secret: Secret,
    client: Secret,
    server: Secret,
    /// The context of the server's CertificateRequest.
    requested: Option<Vec<u8>>,
}

impl Client {
    /// A connection to `server_name` that begins with a ClientHello. `ticket` is offered, however often it was before.
    /// `log` gets the secrets.
    pub(super) fn start(
        server_name: &ServerName<'static>,
        ask: Option<Ask>,
        ticket: Option<Ticket>,
        now: Moment,
        log: KeyLog,
    ) -> Result<Self, Failure> {
        let no_randomness = |_| Failure::Protocol("this machine has no randomness to give".to_owned());
        let (shares, public) = Shares::generate().map_err(no_randomness)?;
        let mut random = [0; 32];
        rand::fill(&mut random).map_err(no_randomness)?;
        let server_name = server_name.clone();
        let greeting = Box::new(Greeting { server_name, shares, public, ask, ticket, retry: None });
        let mut client = Self {
            phase: Phase::Over,
            transcript: Vec::new(),
            incoming: Vec::new(),
            messages: Vec::new(),
            outgoing: Vec::new(),
            receiving: None,
            sending: None,
            seen: Seen::default(),
            random,
            log,
        };
        client.greet(&greeting, now);
        client.phase = Phase::Hello(greeting);
        Ok(client)
    }

    /// Takes what the server sent.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Moment) -> Result<(), Failure> {
        self.incoming.extend_from_slice(bytes);
        let mut incoming = std::mem::take(&mut self.incoming);
        let mut rest = &incoming[..];
        let taken = loop {
            match self.record(&mut rest, now) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        let used = incoming.len() - rest.len();
        incoming.drain(..used);
        self.incoming = incoming;
        taken.inspect_err(|_| self.phase = Phase::Over)
    }

    /// Says `plain` to the server's application, once the handshake is over.
    pub(super) fn say(&mut self, plain: &[u8]) {
        self.send(content::APPLICATION_DATA, plain);
    }

    /// Says that nothing follows.
    pub(super) fn close(&mut self) {
        self.send(content::ALERT, &[1, Description::CLOSE_NOTIFY.0]);
    }

    /// The bytes that are to be sent now.
    pub(super) fn take_outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }

    /// Whether the handshake is over.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    pub(super) fn into_seen(self) -> Seen {
        self.seen
    }

    /// Takes the next record off the front of `bytes`, if it is there as a whole.
    fn record(&mut self, bytes: &mut &[u8], now: Moment) -> Result<bool, Failure> {
        let Some((header, rest)) = bytes.split_first_chunk() else { return Ok(false) };
        let [kind @ content::CHANGE_CIPHER_SPEC..=content::APPLICATION_DATA, 3, _, high, low] = *header else {
            return Err(self.no_record(bytes));
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > LONGEST_RECORD {
            return Err(self.no_record(bytes));
        }
        let Some((body, rest)) = rest.split_at_checked(length) else { return Ok(false) };
        *bytes = rest;
        let (kind, body) = match &mut self.receiving {
            Some(cipher) if kind == content::APPLICATION_DATA => cipher
                .open(*header, body.to_vec())
                .ok_or_else(|| broken("it sent a record that does not open with the keys that were agreed on"))?,
            _ if kind == content::APPLICATION_DATA => return Err(broken("it sent data before its ServerHello")),
            Some(_) if kind == content::HANDSHAKE => return Err(broken("it sent a message in clear behind its hello")),
            _ => (kind, body.to_vec()),
        };
        match kind {
            content::HANDSHAKE => self.messages(&body, now)?,
            content::ALERT => self.alert(&body)?,
            content::APPLICATION_DATA if self.is_open() => {
                let room = MOST_ANSWER.saturating_sub(self.seen.answer.len());
                self.seen.answer.extend(body.iter().take(room));
            }
            content::APPLICATION_DATA => return Err(broken("it sent data in the middle of the handshake")),
            _ => {} // ChangeCipherSpec says nothing (RFC 8446 §5)
        }
        Ok(true)
    }

    fn no_record(&self, bytes: &[u8]) -> Failure {
        match self.phase {
            Phase::Hello(_) => Failure::NotTls(quote(bytes)),
            _ => broken("it sent what is no record"),
        }
    }

    fn alert(&mut self, body: &[u8]) -> Result<(), Failure> {
        match *body {
            [_, 0] => self.seen.closed = true,
            [_, description] if !Description(description).is_warning() => {
                return Err(Failure::Alert(Description(description)));
            }
            _ => {}
        }
        Ok(())
    }

    fn messages(&mut self, bytes: &[u8], now: Moment) -> Result<(), Failure> {
        self.messages.extend_from_slice(bytes);
        while let Some(length) = message_length(&self.messages) {
            if length > LONGEST_FLIGHT || self.transcript.len() > LONGEST_FLIGHT {
                return Err(broken("it sent a handshake without end"));
            }
            if self.messages.len() < length {
                break;
            }
            let whole: Vec<u8> = self.messages.drain(..length).collect();
            self.message(&whole, now)?;
        }
        Ok(())
    }

    /// Puts `plain` into as many records as it takes.
    fn send(&mut self, kind: u8, plain: &[u8]) {
        for plain in plain.chunks(LONGEST_PLAIN) {
            let record = match &mut self.sending {
                Some(cipher) => cipher.seal(kind, plain),
                None => [&header(kind, plain.len())[..], plain].concat(),
            };
            self.outgoing.extend(record);
        }
    }
}

/// How long the message is that `bytes` begin with, header included.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let [_, a, b, c] = *bytes.first_chunk()?;
    Some(4 + u32::from_be_bytes([0, a, b, c]) as usize)
}

fn broken(how: &str) -> Failure {
    Failure::Protocol(how.to_owned())
}

// RFC 8446 §5.1, §5.2.
const LONGEST_PLAIN: usize = 1 << 14;
const LONGEST_RECORD: usize = LONGEST_PLAIN + 256;
// The longest chain of certificates that OpenSSL takes by default has 100 KB.
const LONGEST_FLIGHT: usize = 128 << 10;
// As much of an answer as anybody looks at.
const MOST_ANSWER: usize = 16 << 10;
