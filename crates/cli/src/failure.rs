//! How a command fails.

use std::process::ExitCode;

use raincheck_doctor::capture;
use raincheck_edge::config::ConfigErrors;

use crate::stderr::say;

/// Whose fault it is that a command came to nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for cannot be done as it was asked: exit status 2.
    Usage(anyhow::Error),
    /// It was tried, and failed: exit status 1.
    Run(anyhow::Error),
    /// It was done, and what it found, and has said, is worth acting on: exit status 1.
    Findings,
}

impl Failure {
    /// Says on stderr what is wrong, a line for each thing.
    pub(crate) fn report(&self) -> ExitCode {
        let (error, status) = match self {
            Self::Usage(error) => (error, 2),
            Self::Run(error) => (error, 1),
            Self::Findings => return ExitCode::from(1),
        };
        for line in format!("{error:#}").lines() {
            say(format_args!("error: {line}"));
        }
        ExitCode::from(status)
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Usage(errors.into())
    }
}

impl From<raincheck_control::Error> for Failure {
    fn from(error: raincheck_control::Error) -> Self {
        Self::Usage(error.into())
    }
}

impl From<raincheck_doctor::Error> for Failure {
    fn from(error: raincheck_doctor::Error) -> Self {
        match error {
            raincheck_doctor::Error::Resolve { .. } | raincheck_doctor::Error::System(_) => Self::Run(error.into()),
            _ => Self::Usage(error.into()),
        }
    }
}

impl From<capture::Error> for Failure {
    fn from(error: capture::Error) -> Self {
        match error {
            capture::Error::Read { .. } => Self::Run(error.into()),
            _ => Self::Usage(error.into()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Run(error.into())
    }
}
