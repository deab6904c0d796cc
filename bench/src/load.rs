//! Load on one server: connections made over and over, bytes streamed, or connections held.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::{ClientConfig, HandshakeKind, NamedGroup};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::case::Case;
use crate::client::{self, Connection};
use crate::error::Error;
use crate::product::Product;
use crate::tickets::{Kept, Unused};
use crate::version::Version;
use crate::wire::Scratch;

/// Whom to load, and as what to report it.
#[derive(Copy, Clone)]
pub(crate) struct Target {
    pub(crate) case: Case,
    pub(crate) product: Product,
    pub(crate) address: SocketAddr,
    /// Whether a handshake is followed by a small exchange.
    pub(crate) exchange: bool,
}

/// Load that goes on until it is dropped.
pub(crate) struct Load {
    tasks: JoinSet<Result<Infallible, Error>>,
    done: Arc<AtomicU64>,
}

impl Load {
    /// Makes connections one after the other, `concurrency` at once: TCP, TLS, maybe a small exchange, close.
    pub(crate) async fn handshakes(
        target: Target,
        version: Version,
        kind: HandshakeKind,
        concurrency: u32,
    ) -> Result<Self, Error> {
        let config = match kind {
            HandshakeKind::Resumed => with_tickets(target, version, concurrency).await?,
            _ => client::config(version, Arc::new(Unused)),
        };
        let mut load = Self::none();
        for _ in 0..concurrency {
            let (config, done) = (config.clone(), load.done.clone());
            load.tasks.spawn(async move {
                let mut scratch = Scratch::small();
                loop {
                    visit(target, &config, kind, &mut scratch).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Ok(load)
    }

    /// Streams without end from the upstream over a few TLS 1.3 connections.
    pub(crate) fn bulk(target: Target) -> Self {
        let config = client::config(Version::Tls13, Arc::new(Unused));
        let mut load = Self::none();
        for _ in 0..STREAMS {
            let (config, done) = (config.clone(), load.done.clone());
            load.tasks.spawn(async move {
                let mut scratch = Scratch::large();
                let mut connection = connect(target, &config, HandshakeKind::Full, &mut scratch).await?;
                loop {
                    let received = |count| {
                        done.fetch_add(count as u64, Ordering::Relaxed);
                    };
                    let fetched = connection.fetch(u64::MAX, &mut scratch, received).await;
                    fetched.map_err(failed(target, "while it streamed"))?;
                }
            });
        }
        load
    }

    /// Connections completed, or bytes received, so far.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Lets the load go on for `time`; an error as soon as a connection fails.
    pub(crate) async fn go_on(&mut self, time: Duration) -> Result<(), Error> {
        match timeout(time, self.tasks.join_next()).await {
            Err(_elapsed) => Ok(()),
            Ok(Some(Ok(Err(error)))) => Err(error),
            Ok(ended) => unreachable!("load ends by an error only: {ended:?}"),
        }
    }

    fn none() -> Self {
        Self { tasks: JoinSet::new(), done: Arc::default() }
    }
}

/// `count` connections after a handshake and a small exchange, held open.
pub(crate) async fn hold(target: Target, count: u32, concurrency: u32) -> Result<Vec<Connection>, Error> {
    let config = client::config(Version::Tls13, Arc::new(Unused));
    let mut tasks = JoinSet::new();
    for task in 0..concurrency {
        let config = config.clone();
        let share = (task..count).step_by(concurrency as usize).len();
        tasks.spawn(async move {
            let mut scratch = Scratch::small();
            let mut held = Vec::with_capacity(share);
            for _ in 0..share {
                held.push(connect(target, &config, HandshakeKind::Full, &mut scratch).await?);
            }
            Ok::<_, Error>(held)
        });
    }
    let mut held = Vec::with_capacity(count as usize);
    while let Some(share) = tasks.join_next().await {
        held.append(&mut share.expect("no task panics or is aborted")?);
    }
    Ok(held)
}

/// Makes `count` connections, one after the other, so that a server has set up all it ever sets up once.
pub(crate) async fn warm_up(target: Target, count: u32) -> Result<(), Error> {
    let config = client::config(Version::Tls13, Arc::new(Unused));
    let mut scratch = Scratch::small();
    for _ in 0..count {
        visit(target, &config, HandshakeKind::Full, &mut scratch).await?;
    }
    Ok(())
}

/// A client with tickets for `concurrency` connections at once.
async fn with_tickets(target: Target, version: Version, concurrency: u32) -> Result<Arc<ClientConfig>, Error> {
    let tickets = Arc::new(Kept::default());
    let config = client::config(version, tickets.clone());
    let mut scratch = Scratch::small();
    for _ in 0..concurrency {
        visit(target, &config, HandshakeKind::Full, &mut scratch).await?;
    }
    tickets.offer();
    Ok(config)
}

/// A whole connection: TCP, TLS, maybe a small exchange, close.
async fn visit(
    target: Target,
    config: &Arc<ClientConfig>,
    kind: HandshakeKind,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let connection = connect(target, config, kind, scratch).await?;
    connection.close(scratch).await;
    Ok(())
}

/// A connection after its handshake, which must be of this `kind`, and the exchange.
async fn connect(
    target: Target,
    config: &Arc<ClientConfig>,
    kind: HandshakeKind,
    scratch: &mut Scratch,
) -> Result<Connection, Error> {
    let exchange = async {
        let mut connection = Connection::open(target.address, config).await?;
        if target.exchange {
            connection.fetch(SMALL, scratch, |_| {}).await?;
        } else {
            connection.handshake(scratch).await?;
        }
        Ok(connection)
    };
    let connection = match timeout(PATIENCE, exchange).await {
        Ok(connection) => connection.map_err(failed(target, "in its handshake or first exchange"))?,
        Err(late) => return Err(failed(target, "in its handshake or first exchange")(late.into())),
    };
    let (case, product) = (target.case, target.product);
    let done = connection.handshake_kind().expect("the handshake is over");
    if done != kind {
        return Err(Error::Handshake { case, product, wanted: kind, done });
    }
    match connection.group() {
        // None in a resumed TLS 1.2 handshake.
        None | Some(NamedGroup::X25519) => Ok(connection),
        Some(group) => Err(Error::Group { case, product, group }),
    }
}

fn failed(target: Target, when: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Connection { case: target.case, product: target.product, when, source }
}

/// Bytes of a small answer.
const SMALL: u64 = 64;
/// Connections that stream at once.
const STREAMS: u32 = 4;
/// How long a connection may take to its first answer.
const PATIENCE: Duration = Duration::from_secs(10);
