//! A relay between client and edge that keeps the bytes of the wire.

pub mod record;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::deadline::until;

/// A relay on an address of its own. The first connection goes to the first target, the second to the second, and so
/// on; the last target gets all the rest.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Passed>>>,
    stop: Arc<AtomicBool>,
}

/// The bytes that passed on one connection.
#[derive(Clone, Default, Debug)]
pub struct Passed {
    /// From the client.
    pub client: Vec<u8>,
    /// From the server.
    pub server: Vec<u8>,
    /// How the client's half ended, if it has.
    pub client_end: Option<End>,
    /// How the server's half ended, if it has.
    pub server_end: Option<End>,
}

/// How TCP ended in one direction.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// A FIN.
    Finished,
    /// A reset.
    Reset,
}

impl Tap {
    /// A relay in front of these.
    pub fn to(targets: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tap = Self { address: listener.local_addr().unwrap(), connections: Arc::default(), stop: Arc::default() };
        let (targets, connections, stop) = (targets.to_vec(), tap.connections.clone(), tap.stop.clone());
        thread::spawn(move || {
            for (index, client) in listener.incoming().enumerate() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let target = targets[index.min(targets.len() - 1)];
                connections.lock().unwrap().push(Passed::default());
                if let (Ok(client), Ok(server)) = (client, TcpStream::connect(target)) {
                    relay(client, server, index, &connections);
                }
            }
        });
        tap
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What passed on the connection of this number, from 0, so far.
    pub fn passed(&self, index: usize) -> Passed {
        self.connections.lock().unwrap()[index].clone()
    }

    /// What passed on the connection of this number, from 0, once both halves are over.
    pub fn whole(&self, index: usize) -> Passed {
        until(&format!("connection {index} through the tap ends"), || {
            let connections = self.connections.lock().unwrap();
            let passed = connections.get(index)?;
            (passed.client_end.is_some() && passed.server_end.is_some()).then(|| passed.clone())
        })
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

#[derive(Copy, Clone)]
enum From {
    Client,
    Server,
}

fn relay(client: TcpStream, server: TcpStream, index: usize, connections: &Arc<Mutex<Vec<Passed>>>) {
    // The relay must not add delays of its own to what a test measures.
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (client_again, server_again) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    for (from, source, sink) in [(From::Client, client, server), (From::Server, server_again, client_again)] {
        let connections = connections.clone();
        thread::spawn(move || copy(from, source, sink, index, &connections));
    }
}

fn copy(from: From, mut source: TcpStream, mut sink: TcpStream, index: usize, connections: &Mutex<Vec<Passed>>) {
    let mut buffer = vec![0; 64 * 1024];
    let end = loop {
        match source.read(&mut buffer) {
            Ok(0) => break End::Finished,
            Err(_) => break End::Reset,
            Ok(count) => {
                {
                    let passed = &mut connections.lock().unwrap()[index];
                    match from {
                        From::Client => passed.client.extend_from_slice(&buffer[..count]),
                        From::Server => passed.server.extend_from_slice(&buffer[..count]),
                    }
                }
                // A sink that is gone shows when its own half is read.
                let _ = sink.write_all(&buffer[..count]);
            }
        }
    };
    let _ = match end {
        End::Finished => sink.shutdown(Shutdown::Write),
        End::Reset => {
            SockRef::from(&sink).set_linger(Some(Duration::ZERO)).and_then(|()| sink.shutdown(Shutdown::Both))
        }
    };
    let passed = &mut connections.lock().unwrap()[index];
    match from {
        From::Client => passed.client_end = Some(end),
        From::Server => passed.server_end = Some(end),
    }
}
