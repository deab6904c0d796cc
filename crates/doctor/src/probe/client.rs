//! Servers of one behaviour each, which find out what a TLS client cannot bear.
//!
//! [`run`] takes a port for each [`Scenario`] and one for the page that drives a browser through all of them, and answers on
//! them until it is told to stop. A connection goes through `visit`: `wire` shows its bytes to the reader that finds out
//! what the client did, `sessions` are what the client may resume, `clients` is where the evidence is kept.
//!
//! What a client did is known by its IP address, so clients behind one address are one.

mod answer;
mod clients;
mod guide;
mod report;
mod request;
mod sessions;
mod visit;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use raincheck_diagnosis::diagnose::client::Scenario;
use rustls::crypto::aws_lc_rs;
use rustls::server::ResolvesServerCert;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::error::Error;
use clients::Clients;

pub use report::Report;

/// What is wanted of a run.
#[derive(Debug)]
pub struct Settings {
    /// Where the page is; the scenarios take the ports behind it. Where its port is 0, the system chooses all of them.
    pub listen: SocketAddr,
    /// What clients are shown.
    pub certificates: Arc<dyn ResolvesServerCert>,
    /// Whether to end as soon as a client has been through all scenarios.
    pub once: bool,
}

/// Serves until SIGINT or SIGTERM, or as [`Settings::once`] says. `announce` is told what to do with a client, once there is
/// somebody to answer.
///
/// # Errors
/// An address that cannot be had, above all.
pub fn run(settings: Settings, announce: impl FnOnce(String)) -> Result<Report, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::System)?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let listeners = Listeners::bind(settings.listen).await?;
        let server = Server::new(&settings.certificates, listeners.ports()?)?;
        announce(guide::text(&server.ports, settings.listen.ip()));
        let through = Arc::clone(&server);
        tokio::select! {
            () = listeners.serve(&server) => {}
            () = through.clients.through(), if settings.once => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(Report::of(&server.clients))
    })
}

/// Open ports: one for each scenario, and one for the page.
struct Listeners {
    page: TcpListener,
    scenarios: Vec<(Scenario, TcpListener)>,
}

/// Where what is served.
struct Ports {
    page: SocketAddr,
    scenarios: Vec<(Scenario, SocketAddr)>,
}

/// What all connections have in common.
struct Server {
    tls12: ServerConfig,
    tls13: ServerConfig,
    ports: Ports,
    clients: Clients,
}

impl Listeners {
    async fn bind(address: SocketAddr) -> Result<Self, Error> {
        // All addresses before the first socket: what cannot be is said before anything is open.
        let wanted =
            Scenario::ALL.into_iter().zip(1..).map(|(scenario, distance)| Ok((scenario, behind(address, distance)?)));
        let wanted = wanted.collect::<Result<Vec<_>, Error>>()?;
        let page = bind(address).await?;
        let mut scenarios = Vec::with_capacity(wanted.len());
        for (scenario, address) in wanted {
            scenarios.push((scenario, bind(address).await?));
        }
        Ok(Self { page, scenarios })
    }

    fn ports(&self) -> Result<Ports, Error> {
        let scenarios = self.scenarios.iter().map(|(scenario, listener)| Ok((*scenario, listener.local_addr()?)));
        Ok(Ports { page: self.page.local_addr()?, scenarios: scenarios.collect::<io::Result<_>>()? })
    }

    /// Serves until it is dropped, and all connections with it.
    async fn serve(self, server: &Arc<Server>) {
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let scenarios = self.scenarios.into_iter().map(|(scenario, listener)| (Some(scenario), listener));
        let all = scenarios.chain([(None, self.page)]);
        let accepting: JoinSet<()> =
            all.map(|(scenario, listener)| accept(Arc::clone(server), scenario, listener, Arc::clone(&room))).collect();
        accepting.join_all().await;
    }
}

impl Server {
    fn new(certificates: &Arc<dyn ResolvesServerCert>, ports: Ports) -> Result<Arc<Self>, Error> {
        let (tls12, tls13) = (config(certificates, &version::TLS12)?, config(certificates, &version::TLS13)?);
        Ok(Arc::new(Self { tls12, tls13, ports, clients: Clients::default() }))
    }
}

impl Ports {
    /// Where a scenario is served.
    fn of(&self, scenario: Scenario) -> SocketAddr {
        let found = self.scenarios.iter().find(|(served, _)| *served == scenario);
        found.map_or(self.page, |(_, address)| *address)
    }
}

/// The address so many ports behind `first`; where the system is to choose the port, it chooses this one too.
fn behind(first: SocketAddr, distance: u16) -> Result<SocketAddr, Error> {
    let port = match first.port() {
        0 => 0,
        port => port.checked_add(distance).ok_or(Error::NoRoomBehind(first))?,
    };
    Ok(SocketAddr::new(first.ip(), port))
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| Error::Listen { address, error })
}

/// Takes connections as long as there is room; the others wait.
async fn accept(server: Arc<Server>, scenario: Option<Scenario>, listener: TcpListener, room: Arc<Semaphore>) {
    let mut visits = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((tcp, client)) => {
                let server = Arc::clone(&server);
                visits.spawn(async move {
                    visit::serve(&server, scenario, tcp, client).await;
                    drop(place);
                });
            }
            // Out of descriptors, most likely: they come back as connections end.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        while visits.try_join_next().is_some() {}
    }
}

/// A configuration of one version. There is no ALPN: whoever asks for a protocol gets HTTP/1.1, which is a connection for each
/// request here.
fn config(
    certificates: &Arc<dyn ResolvesServerCert>,
    version: &'static SupportedProtocolVersion,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(&[version])?.with_no_client_auth();
    Ok(builder.with_cert_resolver(Arc::clone(certificates)))
}

const MOST_CONNECTIONS: usize = 256;
const PAUSE: Duration = Duration::from_millis(100);
