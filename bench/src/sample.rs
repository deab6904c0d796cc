//! One turn: one product, started anew, in one case.

use std::time::{Duration, Instant};

use rustls::HandshakeKind;
use tokio::time::sleep;

use crate::case::Case;
use crate::error::Error;
use crate::load::{self, Load, Target};
use crate::measure::{self, ProcessTree};
use crate::product::{Installed, Server, Site};
use crate::upstream::Upstream;
use crate::version::Version;

/// How much, how long.
pub(crate) struct Scale {
    pub(crate) window: Duration,
    pub(crate) concurrency: u32,
    /// Whether the handshake cases do without an exchange.
    pub(crate) bare: bool,
    pub(crate) idle_connections: u32,
}

/// What came of one turn.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Sample {
    /// In the case's unit.
    pub(crate) cost: f64,
    /// None where nothing moves.
    pace: Option<Pace>,
}

/// How fast things went. The cost does not depend on it much; it tells whether the load or the server was the limit.
#[derive(Copy, Clone, Debug)]
struct Pace {
    /// Connections or bytes a second.
    rate: f64,
    /// Parts of a core that the server used, and the load.
    server: f64,
    load: f64,
}

impl Sample {
    /// For the line that is shown while the run goes on.
    pub(crate) fn describe(&self, case: Case) -> String {
        let cost = format!("{:8.1} {}", self.cost, case.unit());
        let Some(Pace { rate, server, load }) = self.pace else { return cost };
        let rate = match case {
            Case::Bulk => format!("{:.2} GB/s", rate / GB),
            _ => format!("{rate:.0}/s"),
        };
        format!("{cost}  {rate}, server {:.0}% of a core, load {:.0}%", server * 100.0, load * 100.0)
    }
}

/// Starts a server, loads it, and measures what it uses.
pub(crate) async fn sample(case: Case, installed: &Installed, site: &Site, scale: &Scale) -> Result<Sample, Error> {
    let upstream = Upstream::start().await?;
    let command = |listen| installed.product.terminator(&installed.path, site, listen, upstream.address);
    let server = Server::start(installed, site, command).await?;
    let target = Target {
        case,
        product: installed.product,
        address: server.address,
        exchange: !scale.bare || !case.is_handshake(),
    };
    let handshakes = |version, kind| Load::handshakes(target, version, kind, scale.concurrency);
    let load = match case {
        Case::Full12 => handshakes(Version::Tls12, HandshakeKind::Full).await?,
        Case::Resumed12 => handshakes(Version::Tls12, HandshakeKind::Resumed).await?,
        Case::Full13 => handshakes(Version::Tls13, HandshakeKind::Full).await?,
        Case::Resumed13 => handshakes(Version::Tls13, HandshakeKind::Resumed).await?,
        Case::Bulk => Load::bulk(target),
        Case::Idle => return idle(target, &server, scale).await,
    };
    busy(target, load, &server, scale.window).await
}

/// CPU time of the server for each connection, or GB, that is done in the window.
async fn busy(target: Target, mut load: Load, server: &Server, window: Duration) -> Result<Sample, Error> {
    load.go_on(WARM_UP).await?;
    // Workers are there by now, and none comes or goes later.
    let processes = server.processes();
    let before = Reading::now(&processes, &load)?;
    load.go_on(window).await?;
    let after = Reading::now(&processes, &load)?;

    let done = after.done - before.done;
    if done == 0 {
        return Err(Error::Stalled { case: target.case, product: target.product });
    }
    let done = done as f64;
    let elapsed = (after.at - before.at).as_secs_f64();
    let server = after.server.saturating_sub(before.server).as_secs_f64();
    let load = after.load.saturating_sub(before.load).as_secs_f64();
    let cost = match target.case {
        Case::Bulk => server * 1e3 / (done / GB),
        _ => server * 1e6 / done,
    };
    Ok(Sample { cost, pace: Some(Pace { rate: done / elapsed, server: server / elapsed, load: load / elapsed }) })
}

/// What the server's memory grows by for each connection that is open and idle.
async fn idle(target: Target, server: &Server, scale: &Scale) -> Result<Sample, Error> {
    load::warm_up(target, FIRST_CONNECTIONS).await?;
    let processes = server.processes();
    settled(&processes).await?;
    let before = processes.memory()?;
    let held = load::hold(target, scale.idle_connections, scale.concurrency).await?;
    settled(&processes).await?;
    let after = processes.memory()?;
    let grown = after.saturating_sub(before) as f64;
    Ok(Sample { cost: grown / KIB / held.len() as f64, pace: None })
}

/// Waits until the server has nothing to do: until it used next to no CPU time for a while.
async fn settled(processes: &ProcessTree) -> Result<(), Error> {
    let begun = Instant::now();
    let mut used = processes.cpu_time()?;
    while begun.elapsed() < PATIENCE {
        sleep(REST).await;
        let now = processes.cpu_time()?;
        if now.saturating_sub(used) < REST / 100 {
            break;
        }
        used = now;
    }
    Ok(())
}

struct Reading {
    at: Instant,
    server: Duration,
    load: Duration,
    done: u64,
}

impl Reading {
    fn now(server: &ProcessTree, load: &Load) -> Result<Self, Error> {
        Ok(Self { at: Instant::now(), server: server.cpu_time()?, load: measure::own_cpu_time()?, done: load.done() })
    }
}

const GB: f64 = 1e9;
const KIB: f64 = 1024.0;
/// How long a load goes on before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);
/// Connections made and closed before memory is first read; few, since what they leave behind is used again.
const FIRST_CONNECTIONS: u32 = 8;
const REST: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(5);
