//! `raincheck doctor fleet`

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use raincheck_doctor::Error;
use raincheck_doctor::probe::{FleetProbe, Progress, Target};
use raincheck_doctor::report::FleetReport;
use raincheck_edge::config::duration;

use super::output::{outcome, paint, print, print_json};
use super::reach::Reach;
use crate::failure::Failure;

/// Probe the nodes of a fleet: which of them resume one another's sessions, and why others do not
#[derive(Debug, Args)]
pub(crate) struct Fleet {
    /// The nodes; of a name with several addresses, each is one
    #[arg(value_name = "HOST:PORT", required = true)]
    nodes: Vec<String>,
    #[command(flatten)]
    reach: Reach,
    /// Ask again after so long for what was refused, and each node for its own; 0s: do not
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "10s")]
    wait: Duration,
    /// Print an object for programs
    #[arg(long)]
    json: bool,
}

impl Fleet {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let report = runtime.block_on(self.probe())?;
        if self.json {
            print_json(&report.json())?;
        } else {
            print(&report.page().text(paint()))?;
        }
        outcome(report.findings())?;
        if report.is_complete() { Ok(()) } else { Err(Failure::Findings) }
    }

    async fn probe(&self) -> Result<FleetReport, Failure> {
        let trust = self.reach.trust()?;
        let (targets, absent) = self.targets().await?;
        let Reach { starttls, .. } = self.reach;
        let probe = FleetProbe { targets, trust, starttls, request: self.reach.send(), wait: self.wait };
        let fleet = probe.run(progress()).await;
        Ok(FleetReport::new(fleet, absent))
    }

    /// The nodes, and what there is to say of names without an address.
    async fn targets(&self) -> Result<(Vec<Target>, Vec<String>), Failure> {
        let (mut targets, mut absent) = (Vec::<Target>::new(), Vec::new());
        for name in &self.nodes {
            match Target::resolve(name, self.reach.sni.as_deref()).await {
                Ok(found) => {
                    for target in found {
                        if targets.iter().all(|other| other.address != target.address) {
                            targets.push(target);
                        }
                    }
                }
                Err(error @ Error::Resolve { .. }) => absent.push(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
        match targets.len() + absent.len() {
            0 | 1 => Err(Failure::Usage(anyhow!(
                "one address is no fleet: name more nodes, or ask `raincheck doctor server` about this one"
            ))),
            nodes if nodes > MOST_NODES => {
                Err(Failure::Usage(anyhow!("{nodes} addresses are too many at once: name {MOST_NODES} at most")))
            }
            _ => Ok((targets, absent)),
        }
    }
}

/// Says how far it is to whoever sits there and waits, on one line.
fn progress() -> impl FnMut(Progress) {
    let shown = io::stderr().is_terminal();
    move |Progress { done, left }| {
        if shown {
            let line = if left == 0 { String::new() } else { format!("asked {done} of {} times", done + left) };
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }
}

/// Each is asked for the sessions of each.
const MOST_NODES: usize = 200;
