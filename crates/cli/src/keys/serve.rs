//! `raincheck keys serve`

use std::path::{Path, PathBuf};

use clap::Args;
use raincheck_control::serve::{Error, Setup};
use raincheck_edge::config::{Config, ConfigErrors};

use crate::failure::Failure;
use crate::secrecy;
use crate::stderr::Announcer;

/// Hand ticket keys out to edges and to HAProxy, and rotate them
///
/// Edges with `source = "http"` ask for the ring over HTTPS, and show a certificate; a new key is there within a second, and
/// seals when all of them have it. With `[serve.ticket-keys]`, HAProxy's Update module and whatever else polls gets three
/// lines of keys of its own. What the server does is in `[serve]`, where its keys come from in `[keys]`: with
/// `source = "http"` it is a standby of another server, and makes no keys until `raincheck keys promote` says so.
///
/// SIGHUP reads the configuration, certificates and keys again, as one step; what is wrong changes nothing. SIGTERM ends.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Read this configuration
    #[arg(short, value_name = "FILE")]
    config: PathBuf,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), Failure> {
        Announcer::with(|announcer| self.serve(announcer))
    }

    fn serve(self, announcer: &Announcer) -> Result<(), Failure> {
        secrecy::keep_memory_here().into_iter().for_each(|warning| announcer.say(warning));
        let setup = load(&self.config, announcer)?;
        let (notices, warnings) = (announcer.clone(), announcer.clone());
        let reload = move || load(&self.config, &warnings);
        raincheck_control::serve::run(setup, reload, move |notice| notices.say(notice)).map_err(|error| match error {
            Error::Keys(_) => Failure::Usage(error.into()),
            _ => Failure::Run(error.into()),
        })
    }
}

/// At the start, and at each SIGHUP.
fn load(path: &Path, announcer: &Announcer) -> Result<Setup, ConfigErrors> {
    let (setup, warnings) = Config::to_serve_keys(path)?;
    for warning in warnings {
        announcer.say(format_args!("warning: {warning}"));
    }
    Ok(setup)
}
