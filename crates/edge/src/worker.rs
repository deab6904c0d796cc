//! A worker: one thread with a current-thread runtime, which accepts connections and serves them to their end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use raincheck_tls::Scratch;
use raincheck_tls::buffer::READ;
use rustix::net::RecvFlags;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::access_log::AccessLog;
use crate::connection::{Connection, serve};
use crate::notice::Notice;
use crate::proxy_protocol::Addresses;
use crate::service::Service;

/// An address the edge listens on. A reload puts another service behind it, and leaves its sockets alone.
#[derive(Debug)]
pub struct Gate {
    /// The address, with its port.
    pub address: SocketAddr,
    service: ArcSwap<Service>,
    replaced: Notify,
    closing: watch::Sender<bool>,
}

impl Gate {
    /// An open gate.
    pub fn new(address: SocketAddr, service: Arc<Service>) -> Self {
        Self { address, service: ArcSwap::new(service), replaced: Notify::new(), closing: watch::Sender::new(false) }
    }

    /// Puts another service behind it. That is for who waits for room already, too.
    pub fn lead_to(&self, service: Arc<Service>) {
        self.service.store(service);
        self.replaced.notify_waiters();
    }

    /// Takes no more connections, once those that are queued have been accepted.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }
}

/// The handle of a worker thread.
#[derive(Debug)]
pub struct Worker {
    sockets: mpsc::UnboundedSender<(std::net::TcpListener, Arc<Gate>)>,
    thread: thread::JoinHandle<()>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, if there can be no thread or no runtime.
    pub fn start(number: usize, access_log: Option<AccessLog>) -> io::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().event_interval(EVENT_INTERVAL).build()?;
        let (sockets, commands) = mpsc::unbounded_channel();
        let thread = thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || runtime.block_on(work(commands, access_log)))?;
        Ok(Self { sockets, thread })
    }

    /// Accepts from `socket` what goes to `gate`.
    pub fn listen(&self, socket: std::net::TcpListener, gate: Arc<Gate>) {
        // A worker that is gone has said why.
        let _ = self.sockets.send((socket, gate));
    }

    /// Lets the worker end once its gates are closed and its connections are over.
    pub fn finish(self) -> thread::JoinHandle<()> {
        self.thread
    }
}

async fn work(mut sockets: mpsc::UnboundedReceiver<(std::net::TcpListener, Arc<Gate>)>, access_log: Option<AccessLog>) {
    // Every task holds a sender; when the last is gone, nothing is left to do.
    let (alive, mut all_done) = mpsc::channel::<()>(1);
    let mut flush = interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut alive = Some(alive);
    loop {
        tokio::select! {
            socket = sockets.recv(), if alive.is_some() => match (socket, &alive) {
                (Some((socket, gate)), Some(alive)) => {
                    tokio::spawn(accept_all(socket, gate, alive.clone()));
                }
                _ => alive = None,
            },
            _ = flush.tick() => {
                if let Some(log) = &access_log {
                    log.flush();
                }
            }
            _ = all_done.recv() => break,
        }
    }
    if let Some(log) = &access_log {
        log.flush();
    }
}

/// Accepts until the gate closes, and then what is queued: closing the socket would reset it.
async fn accept_all(socket: std::net::TcpListener, gate: Arc<Gate>, alive: mpsc::Sender<()>) {
    let Ok(socket) = TcpListener::from_std(socket) else {
        return; // out of descriptors at the start; the other workers serve
    };
    let mut closing = gate.closing.subscribe();
    loop {
        tokio::select! {
            biased;
            () = closed(&mut closing) => break,
            accepted = socket.accept() => match accepted {
                Ok((tcp, peer)) => begin(tcp, peer, &gate, &alive).await,
                Err(error) => pause_after(&error).await,
            }
        }
    }
    let _ = rustix::net::listen(&socket, 0); // no newcomers
    // The kernel knows whether there are more; tokio would answer from what it heard last.
    let Ok(socket) = socket.into_std() else {
        return;
    };
    loop {
        match socket.accept() {
            Ok((tcp, peer)) => {
                if tcp.set_nonblocking(true).is_ok()
                    && let Ok(tcp) = TcpStream::from_std(tcp)
                {
                    begin(tcp, peer, &gate, &alive).await;
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
            Err(_) => return,
        }
    }
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    // A gate that is gone is closed too.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// A client that left while it waited is no reason to pause; out of descriptors or memory is one, until connections end.
async fn pause_after(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionAborted {
        sleep(OUT_OF_DESCRIPTORS).await;
    }
}

/// Serves an accepted connection, as soon as there is room for it.
async fn begin(tcp: TcpStream, peer: SocketAddr, gate: &Gate, alive: &mpsc::Sender<()>) {
    let (service, room) = admit(gate).await;
    let received = receive_now(&tcp);
    let destination = match gate.address.ip().is_unspecified() {
        false => gate.address,
        true => tcp.local_addr().unwrap_or(gate.address),
    };
    let addresses = Addresses { source: peer, destination };
    let alive = alive.clone();
    tokio::spawn(async move {
        serve(Connection { tcp, addresses, received }, service).await;
        drop((room, alive));
    });
}

/// The service behind the gate, once it has room. While there is none, a reload may put another one there, of the same
/// listener or not: then that is the one.
async fn admit(gate: &Gate) -> (Arc<Service>, OwnedSemaphorePermit) {
    loop {
        let replaced = gate.replaced.notified(); // from here on, so that none is missed
        let service = gate.service.load_full();
        if let Ok(room) = Arc::clone(&service.room).try_acquire_owned() {
            service.is_full.store(false, Ordering::Relaxed);
            return (service, room);
        }
        if !service.is_full.swap(true, Ordering::Relaxed) {
            service.notices.tell(Notice::Full { listener: service.name.clone() });
        }
        tokio::select! {
            biased;
            () = replaced => {}
            room = Arc::clone(&service.room).acquire_owned() => {
                let room = room.expect("nobody closes it");
                if Arc::ptr_eq(&service, &gate.service.load()) {
                    return (service, room);
                }
            }
        }
    }
}

/// What the client has sent already: its ClientHello, as often as not. To ask the socket is cheaper than to wait until
/// the runtime has heard of it.
fn receive_now(tcp: &TcpStream) -> Vec<u8> {
    Scratch::lend(|scratch| {
        let room = &mut scratch.incoming.room(READ)[..READ];
        // What failed here fails again, where it is counted.
        match rustix::net::recv(tcp, &mut *room, RecvFlags::empty()) {
            Ok((length, _)) => room[..length].to_vec(),
            Err(_) => Vec::new(),
        }
    })
}

/// Tasks polled between two looks at the sockets.
const EVENT_INTERVAL: u32 = 61;

/// How long access log lines stay with a worker.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);
