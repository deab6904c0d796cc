//! A client's connection on a socket, and a server that does as it likes at the other end of it.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use raincheck_tls::{ClientStream, Connector, ConnectorSettings, HandshakeError};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than the buffers between two sockets hold, many times.
const FLOOD: usize = 256 << 20;

/// A connector that trusts nobody whom it will meet.
fn connector() -> Connector {
    let name = "a.example";
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let settings = ConnectorSettings { verifier, identity: None, alpn: vec![], tls12: true };
    Connector::new(&settings, ServerName::try_from(name).unwrap(), 4).unwrap()
}

#[tokio::test]
async fn a_refused_server_that_goes_on_and_on_is_left_by_a_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = spawn_blocking(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let garbage = [b'!'; 64 * 1024];
        (0..FLOOD / garbage.len()).find_map(|_| socket.write_all(&garbage).err())
    });
    let tcp = TcpStream::connect(address).await.unwrap();
    let connected = ClientStream::connect(tcp, &connector(), true).await;
    let Err(HandshakeError::Tls(_, refused)) = connected else { panic!("{connected:?}") };
    refused.finish(PATIENCE).await;
    let error = server.await.unwrap().expect("not all of it was read");
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
}
