//! A server that makes the mistakes the edge must not make, so that a test can show that it would see them.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::crypto::aws_lc_rs;
use rustls::{ServerConfig, ServerConnection, version};

use crate::deadline;
use crate::pki::Identity;

/// A TLS 1.3 server that sends its tickets as soon as it can, and leaves acknowledgements to the kernel.
///
/// It answers each byte by itself when told to, and otherwise only reads.
pub struct Naive {
    address: SocketAddr,
    ends: Mutex<Receiver<usize>>,
}

impl Naive {
    /// A server with this certificate that sends so many tickets; `answers` makes it send back what it gets.
    pub fn start(identity: &Identity, tickets: usize, answers: bool) -> Self {
        let (chain, key) = identity.read();
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.send_tls13_tickets = tickets;
        let (config, (ended, ends)) = (Arc::new(config), channel());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // It serves until the test process ends.
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (config, ended) = (config.clone(), ended.clone());
                thread::spawn(move || serve(socket, &config, answers, &ended));
            }
        });
        Self { address, ends: Mutex::new(ends) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the end of a connection; gives how many bytes of application data came.
    pub fn ended(&self) -> usize {
        self.ends.lock().unwrap().recv_timeout(deadline::PATIENCE).unwrap()
    }
}

fn serve(mut socket: TcpStream, config: &Arc<ServerConfig>, answers: bool, ended: &Sender<usize>) {
    let mut tls = ServerConnection::new(config.clone()).unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let mut received = 0;
    loop {
        match tls.reader().read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                received += count;
                if answers {
                    tls.writer().write_all(&buffer[..count]).unwrap();
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        if tls.complete_io(&mut socket).is_err() {
            break;
        }
    }
    let _ = ended.send(received);
}
