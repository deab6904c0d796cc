//! The server's part of a handshake, from a client's first byte on.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use crate::buffer::Scratch;
use crate::channel::{Channel, poll_read};
use crate::endpoint::Endpoint;
use crate::hello::{self, ClientHello};
use crate::session::Session;
use crate::stream::{Closed, HandshakeError, Opened, ServerStream};

/// A client's connection whose handshake is over.
pub type Accepted = Opened<Session>;

impl ServerStream {
    /// Takes the server's part of a handshake on `tcp`, of which `received` was read already.
    ///
    /// There is no limit of time in here: who calls it sets one.
    ///
    /// # Errors
    /// See [`HandshakeError`].
    pub async fn accept(
        tcp: TcpStream,
        endpoint: &Arc<Endpoint>,
        received: Vec<u8>,
    ) -> Result<Accepted, HandshakeError<Session>> {
        let mut opening = Opening { tcp, received };
        let hello = poll_fn(|cx| opening.poll_hello(cx)).await.map_err(HandshakeError::Left)?;
        let session = endpoint.connection(hello.as_deref()).map_err(HandshakeError::Ours)?;
        drop(hello);
        let Opening { tcp, received } = opening;
        Self::open(Box::new(Channel::new(tcp, session)), &received).await
    }
}

/// A connection of which there is no more yet than a socket and its first bytes.
struct Opening {
    tcp: TcpStream,
    received: Vec<u8>,
}

impl Opening {
    /// Reads until there is a whole ClientHello; `None` for what will never be one that is served.
    fn poll_hello(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Box<ClientHello>>, Closed>> {
        loop {
            if self.received.len() > MOST_RECEIVED {
                return Poll::Ready(Ok(None));
            }
            match hello::read(&self.received) {
                hello::Read::Hello(hello) => return Poll::Ready(Ok(Some(hello))),
                hello::Read::Malformed => return Poll::Ready(Ok(None)),
                hello::Read::TooLong => {
                    self.received = TOO_LONG.to_vec();
                    return Poll::Ready(Ok(None));
                }
                hello::Read::TooOld => {
                    self.received = TOO_OLD.concat();
                    return Poll::Ready(Ok(None));
                }
                hello::Read::Incomplete => {}
            }
            let length = ready!(Scratch::lend(|scratch| {
                scratch.incoming.clear();
                let read = poll_read(&mut self.tcp, cx, &mut scratch.incoming);
                self.received.extend_from_slice(scratch.incoming.filled());
                read
            }))
            .map_err(|_| Closed::Reset)?;
            if length == 0 {
                return Poll::Ready(Err(Closed::Truncated));
            }
        }
    }
}

/// The most bytes a ClientHello may come in: twice its greatest length, for those who love small records.
const MOST_RECEIVED: usize = 2 * hello::MAX_HELLO;

// What rustls is shown in place of what it would take, or refuse for another reason: the fault alone, for it to find the
// words and the alert.

/// A record longer than it takes where there might be encryption.
const TOO_LONG: [u8; 5] = [22, 3, 1, 0xff, 0xff];

/// A ClientHello of TLS 1.1 that lacks nothing else: suite, compression and signature algorithms are there.
const TOO_OLD: [&[u8]; 3] = [
    &[22, 3, 1, 0, 55, 1, 0, 0, 51, 3, 2], // record, message, version
    &[0; 32],                              // random
    &[0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 8, 0, 13, 0, 4, 0, 2, 0x04, 0x03], // session ID, suites, compression, extensions
];
