//! `raincheck doctor client`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use raincheck_doctor::probe::client::{self, Settings};
use raincheck_edge::certificate::{Certificate, Certificates, throw_away};
use raincheck_edge::config::listening_address;

use super::output;
use crate::failure::Failure;
use crate::stderr::say;

/// Be a server, and find out what a TLS client cannot bear
///
/// It listens on a port for each of ten behaviours, and says on standard error where, and how to go there. A browser that
/// opens the page goes through all of them by itself. A library or a program connects to each as often as it is told in the
/// answers; one that is to resume has to be told to keep its sessions. What was found out is shown at /verdicts of each port,
/// and printed when it ends, by Ctrl-C or SIGTERM: exit status 1 where there are problems.
///
/// Clients are told apart by IP address. `curl -k -X POST https://ADDR/forget` begins anew with this one.
#[derive(Debug, Args)]
pub(crate) struct Client {
    /// Listen on this address (IP:PORT) for the page, and on the ten ports behind it; with port 0 the system chooses
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = listening_address)]
    listen: SocketAddr,
    /// The certificate to show and those of its issuers, in PEM [default: a throw-away one for localhost]
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// End as soon as a client has been through all scenarios
    #[arg(long)]
    once: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Client {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let certificates = match (&self.cert, &self.key) {
            (Some(chain), Some(key)) => {
                let certificate = Certificate::load(chain, key).map_err(|error| Failure::Usage(error.into()))?;
                Arc::new(Certificates::new(certificate, Vec::new()))
            }
            _ => throw_away(),
        };
        let settings = Settings { listen: self.listen, certificates, once: self.once };
        let report = client::run(settings, |guide| say(guide.trim_end()))?;
        let texts: Vec<_> = report.pages().iter().map(|page| page.text(output::paint())).collect();
        match self.json {
            true => output::print_json(&report.json())?,
            false if texts.is_empty() => output::print("no client has connected\n")?,
            false => output::print(&texts.join("\n"))?,
        }
        output::outcome(&report.findings())
    }
}
