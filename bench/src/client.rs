//! The TLS client: as cheap as it can be, since it shares the machine with what it measures.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionStore, Resumption};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, NamedGroup, SignatureScheme};
use tokio::net::TcpStream;

use crate::upstream;
use crate::version::Version;
use crate::wire::{Scratch, Wire};

/// A client's configuration.
pub(crate) fn config(version: Version, tickets: Arc<dyn ClientSessionStore>) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(version.provider())
        .with_protocol_versions(&[version.supported()])
        .expect("the suite is of this version")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unchecked))
        .with_no_client_auth();
    config.resumption = Resumption::store(tickets);
    Arc::new(config)
}

/// One TLS connection through a terminator to the upstream.
pub(crate) struct Connection {
    wire: Wire,
}

impl Connection {
    /// Connects over TCP. The handshake happens with the first [`Connection::fetch`], or by itself.
    pub(crate) async fn open(to: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let tcp = TcpStream::connect(to).await?;
        let name = ServerName::try_from(SERVER_NAME).expect("a DNS name");
        let tls = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        Ok(Self { wire: Wire::new(tcp, tls)? })
    }

    /// Does the handshake and nothing else.
    pub(crate) async fn handshake(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        self.wire.flush(scratch).await?;
        while self.wire.tls().is_handshaking() {
            self.wire.receive(scratch, |_| {}).await?;
        }
        Ok(())
    }

    /// Asks the upstream for `length` bytes and reads them, calling `received` with how many came.
    ///
    /// A request before the handshake goes out in one write with the client's Finished.
    pub(crate) async fn fetch(
        &mut self,
        length: u64,
        scratch: &mut Scratch,
        mut received: impl FnMut(usize),
    ) -> io::Result<()> {
        self.wire.send(&upstream::request(length))?;
        self.wire.flush(scratch).await?;
        let mut missing = length;
        while missing > 0 {
            let mut count = 0;
            self.wire.receive(scratch, |plain| count += plain.len()).await?;
            received(count);
            missing = missing.checked_sub(count as u64).ok_or(ErrorKind::InvalidData)?;
        }
        Ok(())
    }

    /// How the handshake went; none before the first answer.
    pub(crate) fn handshake_kind(&self) -> Option<HandshakeKind> {
        self.wire.tls().handshake_kind()
    }

    /// The group of the key exchange; none where there was no key exchange.
    pub(crate) fn group(&self) -> Option<NamedGroup> {
        self.wire.tls().negotiated_key_exchange_group().map(|group| group.name())
    }

    /// Ends the connection, clean at this side.
    pub(crate) async fn close(self, scratch: &mut Scratch) {
        self.wire.close(scratch).await;
    }
}

/// Verifies nothing: the client is not what is measured, and two ECDSA verifications would be its dearest part.
#[derive(Debug)]
struct Unchecked;

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// The name the client asks for and the certificate is for.
pub(crate) const SERVER_NAME: &str = "localhost";
