//! Connections, from accept to the end of the TLS handshake. Whoever does not get that far is held to a few at a time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::version::{TLS12, TLS13};
use rustls::{InvalidMessage, ServerConfig};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::refused::Refusal;

/// TLS 1.2 and 1.3 with certificates of `resolver`, where clients show theirs as `verifier` says.
///
/// No session resumes: those who ask keep their connections, and so each certificate is looked at when it is shown.
pub fn tls_config(
    resolver: Arc<dyn ResolvesServerCert>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("AWS-LC has suites for both");
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// Listens on `address`. IPv4 and IPv6 are apart, as for an edge.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?; // connections in TIME_WAIT do not stop a restart
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_tcp_nodelay(true)?; // accepted connections inherit it
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The handshake, which has its time.
pub(super) async fn handshake(tcp: TcpStream, tls: &Arc<ServerConfig>) -> Result<TlsStream<TcpStream>, Refusal> {
    match timeout(HANDSHAKE, TlsAcceptor::from(Arc::clone(tls)).accept(tcp)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(of(&error)),
        Err(_) => Err(Refusal::Silent),
    }
}

fn of(error: &io::Error) -> Refusal {
    match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::NoCertificatesPresented) => Refusal::NoCertificate,
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidCertRevocationList(_)) => {
            Refusal::Certificate
        }
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        )) => Refusal::NotTls,
        Some(_) => Refusal::Tls,
        None => Refusal::Silent,
    }
}

/// From accept to the end of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;
