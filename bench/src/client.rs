//! The TLS client: as cheap as it can be, since it shares the machine with what it measures.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionStore, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, NamedGroup, SignatureScheme, version,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::upstream;

/// TLS version the client offers; it offers no other.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

/// A client's configuration. It offers one suite (AES-128-GCM) and prefers one group (X25519), so that every product
/// does equal work. (P-256 must be among the groups for a P-256 certificate to be used in TLS 1.2: RFC 8422 §5.1.)
pub(crate) fn config(version: Version, tickets: Arc<dyn ClientSessionStore>) -> Arc<ClientConfig> {
    let (versions, suite) = match version {
        Version::Tls12 => (&[&version::TLS12], cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        Version::Tls13 => (&[&version::TLS13], cipher_suite::TLS13_AES_128_GCM_SHA256),
    };
    let provider = CryptoProvider {
        cipher_suites: vec![suite],
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1],
        ..aws_lc_rs::default_provider()
    };
    let mut config = ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(versions)
        .expect("the suite is of this version")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unchecked))
        .with_no_client_auth();
    config.resumption = Resumption::store(tickets);
    Arc::new(config)
}

/// One TLS connection through a terminator to the upstream.
pub(crate) struct Connection {
    tcp: TcpStream,
    tls: ClientConnection,
}

impl Connection {
    /// Connects over TCP. The handshake happens with the first [`Connection::fetch`], or by itself.
    pub(crate) async fn open(to: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let tcp = TcpStream::connect(to).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(SERVER_NAME).expect("a DNS name");
        let tls = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        Ok(Self { tcp, tls })
    }

    /// Does the handshake and nothing else.
    pub(crate) async fn handshake(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        self.flush(scratch).await?;
        while self.tls.is_handshaking() {
            self.receive(scratch).await?;
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
        self.tls.writer().write_all(&upstream::request(length))?;
        self.flush(scratch).await?;
        let mut missing = length;
        while missing > 0 {
            let count = self.receive(scratch).await?;
            received(count);
            missing = missing.checked_sub(count as u64).ok_or(ErrorKind::InvalidData)?;
        }
        Ok(())
    }

    /// How the handshake went; none before the first answer.
    pub(crate) fn handshake_kind(&self) -> Option<HandshakeKind> {
        self.tls.handshake_kind()
    }

    /// The group of the key exchange; none where there was no key exchange.
    pub(crate) fn group(&self) -> Option<NamedGroup> {
        self.tls.negotiated_key_exchange_group().map(|group| group.name())
    }

    /// Sends close_notify and the end of the stream, and waits for the server's. What the server does then is its own
    /// matter: the work that is measured is done.
    pub(crate) async fn close(mut self, scratch: &mut Scratch) {
        self.tls.send_close_notify();
        if self.flush(scratch).await.is_ok() && self.tcp.shutdown().await.is_ok() {
            // Tickets may come as late as that.
            while self.receive(scratch).await.is_ok() {}
        }
    }

    /// Reads once from TCP and decrypts all that came; returns the bytes of the application.
    async fn receive(&mut self, scratch: &mut Scratch) -> io::Result<usize> {
        let count = self.tcp.read(&mut scratch.wire).await?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut wire = &scratch.wire[..count];
        let mut received = 0;
        while !wire.is_empty() {
            // Takes a few KiB at a time, from memory: the system is asked only once.
            self.tls.read_tls(&mut wire)?;
            let mut waiting = self.tls.process_new_packets().map_err(io::Error::other)?.plaintext_bytes_to_read();
            received += waiting;
            while waiting > 0 {
                waiting -= self.tls.reader().read(&mut scratch.plain)?;
            }
        }
        self.flush(scratch).await?;
        Ok(received)
    }

    async fn flush(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        scratch.out.clear();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut scratch.out)?;
        }
        if scratch.out.is_empty() {
            return Ok(());
        }
        self.tcp.write_all(&scratch.out).await
    }
}

/// Buffers that connections used one after the other can share.
pub(crate) struct Scratch {
    wire: Vec<u8>,
    plain: Vec<u8>,
    out: Vec<u8>,
}

impl Scratch {
    /// For small exchanges.
    pub(crate) fn small() -> Self {
        Self::of(8 * 1024)
    }

    /// For bulk.
    pub(crate) fn large() -> Self {
        Self::of(256 * 1024)
    }

    fn of(wire: usize) -> Self {
        Self { wire: vec![0; wire], plain: vec![0; 32 * 1024], out: Vec::new() }
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
