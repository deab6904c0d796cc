//! `raincheck doctor server`

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use raincheck_diagnosis::diagnose::server::diagnose;
use raincheck_doctor::probe::Target;
use raincheck_doctor::probe::server::{Plan, Progress, examine};
use raincheck_doctor::report::{Examined, server_json, server_page};
use raincheck_edge::config::duration;

use super::output::{outcome, paint, print, print_json};
use super::reach::Reach;
use crate::failure::Failure;
use crate::stderr::say;

/// Probe a server: whether its sessions resume, and if not, why
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The server
    #[arg(value_name = "HOST:PORT")]
    target: String,
    #[command(flatten)]
    reach: Reach,
    /// Keep sessions for so long, such as 2h, and see how long they resume; Ctrl-C ends it earlier
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    watch: Option<Duration>,
    /// Also act as a client that only writes, to see whether it loses data
    #[arg(long)]
    intrusive: bool,
    /// Print an object for programs
    #[arg(long)]
    json: bool,
}

impl Server {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let examined = runtime.block_on(self.examine())?;
        if self.json {
            print_json(&server_json(&self.target, &examined))?;
        } else {
            print(&server_page(&self.target, &examined).text(paint()))?;
        }
        if !examined.iter().any(|one| one.diagnosis.examined) {
            return Err(Failure::Findings);
        }
        outcome(examined.iter().flat_map(|one| &one.diagnosis.findings))
    }

    /// Examines each address on its own, all at once.
    async fn examine(&self) -> Result<Vec<Examined>, Failure> {
        let trust = self.reach.trust()?;
        let targets = Target::resolve(&self.target, self.reach.sni.as_deref()).await?;
        let (interrupt, stop) = tokio::sync::watch::channel(false);
        let Self { reach: Reach { starttls, .. }, intrusive, watch, .. } = *self;
        let plan = Plan { starttls, request: self.request(), intrusive, watch, stop };
        let examinations = targets.iter().map(|target| {
            let (trust, plan) = (trust.for_another(), &plan);
            let prefix = if targets.len() > 1 { format!("{}  ", target.address) } else { String::new() };
            async move {
                let progress = |progress: Progress<'_>| tell(&prefix, progress);
                let examination = examine(target, &trust, plan, &progress).await;
                let diagnosis = diagnose(&examination);
                Examined { examination, diagnosis }
            }
        });
        let all = join_all(examinations);
        if self.watch.is_none() {
            return Ok(all.await);
        }
        // Whoever has seen enough still wants to know what was seen.
        let interrupted = async {
            if tokio::signal::ctrl_c().await.is_ok() {
                interrupt.send_replace(true);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            examined = all => Ok(examined),
            () = interrupted => Ok(Vec::new()),
        }
    }

    /// What is said once TLS is there; nothing where that is what was asked for.
    fn request(&self) -> Option<Vec<u8>> {
        let named = self.target.rsplit_once(':').map_or("", |(host, _)| host);
        let host = self.reach.sni.as_deref().unwrap_or(named);
        let usual = || self.reach.starttls.map_or_else(|| http(host), |protocol| protocol.greeting(host));
        Some(self.reach.send().unwrap_or_else(usual)).filter(|request| !request.is_empty())
    }
}

fn http(host: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: raincheck\r\nAccept: */*\r\n\r\n").into_bytes()
}

/// Says what goes on: each step to whoever sits there and waits, what changes to everyone.
fn tell(prefix: &str, progress: Progress<'_>) {
    match progress {
        Progress::Step(step) if std::io::stderr().is_terminal() => say(format_args!("{prefix}{step}")),
        Progress::Step(_) => {}
        Progress::Event(event) => say(format_args!("{prefix}{event}")),
    }
}
