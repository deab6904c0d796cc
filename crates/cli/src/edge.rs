//! `raincheck edge`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use raincheck_edge::config::{Config, ConfigErrors, EdgeFlags, listening_address};
use raincheck_edge::{Error, Notices};

use crate::failure::Failure;
use crate::secrecy;
use crate::stderr::Announcer;

/// Terminate TLS and balance load, with tickets that open on every node
///
/// Without any argument it demonstrates itself: https on 127.0.0.1:8443 with a throw-away certificate for localhost, and
/// an answer to each request that says how its connection was resumed; metrics and status on 127.0.0.1:9900.
///
/// SIGHUP reads the configuration, the certificates and the keys again, as one step; what is wrong changes nothing.
/// SIGTERM lets connections end, and exits.
#[derive(Debug, Args)]
pub(crate) struct Edge {
    /// Read this configuration; other flags override it or add to it
    #[arg(short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Accept TLS on this address (IP:PORT); may be given several times
    #[arg(long, value_name = "ADDR", value_parser = listening_address)]
    listen: Vec<SocketAddr>,
    /// Pass connections on to this server (HOST:PORT); may be given several times
    #[arg(long, value_name = "ADDR")]
    to: Vec<String>,
    /// The server's certificate and those of its issuers, in PEM
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Take ticket keys from this file: a base64 key a line, oldest first, read again when it changes
    #[arg(long, value_name = "FILE")]
    ticket_keys: Option<PathBuf>,
    /// Serve /metrics, /healthz, /readyz and /status.json on this address (IP:PORT)
    #[arg(long, value_name = "ADDR", value_parser = listening_address)]
    admin: Option<SocketAddr>,
    /// Answer `show info`, `show tls-keys` and `set ssl tls-key` on this Unix socket
    #[arg(long, value_name = "PATH")]
    stats_socket: Option<PathBuf>,
    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
}

impl Edge {
    pub(crate) fn run(self) -> Result<(), Failure> {
        Announcer::with(|announcer| self.serve(announcer))
    }

    fn serve(self, announcer: &Announcer) -> Result<(), Failure> {
        secrecy::keep_memory_here().into_iter().for_each(|warning| announcer.say(warning));
        let flags = EdgeFlags::from(self);
        let config = load(&flags, announcer)?;
        let (notices, warnings) = (announcer.clone(), announcer.clone());
        let notices = Notices::new(move |notice| notices.say(notice));
        raincheck_edge::run(config, move || load(&flags, &warnings), notices).map_err(|error| match error {
            Error::Keys(_) => Failure::Usage(error.into()),
            _ => Failure::Run(error.into()),
        })
    }
}

impl From<Edge> for EdgeFlags {
    fn from(edge: Edge) -> Self {
        let Edge { config, listen, to, cert, key, ticket_keys, admin, stats_socket, workers } = edge;
        Self { config, listen, to, cert, key, ticket_keys, admin, stats_socket, workers }
    }
}

/// At the start, and at each SIGHUP.
fn load(flags: &EdgeFlags, announcer: &Announcer) -> Result<Config, ConfigErrors> {
    let config = Config::from_flags(flags)?;
    for warning in &config.warnings {
        announcer.say(format_args!("warning: {warning}"));
    }
    Ok(config)
}
