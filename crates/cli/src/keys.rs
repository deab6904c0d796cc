//! `raincheck keys`

use clap::{Args, Subcommand};

use crate::failure::Failure;

mod new;
mod serve;

/// Make session ticket keys, and hand them out
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::New),
    Serve(serve::Serve),
}

impl Keys {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::New(new) => new.run(),
            Command::Serve(serve) => serve.run(),
        }
    }
}
