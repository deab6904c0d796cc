//! `raincheck keys promote`

use anyhow::anyhow;
use clap::Args;

use super::admin::Admin;
use crate::failure::Failure;
use crate::stderr::say;

/// Have a standby make the keys from now on, in place of the server it follows
///
/// For when that one is lost. The standby goes on with the ring it has, in a new generation: whoever has that takes no ring
/// of the old server any more, and the old one stops making keys when it hears of it.
#[derive(Debug, Args)]
pub(crate) struct Promote {
    #[command(flatten)]
    admin: Admin,
}

impl Promote {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let address = &self.admin.address;
        let answer = self.admin.ask("POST /promote HTTP/1.1\r\nRaincheck-Promote: yes\r\nContent-Length: 0")?;
        match answer.status {
            200 => {
                say(format_args!("{address} makes the keys from now on"));
                Ok(())
            }
            409 => Err(Failure::Run(anyhow!("{address}: {}", answer.body.trim_end()))),
            404 | 405 => Err(Failure::Run(anyhow!(
                "{address} is no server of keys; name the admin address of a `raincheck keys serve` with --admin ADDR"
            ))),
            _ => Err(self.admin.is_no_raincheck()),
        }
    }
}
