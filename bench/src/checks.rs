//! What health checks cost the one who checks: servers over TLS, each asked every second.

pub(crate) mod backends;
mod fleet;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::time::sleep;

use self::fleet::{Fleet, Tally};
use crate::case::Checks;
use crate::client::SERVER_NAME;
use crate::costs::{Costs, Ratio};
use crate::error::Error;
use crate::measure::ProcessTree;
use crate::product::{Installed, Product, Server, Site};

/// How many servers, and how long each turn measures.
#[derive(Copy, Clone)]
pub(crate) struct Scale {
    pub(crate) rounds: u32,
    pub(crate) window: Duration,
    pub(crate) servers: u32,
}

/// Who checks, and how.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Checker {
    /// HAProxy, which has no choice here.
    Haproxy,
    /// raincheck without sessions: every handshake is full.
    Full,
    /// raincheck as it is by default: every handshake resumes.
    Resumed,
    /// raincheck with `keep-alive = true`: no handshakes.
    KeepAlive,
}

/// What a run found in one case.
pub(crate) struct ChecksRow {
    case: Checks,
    costs: Costs<Checker>,
}

/// Has the installed products check servers in turns.
pub(crate) async fn measure(
    case: Checks,
    products: &[Installed],
    site: &Site,
    scale: Scale,
) -> Result<ChecksRow, Error> {
    let mut fleet = Fleet::start(site, case.version(), scale.servers)?;
    let mut costs = Costs::none();
    for round in 1..=scale.rounds {
        for checker in Checker::ALL {
            let Some(installed) = products.iter().find(|installed| installed.product == checker.product()) else {
                continue;
            };
            let sample = sample_again(case, checker, installed, site, &mut fleet, scale.window).await?;
            eprintln!("{case} {round}/{}  {checker:<10}  {sample}", scale.rounds);
            costs.add(checker, sample.cost());
        }
    }
    Ok(ChecksRow { case, costs })
}

impl Checker {
    pub(crate) const ALL: [Self; 4] = [Self::Haproxy, Self::Full, Self::Resumed, Self::KeepAlive];

    fn product(self) -> Product {
        match self {
            Self::Haproxy => Product::Haproxy,
            Self::Full | Self::Resumed | Self::KeepAlive => Product::Raincheck,
        }
    }

    fn command(
        self,
        path: &Path,
        site: &Site,
        listen: SocketAddr,
        servers: impl Iterator<Item = SocketAddr>,
    ) -> Result<Command, Error> {
        let mut command = Command::new(path);
        match self {
            Self::Haproxy => {
                let config = site.write("haproxy-checks.cfg", &haproxy_config(site, listen, servers))?;
                command.arg("-db").arg("-f").arg(config);
            }
            Self::Full | Self::Resumed | Self::KeepAlive => {
                let config = site.write("raincheck-checks.toml", &self.raincheck_config(site, listen, servers))?;
                command.arg("edge").arg("-c").arg(config);
            }
        }
        Ok(command)
    }

    fn raincheck_config(self, site: &Site, listen: SocketAddr, servers: impl Iterator<Item = SocketAddr>) -> String {
        let (certificate, key, ca) = (site.certificate(), site.key(), site.ca());
        let servers: Vec<_> = servers.map(|address| address.to_string()).collect();
        let sessions = if self == Self::Full { "sessions = 0" } else { "" };
        let keep_alive = self == Self::KeepAlive;
        format!(
            "\
[edge]
workers = 1
access-log = \"off\"
[[listener]]
name = \"bench\"
bind = [\"{listen}\"]
upstream = \"fleet\"
[[listener.certificate]]
chain = {certificate:?}
key = {key:?}
[[upstream]]
name = \"fleet\"
servers = {servers:?}
[upstream.tls]
ca = {ca:?}
server-name = \"{SERVER_NAME}\"
{sessions}
[upstream.check]
kind = \"http\"
every = \"1s\"
timeout = \"5s\"
keep-alive = {keep_alive}
"
        )
    }

    /// What is wrong with what the servers saw, if it is not what this checker is to do.
    fn objection(self, seen: Tally) -> Option<String> {
        let few = seen.answers / 100;
        let handshakes = seen.full + seen.resumed;
        // Where the window begins and ends, some are between handshake and answer.
        let one_each = handshakes.abs_diff(seen.answers) <= seen.answers / 10;
        let is_so = match self {
            Self::Haproxy => one_each,
            Self::Full => one_each && seen.resumed == 0,
            Self::Resumed => one_each && seen.full <= few,
            Self::KeepAlive => handshakes <= few,
        };
        (!is_so).then(|| format!("{seen}"))
    }
}

impl fmt::Display for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Haproxy => "haproxy",
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::KeepAlive => "keep-alive",
        })
    }
}

impl ChecksRow {
    /// What is asked of raincheck: what it is called, what it came to, and what it is to stay within.
    fn goals(&self) -> impl Iterator<Item = (&'static str, Option<Ratio>, f64)> {
        let ratio = |checker, other| self.costs.ratio(checker, other);
        // So many checks take so much of a second.
        let hundred =
            self.costs.of(Checker::Resumed).and_then(|costs| Ratio::of(costs, &vec![1e6 / 100.0; costs.len()]));
        [
            ("resumed/full", ratio(Checker::Resumed, Checker::Full), self.case.mark_resumed()),
            ("keep-alive/full", ratio(Checker::KeepAlive, Checker::Full), 0.15),
            ("resumed/haproxy", ratio(Checker::Resumed, Checker::Haproxy), 0.50),
            ("100 resumed a second, of a core", hundred, 0.03),
        ]
        .into_iter()
    }

    pub(crate) fn to_json(&self) -> Value {
        let (cost, samples) = self.costs.to_json();
        let goals: Map<_, _> = self
            .goals()
            .filter_map(|(name, ratio, mark)| Some((name, ratio?, mark)))
            .map(|(name, ratio, mark)| {
                let goal = json!({ "ratio": ratio.to_json(), "mark": mark, "reached": ratio.reaches(mark) });
                (name.to_owned(), goal)
            })
            .collect();
        json!({ "case": self.case, "unit": UNIT, "cost": cost, "samples": samples, "goals": goals })
    }
}

/// Two lines of costs, and a line for each goal.
impl fmt::Display for ChecksRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<9}  {UNIT:<14}", self.case)?;
        for checker in Checker::ALL {
            let cost = self.costs.median(checker).map_or("-".into(), |cost| format!("{cost:.1}"));
            write!(f, "  {checker} {cost}")?;
        }
        writeln!(f)?;
        for (name, ratio, mark) in self.goals() {
            let (shown, verdict) = ratio.map_or(("-".into(), ""), |ratio| (format!("{ratio:.3}"), ratio.verdict(mark)));
            writeln!(f, "    {name:<32}  {shown:<24}  {mark:.2} {verdict}")?;
        }
        Ok(())
    }
}

/// What came of one turn.
struct Sample {
    seen: Tally,
    cpu: Duration,
    elapsed: Duration,
}

impl Sample {
    fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.seen.answers as f64
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (elapsed, cpu) = (self.elapsed.as_secs_f64(), self.cpu.as_secs_f64());
        let (cost, rate, core) = (self.cost(), self.seen.answers as f64 / elapsed, cpu / elapsed * 100.0);
        write!(f, "{cost:8.1} {UNIT}  {rate:.0}/s, {core:.1}% of a core; {}", self.seen)
    }
}

/// A turn that counts. A machine that is busy with something else spoils turns: checks come late, or in heaps, and time out.
async fn sample_again(
    case: Checks,
    checker: Checker,
    installed: &Installed,
    site: &Site,
    fleet: &mut Fleet,
    window: Duration,
) -> Result<Sample, Error> {
    for _ in 1..MOST_TURNS {
        match sample(case, checker, installed, site, fleet, window).await {
            Err(error @ Error::Unlike { .. }) => eprintln!("once more: {error}"),
            done => return done,
        }
    }
    sample(case, checker, installed, site, fleet, window).await
}

/// Starts a checker, and measures what it uses once each server has been checked twice.
async fn sample(
    case: Checks,
    checker: Checker,
    installed: &Installed,
    site: &Site,
    fleet: &mut Fleet,
    window: Duration,
) -> Result<Sample, Error> {
    let unlike = |found: String| Error::Unlike { case, checker, found };
    let first = fleet.tallies()?;
    let command = |listen| checker.command(&installed.path, site, listen, fleet.addresses());
    let server = Server::start(installed, site, command).await?;
    let begun = Instant::now();
    while since(&first, &fleet.tallies()?).any(|seen| seen.answers < 2) {
        if begun.elapsed() > PATIENCE {
            return Err(unlike(format!("not every server was checked twice; it said: {}", server.said())));
        }
        sleep(BETWEEN_LOOKS).await;
    }

    let processes = server.processes();
    let before = Reading::now(&processes, fleet)?;
    sleep(window).await;
    let after = Reading::now(&processes, fleet)?;

    let elapsed = after.at - before.at;
    let seen: Tally = since(&before.tallies, &after.tallies).sum();
    if let Some(found) = checker.objection(seen) {
        return Err(unlike(found));
    }
    let due = before.tallies.len() as f64 * elapsed.as_secs_f64() / EVERY.as_secs_f64();
    if !(0.75..1.25).contains(&(seen.answers as f64 / due)) {
        return Err(unlike(format!("{} checks of {due:.0} that were due", seen.answers)));
    }
    // Of servers that are down both say so; raincheck in the same words, but for the case.
    let said = server.said();
    if said.to_lowercase().contains(" is down") {
        return Err(unlike(format!("servers were found to be down; it said: {said}")));
    }
    Ok(Sample { seen, cpu: after.cpu.saturating_sub(before.cpu), elapsed })
}

struct Reading {
    at: Instant,
    cpu: Duration,
    tallies: Vec<Tally>,
}

impl Reading {
    fn now(checker: &ProcessTree, fleet: &mut Fleet) -> Result<Self, Error> {
        Ok(Self { at: Instant::now(), cpu: checker.cpu_time()?, tallies: fleet.tallies()? })
    }
}

/// What each server has seen between.
fn since(before: &[Tally], after: &[Tally]) -> impl Iterator<Item = Tally> {
    after.iter().zip(before).map(|(after, before)| *after - *before)
}

/// The listener is there because HAProxy wants one. It verifies servers as raincheck does, and asks the same of them, at
/// times that chance moves as raincheck's are moved: without that, checks that were late once come in heaps ever after.
fn haproxy_config(site: &Site, listen: SocketAddr, servers: impl Iterator<Item = SocketAddr>) -> String {
    let ca = site.ca();
    let ca = ca.display();
    let servers: String = servers.map(|address| format!("    server {address} {address}\n")).collect();
    format!(
        "\
global
    nbthread 1
    maxconn 2000
    spread-checks 10
defaults
    mode http
    timeout connect 5s
    timeout check 5s
    timeout client 10m
    timeout server 10m
listen bench
    bind {listen}
    option httpchk
    http-check send meth GET uri / ver HTTP/1.1 hdr Host {SERVER_NAME}
    default-server check inter 1s check-sni {SERVER_NAME} ssl verify required ca-file {ca} verifyhost {SERVER_NAME}
{servers}"
    )
}

const UNIT: &str = "us/check";
/// How often each server is checked, in both configurations.
const EVERY: Duration = Duration::from_secs(1);
/// How long it may take until each server has been checked twice.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often a turn is taken until one counts.
const MOST_TURNS: u32 = 6;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkers_do_what_they_are_called_by() {
        let seen = |full, resumed, answers| Tally { full, resumed, answers };
        let cases = [
            (Checker::Haproxy, seen(900, 0, 900), true),
            (Checker::Haproxy, seen(0, 900, 900), true),
            (Checker::Haproxy, seen(1, 0, 900), false),
            (Checker::Full, seen(900, 0, 900), true),
            (Checker::Full, seen(899, 1, 900), false),
            (Checker::Resumed, seen(9, 891, 900), true),
            (Checker::Resumed, seen(10, 890, 900), false),
            (Checker::Resumed, seen(0, 801, 900), false),
            (Checker::KeepAlive, seen(0, 0, 900), true),
            (Checker::KeepAlive, seen(9, 1, 900), false),
        ];
        for (checker, seen, fine) in cases {
            assert_eq!(checker.objection(seen).is_none(), fine, "{checker}: {seen:?}");
        }
    }
}
