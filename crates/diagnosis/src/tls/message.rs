//! Handshake messages (RFC 8446 §4), joined from the records of one side.

use thin_vec::ThinVec;

/// The type of a handshake message, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MessageType(pub(super) u8);

impl MessageType {
    pub(super) const CLIENT_HELLO: Self = Self(1);
    pub(super) const SERVER_HELLO: Self = Self(2);
    pub(super) const NEW_SESSION_TICKET: Self = Self(4);
    pub(super) const ENCRYPTED_EXTENSIONS: Self = Self(8);
    pub(super) const CERTIFICATE: Self = Self(11);
    pub(super) const SERVER_KEY_EXCHANGE: Self = Self(12);
    pub(super) const CERTIFICATE_REQUEST: Self = Self(13);
    pub(super) const SERVER_HELLO_DONE: Self = Self(14);
    pub(super) const CLIENT_KEY_EXCHANGE: Self = Self(16);
    pub(super) const CERTIFICATE_VERIFY: Self = Self(15);
    pub(super) const FINISHED: Self = Self(20);
    pub(super) const KEY_UPDATE: Self = Self(24);
    pub(super) const CERTIFICATE_STATUS: Self = Self(22);

    /// Whether it is sent in clear in TLS 1.2 and before.
    fn is_of_a_handshake(self) -> bool {
        matches!(
            self,
            Self::CLIENT_HELLO
                | Self::SERVER_HELLO
                | Self::NEW_SESSION_TICKET
                | Self::CERTIFICATE
                | Self::SERVER_KEY_EXCHANGE
                | Self::CERTIFICATE_REQUEST
                | Self::SERVER_HELLO_DONE
                | Self::CERTIFICATE_VERIFY
                | Self::CLIENT_KEY_EXCHANGE
                | Self::CERTIFICATE_STATUS
        )
    }

    /// Whether what it says is of interest; of others their coming is.
    fn is_read(self) -> bool {
        matches!(self, Self::CLIENT_HELLO | Self::SERVER_HELLO | Self::NEW_SESSION_TICKET | Self::ENCRYPTED_EXTENSIONS)
    }
}

/// Whether the body of a record is whole messages in clear, one after the other.
pub(super) fn fill(mut body: &[u8]) -> bool {
    while let Some(([kind, a, b, c], rest)) = body.split_first_chunk() {
        let length = u32::from_be_bytes([0, *a, *b, *c]);
        match rest.get(length as usize..) {
            Some(rest) if MessageType(*kind).is_of_a_handshake() => body = rest,
            _ => return false,
        }
    }
    body.is_empty()
}

/// A handshake message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: MessageType,
    /// How long its body is, in bytes.
    pub(super) length: u32,
    /// The body of a message that is read, unless part of it is missing or it is too long.
    pub(super) body: Option<&'a [u8]>,
}

/// Joins messages, however they are cut.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The beginning of a header: type 1 | length 3.
    header: [u8; 4],
    have: u8,
    /// How much of the message's body is still to come; meaningless without a whole header.
    left: u32,
    /// The message's body up to now, if it is read.
    body: ThinVec<u8>,
    /// Whether part of the body is missing.
    damaged: bool,
}

impl Messages {
    /// Takes the bytes of a record, and gives each message that ends with them to `found`.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut found: impl FnMut(Message<'_>)) {
        while let Some(rest) = self.step(bytes, &mut found) {
            bytes = rest;
        }
    }

    /// Passes over `length` bytes that are not there. False if a message's header may have been among them, so that it is not
    /// known how to go on.
    pub(super) fn skip(&mut self, length: u32, mut found: impl FnMut(Message<'_>)) -> bool {
        if self.have < 4 || length > self.left {
            return length == 0;
        }
        self.damaged = true;
        self.left -= length;
        if self.left == 0 {
            self.end(None, &mut found);
        }
        true
    }

    /// The type of the message of which a part was seen.
    pub(super) fn begun(&self) -> Option<MessageType> {
        (self.have == 4).then(|| MessageType(self.header[0]))
    }

    pub(super) fn memory(&self) -> usize {
        self.body.capacity()
    }

    fn step<'a>(&mut self, bytes: &'a [u8], found: &mut impl FnMut(Message<'_>)) -> Option<&'a [u8]> {
        if self.have < 4 {
            let (byte, rest) = bytes.split_first()?;
            self.header[usize::from(self.have)] = *byte;
            self.have += 1;
            let [_, a, b, c] = self.header;
            self.left = u32::from_be_bytes([0, a, b, c]);
            if self.have == 4 && self.left == 0 {
                self.end(Some(&[]), found);
            }
            return Some(rest);
        }
        if bytes.is_empty() {
            return None;
        }
        let (part, rest) = bytes.split_at(bytes.len().min(self.left as usize));
        self.left -= u32::try_from(part.len()).expect("no longer than the message");
        match (self.left, self.body.is_empty()) {
            (0, true) => self.end(Some(part), found),
            (0, false) => {
                self.keep(part);
                let body = std::mem::take(&mut self.body);
                self.end(Some(&body), found);
            }
            _ => self.keep(part),
        }
        Some(rest)
    }

    fn keep(&mut self, part: &[u8]) {
        let wanted = MessageType(self.header[0]).is_read() && !self.damaged;
        if wanted && self.body.len() + part.len() <= MAX_BODY {
            self.body.extend_from_slice(part);
        } else {
            self.damaged = true;
            self.body = ThinVec::new();
        }
    }

    fn end(&mut self, body: Option<&[u8]>, found: &mut impl FnMut(Message<'_>)) {
        let [kind, a, b, c] = self.header;
        let kind = MessageType(kind);
        let body = body.filter(|_| kind.is_read() && !self.damaged);
        found(Message { kind, length: u32::from_be_bytes([0, a, b, c]), body });
        *self = Self::default();
    }
}

// The longest ClientHello and ticket: extensions and tickets have at most 2^16-1 bytes (RFC 8446 §4.1.2, §4.6.1).
const MAX_BODY: usize = (1 << 16) + 1024;
