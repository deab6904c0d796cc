//! `raincheck doctor`

use clap::{Args, Subcommand};

use crate::failure::Failure;

mod client;
mod explain;
mod fleet;
mod output;
mod pcap;
mod progress;
mod reach;
mod server;

/// Find out why connections do not resume, and what to do about it
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Server(server::Server),
    Client(client::Client),
    Fleet(fleet::Fleet),
    Pcap(pcap::Pcap),
    Explain(explain::Explain),
}

impl Doctor {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Server(server) => server.run(),
            Command::Client(client) => client.run(),
            Command::Fleet(fleet) => fleet.run(),
            Command::Pcap(pcap) => pcap.run(),
            Command::Explain(explain) => explain.run(),
        }
    }
}
