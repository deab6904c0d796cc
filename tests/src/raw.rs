//! A TLS client of our own, for what no ordinary client can be made to do.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, NamedGroup, RootCertStore, version};
use socket2::{Domain, SockRef, Socket, Type};

use crate::client::{Ending, Version};
use crate::deadline;
use crate::pki::Identity;

/// A client with sessions it keeps as it is told to. Clones share them.
#[derive(Clone, Debug)]
pub struct Raw {
    config: Arc<ClientConfig>,
    sessions: Arc<Sessions>,
}

/// A connection whose handshake is over, except perhaps for what a test sends by hand.
#[derive(Debug)]
pub struct Connection {
    /// The TLS side; it does no I/O.
    pub tls: ClientConnection,
    /// The TCP side.
    pub socket: TcpStream,
}

/// The sessions of a client.
#[derive(Debug, Default)]
pub struct Sessions {
    tls12: Mutex<Option<Tls12ClientSessionValue>>,
    tls13: Mutex<Vec<Tls13ClientSessionValue>>,
    frozen: Mutex<bool>,
}

impl Raw {
    /// A client that trusts `ca`, shows `identity` when asked, and speaks this version only.
    pub fn new(ca: &Path, version: Version, identity: Option<&Identity>) -> Self {
        Self::configured(ca, version, identity, |_| {})
    }

    /// The same, with the rustls configuration changed by `change`.
    pub fn configured(
        ca: &Path,
        version: Version,
        identity: Option<&Identity>,
        change: impl FnOnce(&mut ClientConfig),
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let versions = match version {
            Version::Tls12 => &[&version::TLS12],
            Version::Tls13 => &[&version::TLS13],
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = identity.read();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let sessions = Arc::new(Sessions::default());
        config.resumption = Resumption::store(sessions.clone());
        change(&mut config);
        Self { config: Arc::new(config), sessions }
    }

    /// Connects, and completes the handshake.
    pub fn connect(&self, address: SocketAddr, name: &str) -> Connection {
        self.try_connect(address, name).unwrap()
    }

    /// Connects, and completes the handshake if the server lets it.
    pub fn try_connect(&self, address: SocketAddr, name: &str) -> io::Result<Connection> {
        self.handshake(TcpStream::connect(address)?, name)
    }

    /// Connects with a receive buffer of this size.
    pub fn connect_with_receive_buffer(&self, address: SocketAddr, name: &str, size: usize) -> Connection {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        // Before connecting: the window is agreed upon then.
        socket.set_recv_buffer_size(size).unwrap();
        socket.connect(&address.into()).unwrap();
        self.handshake(socket.into(), name).unwrap()
    }

    /// Makes a full handshake or a resumed one, exchanges one request and its answer, and closes clean.
    ///
    /// Sessions that come with the answer are kept, unless [`keep_session`](Self::keep_session) said otherwise.
    pub fn visit(&self, address: SocketAddr, name: &str) -> Visited {
        let mut connection = self.connect(address, name);
        connection.write(REQUEST);
        let (answer, ending) = connection.read_to_end();
        connection.close();
        Visited { resumed: connection.resumed(), answer: String::from_utf8_lossy(&answer).into_owned(), ending }
    }

    /// From now on keeps the sessions it has, and takes no others: that of TLS 1.2 is offered to everyone, again and again;
    /// of TLS 1.3's tickets each is offered once. (rustls lets nobody use one twice; `openssl s_client` does.)
    pub fn keep_session(&self) {
        *self.sessions.frozen.lock().unwrap() = true;
    }

    /// How many TLS 1.3 tickets it holds.
    pub fn tickets(&self) -> usize {
        self.sessions.tls13.lock().unwrap().len()
    }

    /// Sends ClientHello and answers the server, up to but without sending the last flight.
    pub fn up_to_last_flight(&self, address: SocketAddr, name: &str) -> Connection {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(deadline::PATIENCE)).unwrap();
        let mut connection = Connection { tls: self.client(name), socket };
        connection.send();
        // The last flight is ours in TLS 1.3 and in a resumed TLS 1.2 handshake: then there is something to send as
        // soon as the server's flight is complete.
        while !connection.tls.wants_write() {
            connection.receive().unwrap();
        }
        connection
    }

    /// Completes the handshake on a TCP connection that is already there.
    pub fn handshake(&self, socket: TcpStream, name: &str) -> io::Result<Connection> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(deadline::PATIENCE))?;
        socket.set_write_timeout(Some(deadline::PATIENCE))?;
        let mut connection = Connection { tls: self.client(name), socket };
        while connection.tls.is_handshaking() {
            connection.tls.complete_io(&mut connection.socket)?;
        }
        while connection.tls.wants_write() {
            connection.tls.write_tls(&mut connection.socket)?;
        }
        Ok(connection)
    }

    fn client(&self, name: &str) -> ClientConnection {
        ClientConnection::new(self.config.clone(), ServerName::try_from(name.to_owned()).unwrap()).unwrap()
    }
}

/// What became of [`Raw::visit`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visited {
    /// Whether the handshake was abbreviated.
    pub resumed: bool,
    /// What the server sent.
    pub answer: String,
    /// How it ended its side.
    pub ending: Ending,
}

impl Connection {
    /// Whether the handshake was abbreviated.
    pub fn resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Writes application data, all of it.
    pub fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).unwrap();
    }

    /// Writes application data, as far as the peer takes it.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // The chunk keeps the library's send buffer, which is bounded, from filling up.
        for chunk in bytes.chunks(16 * 1024) {
            self.tls.writer().write_all(chunk)?;
            while self.tls.wants_write() {
                self.tls.write_tls(&mut self.socket)?;
            }
        }
        Ok(())
    }

    /// Reads exactly `count` bytes of application data.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut found = Vec::new();
        while found.len() < count {
            let mut buffer = vec![0; count - found.len()];
            match self.tls.reader().read(&mut buffer) {
                Ok(0) => panic!("closed after {} of {count} bytes", found.len()),
                Ok(read) => found.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    assert_ne!(self.receive().unwrap(), 0, "closed after {} of {count} bytes", found.len());
                }
                Err(error) => panic!("{error}"),
            }
        }
        found
    }

    /// Reads until the server ends its side, and says how it did.
    pub fn read_to_end(&mut self) -> (Vec<u8>, Ending) {
        let mut found = Vec::new();
        loop {
            let mut buffer = vec![0; 64 * 1024];
            match self.tls.reader().read(&mut buffer) {
                Ok(0) => return (found, Ending::Clean),
                Ok(read) => found.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.receive() {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => return (found, Ending::Alert),
                    Err(_) => return (found, Ending::Reset),
                },
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return (found, Ending::Truncated),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Sends close_notify and keeps reading possible.
    pub fn close_notify(&mut self) {
        self.tls.send_close_notify();
        self.send();
    }

    /// Sends close_notify and FIN; reading stays possible.
    pub fn half_close(&mut self) {
        self.close_notify();
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends FIN without close_notify; reading stays possible.
    pub fn truncate(&mut self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends close_notify, if the peer is still there; TCP closes when this is dropped.
    pub fn close(&mut self) {
        self.tls.send_close_notify();
        let _ = self.tls.write_tls(&mut self.socket);
    }

    /// Ends TCP with a reset.
    pub fn reset(self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Sends what the TLS side has to send, in one write.
    pub fn send(&mut self) {
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).unwrap();
        }
        self.socket.write_all(&bytes).unwrap();
    }

    /// Reads once from TCP and lets the TLS side work on it; gives how much came, 0 at the end. A fatal alert is an error
    /// of the kind `InvalidData`.
    pub fn receive(&mut self) -> io::Result<usize> {
        let count = self.tls.read_tls(&mut self.socket)?;
        match self.tls.process_new_packets() {
            Ok(_) => Ok(count),
            Err(error @ rustls::Error::AlertReceived(_)) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) => panic!("what the server sent is not TLS: {error}"),
        }
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    // The server's name is not asked for: offering a session to somebody else is what some tests are about.

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        if !self.is_frozen() {
            *self.tls12.lock().unwrap() = Some(value);
        }
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.tls12.lock().unwrap().clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        if !self.is_frozen() {
            *self.tls12.lock().unwrap() = None;
        }
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        if !self.is_frozen() {
            self.tls13.lock().unwrap().push(value);
        }
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.tls13.lock().unwrap().pop()
    }
}

impl Sessions {
    fn is_frozen(&self) -> bool {
        *self.frozen.lock().unwrap()
    }
}

/// The request of [`Raw::visit`]: what [`Upstream::http`](crate::upstream::Upstream::http) answers.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
