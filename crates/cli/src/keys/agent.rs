//! `raincheck keys agent`

use std::path::{Path, PathBuf};

use clap::Args;
use raincheck_control::agent::{self, Setup};
use raincheck_control::serve::Error;
use raincheck_edge::config::{Config, ConfigErrors};

use crate::failure::Failure;
use crate::secrecy;
use crate::stderr::Announcer;

/// Make HAProxy, nginx, Envoy and h2o hold keys of their own, made from those of a fleet
///
/// It runs beside the products. Where its keys come from is in `[keys]`, what it feeds in `[[sink]]`: HAProxy by its stats
/// socket, without a reload; nginx, Envoy and h2o by files on tmpfs. The fleet rotates when every product has the next key.
/// A product that restarts gets its keys back.
///
/// SIGHUP reads the configuration again; what is wrong changes nothing. SIGTERM ends; the products go on with what they have.
#[derive(Debug, Args)]
pub(crate) struct Agent {
    /// Read this configuration
    #[arg(short, value_name = "FILE")]
    config: PathBuf,
}

impl Agent {
    pub(crate) fn run(self) -> Result<(), Failure> {
        Announcer::with(|announcer| self.feed(announcer))
    }

    fn feed(self, announcer: &Announcer) -> Result<(), Failure> {
        secrecy::keep_memory_here().into_iter().for_each(|warning| announcer.say(warning));
        let setup = load(&self.config, announcer)?;
        let (notices, warnings) = (announcer.clone(), announcer.clone());
        let reload = move || load(&self.config, &warnings);
        agent::run(setup, reload, move |notice| notices.say(notice)).map_err(|error| match error {
            Error::Keys(_) => Failure::Usage(error.into()),
            _ => Failure::Run(error.into()),
        })
    }
}

/// At the start, and at each SIGHUP.
fn load(path: &Path, announcer: &Announcer) -> Result<Setup, ConfigErrors> {
    let (setup, warnings) = Config::to_feed_products(path)?;
    for warning in warnings {
        announcer.say(format_args!("warning: {warning}"));
    }
    Ok(setup)
}
