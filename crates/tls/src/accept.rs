//! The server's part of a handshake, from a client's first byte on.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use crate::buffer::Scratch;
use crate::channel::{Channel, poll_read};
use crate::endpoint::Endpoint;
use crate::hello::{self, ClientHello};
use crate::reason::Outcome;
use crate::session::Session;
use crate::stream::{Closed, Refused, ServerStream};

/// A connection whose handshake is over.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: ServerStream,
    /// How the handshake went.
    pub outcome: Outcome,
    /// The application data that came along with the client's last flight.
    pub first: Vec<u8>,
}

/// Why a handshake did not come to its end.
#[derive(Debug)]
pub enum HandshakeError {
    /// The peer left, with a FIN or a reset.
    Left(Closed),
    /// The peer broke the protocol, asks for what is not served, or is not to be trusted.
    Tls(rustls::Error, Refused<Session>),
}

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
    ) -> Result<Accepted, HandshakeError> {
        let mut opening = Opening { tcp, received };
        let hello = poll_fn(|cx| opening.poll_hello(cx)).await.map_err(HandshakeError::Left)?;
        // A configuration that made an Endpoint makes connections too.
        let session =
            endpoint.connection(hello.as_deref()).map_err(|error| HandshakeError::Left(Closed::Fault(error)))?;
        drop(hello);
        let Opening { tcp, received } = opening;
        let mut channel = Box::new(Channel::new(tcp, session));
        match channel.handshake(&received).await {
            Ok((outcome, first)) => Ok(Accepted { stream: Self::new(channel), outcome, first }),
            Err(Closed::Fault(error)) => Err(HandshakeError::Tls(error, Refused::new(channel))),
            Err(left) => Err(HandshakeError::Left(left)),
        }
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
