//! Plain TCP services to stand behind an edge.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::deadline::until;

/// A service on an address of its own, with a thread for each connection.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    stop: Arc<AtomicBool>,
}

/// What came in on one connection so far.
#[derive(Clone, Default, Debug)]
pub struct Received {
    /// Bytes.
    pub count: u64,
    /// The first of them, up to 64 KiB.
    pub start: Vec<u8>,
    /// How reading ended, if it has.
    pub end: Option<End>,
}

/// How a connection's incoming half ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// A FIN: everything that was sent is here.
    Finished,
    /// A reset, or another error.
    Broken,
}

/// One connection as a service sees it; everything read through it is recorded.
pub struct Served {
    stream: TcpStream,
    index: usize,
    received: Arc<Mutex<Vec<Received>>>,
}

/// What lets a waiting service write; see [`Upstream::on_command`].
#[derive(Debug)]
pub struct Speak(Sender<Vec<u8>>);

impl Upstream {
    /// Runs `service` for each connection.
    pub fn serving(service: impl Fn(Served) + Send + Sync + 'static) -> Self {
        Self::serving_at(Ipv4Addr::LOCALHOST.into(), service)
    }

    fn serving_at(host: IpAddr, service: impl Fn(Served) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let upstream = Self { address: listener.local_addr().unwrap(), received: Arc::default(), stop: Arc::default() };
        let (received, stop, service) = (upstream.received.clone(), upstream.stop.clone(), Arc::new(service));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let index = {
                    let mut received = received.lock().unwrap();
                    received.push(Received::default());
                    received.len() - 1
                };
                let (served, service) = (Served { stream, index, received: received.clone() }, service.clone());
                thread::spawn(move || service(served));
            }
        });
        upstream
    }

    /// Sends back what it gets, until the end.
    pub fn echo() -> Self {
        Self::serving(|mut served| {
            while let Some(bytes) = served.read() {
                if !served.write(&bytes) {
                    return;
                }
            }
        })
    }

    /// Reads one HTTP request head, answers `200` with [`BODY`], and closes.
    pub fn http() -> Self {
        Self::saying(BODY)
    }

    /// The same at this address.
    pub fn http_at(host: IpAddr) -> Self {
        Self::saying_at(host, BODY)
    }

    /// Reads one HTTP request head, answers `200` with this body, and closes.
    pub fn saying(body: &str) -> Self {
        Self::saying_at(Ipv4Addr::LOCALHOST.into(), body)
    }

    fn saying_at(host: IpAddr, body: &str) -> Self {
        let answer = http_answer(body);
        Self::serving_at(host, move |mut served| {
            if served.read_head() {
                served.write(answer.as_bytes());
                served.finish();
                while served.read().is_some() {}
            }
        })
    }

    /// Reads to the end and never says a word.
    pub fn sink() -> Self {
        Self::serving(|mut served| while served.read().is_some() {})
    }

    /// Reads to the end, and only then answers with how many bytes came, in decimal.
    pub fn answer_on_half_close() -> Self {
        Self::serving(|mut served| {
            while served.read().is_some() {}
            let count = served.received().count;
            served.write(count.to_string().as_bytes());
        })
    }

    /// Writes `greeting` first, closes its writing half, then reads to the end.
    pub fn closing_first(greeting: &'static [u8]) -> Self {
        Self::serving(move |mut served| {
            served.write(greeting);
            served.finish();
            while served.read().is_some() {}
        })
    }

    /// Reads all the time, and writes only what it is told to, when it is told to. For one connection.
    pub fn on_command() -> (Self, Speak) {
        let (sender, receiver) = channel::<Vec<u8>>();
        let receiver: Mutex<Option<Receiver<Vec<u8>>>> = Mutex::new(Some(receiver));
        let upstream = Self::serving(move |mut served| {
            let Some(receiver) = receiver.lock().unwrap().take() else { return };
            let mut writing = served.stream.try_clone().unwrap();
            thread::spawn(move || {
                for bytes in receiver {
                    if writing.write_all(&bytes).is_err() {
                        return;
                    }
                }
                let _ = writing.shutdown(Shutdown::Write);
            });
            while served.read().is_some() {}
        });
        (upstream, Speak(sender))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came in, a connection each, in the order they were accepted.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until the connection of this number, from 0, has been read to its end.
    pub fn ended(&self, index: usize) -> Received {
        until(&format!("upstream connection {index} ends"), || {
            self.received().get(index).filter(|received| received.end.is_some()).cloned()
        })
    }

    /// Waits until at least `count` bytes came in on the connection of this number, from 0.
    pub fn has_received(&self, index: usize, count: u64) {
        until(&format!("{count} bytes at upstream connection {index}"), || {
            self.received().get(index).filter(|received| received.count >= count).map(drop)
        });
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

impl Served {
    /// The next bytes; `None` at the end, however it came.
    pub fn read(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 64 * 1024];
        let read = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let mut all = self.received.lock().unwrap();
        let received = &mut all[self.index];
        match read {
            Ok(0) => received.end = Some(End::Finished),
            Err(_) => received.end = Some(End::Broken),
            Ok(count) => {
                received.count += count as u64;
                let room = MOST_KEPT - received.start.len();
                received.start.extend_from_slice(&buffer[..count.min(room)]);
                buffer.truncate(count);
                return Some(buffer);
            }
        }
        None
    }

    /// Reads up to and with an empty line; false when the end came first.
    pub fn read_head(&mut self) -> bool {
        let mut head = Vec::new();
        while let Some(bytes) = self.read() {
            head.extend(bytes);
            if head.windows(4).any(|window| window == b"\r\n\r\n") || head.windows(2).any(|window| window == b"\n\n") {
                return true;
            }
        }
        false
    }

    /// Writes all of it; false when the peer is gone.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Ends its own writing half.
    pub fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The socket. What is read from it is not recorded.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// What this connection recorded so far.
    pub fn received(&self) -> Received {
        self.received.lock().unwrap()[self.index].clone()
    }
}

impl Speak {
    /// Makes the service write this.
    pub fn say(&self, bytes: &[u8]) {
        let _ = self.0.send(bytes.to_vec());
    }

    /// Makes the service end its writing half.
    pub fn finish(self) {}
}

/// The body [`Upstream::http`] answers with.
pub const BODY: &str = "hello from the upstream\n";

const MOST_KEPT: usize = 64 * 1024;

fn http_answer(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
