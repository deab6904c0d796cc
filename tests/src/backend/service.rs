//! TLS services of our own, for what no server of other people can be made to do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, SupportedProtocolVersion, version};

use crate::client::Ending;
use crate::pki::Identity;
use crate::upstream::{End, Served, Upstream};

/// A configuration with this certificate, for TLS 1.2 and TLS 1.3; clients are not asked for theirs.
pub fn config(identity: &Identity) -> ServerConfig {
    config_for(identity, &[&version::TLS12, &version::TLS13])
}

/// The same, for these versions.
pub fn config_for(identity: &Identity, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    let (chain, key) = identity.read();
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
}

/// Runs `service` for each connection, from its ClientHello on. When it is done the connection ends by FIN, and is read
/// to its end. What is recorded is what came in on the wire.
pub fn start(config: ServerConfig, service: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Upstream {
    let config = Arc::new(config);
    Upstream::serving(move |served| {
        // An answer does not wait for tickets to be acknowledged.
        let _ = served.socket().set_nodelay(true);
        let tls = ServerConnection::new(config.clone()).unwrap();
        let mut conversation = Conversation { served, tls, plain: Vec::new(), is_closed: false };
        service(&mut conversation);
        conversation.served.finish();
        while conversation.served.read().is_some() {}
    })
}

/// A connection as the server has it.
pub struct Conversation {
    /// TCP.
    pub(super) served: Served,
    tls: ServerConnection,
    /// What the client said and nobody has asked for yet.
    plain: Vec<u8>,
    is_closed: bool,
}

/// The client is gone, or what it sent is not TLS.
#[derive(Copy, Clone, Debug)]
pub struct Gone;

impl Conversation {
    /// Completes the handshake.
    pub fn handshake(&mut self) -> Result<(), Gone> {
        while self.tls.is_handshaking() {
            let received = self.receive();
            // An alert too.
            self.flush()?;
            received?;
        }
        Ok(())
    }

    /// Whether the handshake was abbreviated.
    pub fn resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The certificate that the client has shown, DER.
    pub fn shown(&self) -> Option<Vec<u8>> {
        self.tls.peer_certificates().map(|chain| chain[0].to_vec())
    }

    /// The protocol agreed upon by ALPN.
    pub fn protocol(&self) -> Option<Vec<u8>> {
        self.tls.alpn_protocol().map(<[u8]>::to_vec)
    }

    /// What the client says next; at its end, how that came.
    pub fn read(&mut self) -> Result<Vec<u8>, Ending> {
        while self.plain.is_empty() {
            if self.is_closed {
                return Err(Ending::Clean);
            }
            if self.receive().is_err() {
                return Err(match self.served.received().end {
                    Some(End::Finished) => Ending::Truncated,
                    Some(End::Broken) => Ending::Reset,
                    None => Ending::Alert,
                });
            }
            let _ = self.flush();
        }
        Ok(std::mem::take(&mut self.plain))
    }

    /// Reads to the end; gives how many bytes came, and how it ended.
    pub fn read_to_end(&mut self) -> (u64, Ending) {
        let mut count = 0;
        loop {
            match self.read() {
                Ok(bytes) => count += bytes.len() as u64,
                Err(ending) => return (count, ending),
            }
        }
    }

    /// Reads up to and with an empty line.
    pub fn read_head(&mut self) -> Result<(), Gone> {
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            head.extend(self.read().map_err(|_| Gone)?);
        }
        Ok(())
    }

    /// Writes application data, all of it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        // The chunk keeps the library's send buffer, which is bounded, from filling up.
        for chunk in bytes.chunks(16 * 1024) {
            self.tls.writer().write_all(chunk).map_err(|_| Gone)?;
            self.flush()?;
        }
        Ok(())
    }

    /// Sends close_notify; reading stays possible.
    pub fn close_notify(&mut self) -> Result<(), Gone> {
        self.tls.send_close_notify();
        self.flush()
    }

    /// Does nothing but read until the client ends TCP.
    pub fn deaf(&mut self) {
        while self.served.read().is_some() {}
    }

    /// Ends its side of TCP; reading stays possible.
    pub fn finish(&mut self) {
        self.served.finish();
    }

    /// The TCP side.
    pub fn socket(&self) -> &TcpStream {
        self.served.socket()
    }

    /// Reads ClientHello; gives the answer to it, unsent.
    pub(super) fn flight(&mut self) -> Result<Vec<u8>, Gone> {
        let mut flight = Vec::new();
        while flight.is_empty() {
            self.receive()?;
            flight = self.pending();
        }
        Ok(flight)
    }

    /// Sends bytes as they are.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        if self.served.write(bytes) { Ok(()) } else { Err(Gone) }
    }

    fn flush(&mut self) -> Result<(), Gone> {
        let pending = self.pending();
        self.send(&pending)
    }

    /// What TLS has to send.
    fn pending(&mut self) -> Vec<u8> {
        let mut pending = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut pending).unwrap();
        }
        pending
    }

    fn receive(&mut self) -> Result<(), Gone> {
        let bytes = self.served.read().ok_or(Gone)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest).map_err(|_| Gone)?;
            self.is_closed |= self.tls.process_new_packets().map_err(|_| Gone)?.peer_has_closed();
            // It takes no more before it has given this; there may be none.
            let _ = self.tls.reader().read_to_end(&mut self.plain);
        }
        Ok(())
    }
}
