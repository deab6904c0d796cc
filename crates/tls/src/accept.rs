//! The server's part of a handshake, from a client's first byte on.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use crate::buffer::Scratch;
use crate::channel::poll_read;
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
        Self::open(tcp, session, &received).await
    }
}

/// A connection of which there is no more yet than a socket and its first bytes.
struct Opening {
    tcp: TcpStream,
    received: Vec<u8>,
}

impl Opening {
    /// Reads until there is a whole ClientHello; `None` for what will never be one.
    fn poll_hello(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Box<ClientHello>>, Closed>> {
        loop {
            if self.received.len() > MOST_RECEIVED {
                return Poll::Ready(Ok(None));
            }
            match hello::read(&self.received) {
                hello::Read::Hello(hello) => return Poll::Ready(Ok(Some(hello))),
                hello::Read::Malformed => return Poll::Ready(Ok(None)),
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
