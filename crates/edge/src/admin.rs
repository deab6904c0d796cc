//! Answers questions, on the thread that does not serve: so it answers while every worker is busy.
//!
//! HTTP on the admin address (`http`): metrics, health, status. HAProxy's commands on the stats socket
//! (`stats_socket`, `commands`). Both read what the workers count, and nobody waits for anybody.

mod commands;
mod http;
mod metrics;
mod observed;
mod rates;
mod stats_socket;
mod status;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use raincheck_control::admin::answer_on;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::observed::{Observed, Phase};
use self::stats_socket::StatsSocket;
use crate::notice::Error;
use crate::server::Snapshot;

/// The admin address and the stats socket. Both end when this is dropped, and the socket's file goes.
#[derive(Debug)]
pub struct Admin {
    address: Option<SocketAddr>,
    observed: Arc<Observed>,
    _stats_socket: Option<StatsSocket>,
    _tasks: JoinSet<()>,
}

impl Admin {
    /// Opens both, as far as they are asked for, and answers on the tokio runtime this is called on.
    ///
    /// # Errors
    /// The address cannot be listened on, or the socket cannot be made.
    pub async fn start(
        address: Option<SocketAddr>,
        stats_socket: Option<&Path>,
        snapshot: &Arc<ArcSwap<Snapshot>>,
    ) -> Result<Self, Error> {
        let observed = Arc::new(Observed::new(Arc::clone(snapshot)));
        let mut tasks = JoinSet::new();
        let mut opened = None;
        if let Some(asked) = address {
            let bind = |error| Error::Bind { address: asked, whose: "the admin address".into(), error };
            let listener = TcpListener::bind(asked).await.map_err(bind)?;
            opened = Some(listener.local_addr().map_err(bind)?);
            let answering = answer_on(listener, Arc::clone(&observed), http::answer);
            tasks.spawn(async move { match answering.await {} });
        }
        let mut socket = None;
        if let Some(path) = stats_socket {
            let made = StatsSocket::bind(path);
            let (made, listener) = made.map_err(|error| Error::StatsSocket { path: path.to_owned(), error })?;
            socket = Some(made);
            tasks.spawn(stats_socket::serve(listener, Arc::clone(&observed)));
        }
        tasks.spawn(rates::sample(Arc::clone(&observed)));
        Ok(Self { address: opened, observed, _stats_socket: socket, _tasks: tasks })
    }

    /// The admin address, with its port; none if it was not asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// From now on `/readyz` says so: all listeners are open, and there are keys.
    pub fn ready(&self) {
        self.observed.enter(Phase::Ready);
    }

    /// From now on `/readyz` says that no more connections are taken.
    pub fn draining(&self) {
        self.observed.enter(Phase::Draining);
    }
}
