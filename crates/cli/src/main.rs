//! `raincheck`: makes TLS sessions resume, and says why when one does not.
//!
//! One file for each command. Only here is anything printed for people, and exit statuses chosen: 0 fine, 1 a run that
//! failed, 2 a mistake in usage or configuration.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check_config;
mod doctor;
mod edge;
mod failure;
mod keys;
mod memory;
mod secrecy;
mod stderr;

/// Makes TLS sessions resume: on every node of a fleet, across key rotations and restarts.
#[derive(Debug, Parser)]
#[command(version)]
struct Raincheck {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Edge(edge::Edge),
    Keys(keys::Keys),
    Doctor(doctor::Doctor),
    CheckConfig(check_config::CheckConfig),
}

fn main() -> ExitCode {
    let outcome = match Raincheck::parse().command {
        Command::Edge(edge) => edge.run(),
        Command::Keys(keys) => keys.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::CheckConfig(check_config) => check_config.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
