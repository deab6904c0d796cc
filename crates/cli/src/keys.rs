//! `raincheck keys`

use clap::{Args, Subcommand};

use crate::failure::Failure;

mod admin;
mod agent;
mod new;
mod promote;
mod serve;
mod show;

/// Make session ticket keys, hand them out and show who has them
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::New),
    Serve(serve::Serve),
    Agent(agent::Agent),
    Show(show::Show),
    Promote(promote::Promote),
}

impl Keys {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::New(new) => new.run(),
            Command::Serve(serve) => serve.run(),
            Command::Agent(agent) => agent.run(),
            Command::Show(show) => show.run(),
            Command::Promote(promote) => promote.run(),
        }
    }
}
