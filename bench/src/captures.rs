//! What it costs to read captures: raincheck beside tshark, on captures that are made for it from real ones.

mod file;
mod frame;
pub(crate) mod make;
mod read;
mod template;
mod tshark;

use std::fmt;
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use self::make::{Least, Made, Mix, make};
use crate::case::Captures;
use crate::costs::{Costs, Ratio};
use crate::error::Error;
use crate::measure::{Spent, run};
use crate::product::{Installed, Product, first_line, in_path};

/// How much is read, and how often.
#[derive(Copy, Clone)]
pub(crate) struct Scale {
    pub(crate) rounds: u32,
    pub(crate) core: usize,
    /// Bytes of the captures.
    pub(crate) size: u64,
}

/// Who reads a capture.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    /// `raincheck doctor pcap --json`.
    Raincheck,
    /// `tshark -T fields`.
    Tshark,
}

/// What a run found in one case.
pub(crate) struct CapturesRow {
    case: Captures,
    /// As it says itself, where it is installed.
    tshark: Option<String>,
    made: Made,
    /// By raincheck, in each round.
    spent: Vec<Spent>,
    /// Seconds of CPU time for each GB, where both read in turn.
    costs: Costs<Who>,
}

/// Has both read, from the page cache, on one core: tshark, which takes minutes, in the first round alone.
pub(crate) async fn measure(case: Captures, products: &[Installed], scale: Scale) -> Result<CapturesRow, Error> {
    let raincheck = products.iter().find(|installed| installed.product == Product::Raincheck);
    let raincheck = raincheck.ok_or(Error::NothingReads)?;
    let site = directory()?;
    let capture = site.path().join("capture.pcap");
    let made = make(&capture, case.mix(), case.least(scale), SEED)?;
    check(raincheck, &capture, &made)?;
    eprintln!("{case}: {made}");
    let tshark = version_of_tshark();
    if tshark.is_none() {
        eprintln!("raincheck-bench: left out: tshark; install Debian's by `apt-get install tshark`");
    }
    let mut row = CapturesRow { case, tshark, made, spent: Vec::new(), costs: Costs::none() };
    for round in 1..=scale.rounds {
        let spent = run(&mut doctor(raincheck, &capture), scale.core, DOCTOR_FINE).await?;
        eprintln!("{case} {round}/{}  {:<9}  {}", scale.rounds, Who::Raincheck, describe(&spent, &row.made));
        if round == 1 && case.is_for_tshark() && row.tshark.is_some() {
            let by_tshark = run(&mut tshark::command(&capture), scale.core, TSHARK_FINE).await?;
            eprintln!("{case} {round}/{}  {:<9}  {}", scale.rounds, Who::Tshark, describe(&by_tshark, &row.made));
            for (who, spent) in [(Who::Raincheck, &spent), (Who::Tshark, &by_tshark)] {
                row.costs.add(who, spent.cpu.as_secs_f64() / row.made.gigabytes());
            }
        }
        row.spent.push(spent);
    }
    Ok(row)
}

impl CapturesRow {
    /// What is asked of raincheck: what it is called, what it came to, and what it is to stay within.
    fn goals(&self) -> impl Iterator<Item = (&'static str, Option<Ratio>, f64)> {
        let each = |value: &dyn Fn(&Spent) -> f64| {
            let values = self.spent.iter().map(value).collect::<Vec<_>>();
            Ratio::of(&values, &vec![1.0; values.len()])
        };
        let cost = each(&|spent| spent.cpu.as_secs_f64() / self.made.gigabytes());
        let absolute = match self.case {
            Captures::Data => ("s of CPU time for each GB", cost, 1.0),
            Captures::Handshakes => ("s of CPU time for each GB", cost, 2.5),
            Captures::Open => ("MB of memory at most", each(&|spent| spent.memory as f64 / MB), 200.0),
        };
        let beside = ("raincheck/tshark", self.costs.ratio(Who::Raincheck, Who::Tshark), 0.02);
        iter::once(absolute).chain(self.case.is_for_tshark().then_some(beside))
    }

    pub(crate) fn to_json(&self) -> Value {
        let (cost, samples) = self.costs.to_json();
        let goals: Map<_, _> = self
            .goals()
            .filter_map(|(name, ratio, mark)| Some((name, ratio?, mark)))
            .map(|(name, ratio, mark)| {
                let goal = json!({ "value": ratio.to_json(), "mark": mark, "reached": ratio.reaches(mark) });
                (name.to_owned(), goal)
            })
            .collect();
        let each = |value: &dyn Fn(&Spent) -> f64| self.spent.iter().map(value).collect::<Vec<_>>();
        json!({
            "case": self.case,
            "capture": self.made,
            "seconds": each(&|spent| spent.elapsed.as_secs_f64()),
            "cpu_seconds": each(&|spent| spent.cpu.as_secs_f64()),
            "memory": each(&|spent| spent.memory as f64),
            "beside_tshark": { "unit": "s/GB", "cost": cost, "samples": samples },
            "goals": goals,
        })
    }
}

/// A line of what was read, and a line for each goal.
impl fmt::Display for CapturesRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<15}  {}", self.case, self.made)?;
        if let (Some(raincheck), Some(tshark)) = (self.costs.median(Who::Raincheck), self.costs.median(Who::Tshark)) {
            let version = self.tshark.as_deref().unwrap_or_default();
            writeln!(f, "    raincheck {raincheck:.2} s/GB, {version} {tshark:.2} s/GB")?;
        }
        for (name, ratio, mark) in self.goals() {
            let (shown, verdict) = ratio.map_or(("-".into(), ""), |ratio| (format!("{ratio:.3}"), ratio.verdict(mark)));
            writeln!(f, "    {name:<32}  {shown:<28}  {mark:.2} {verdict}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Raincheck => "raincheck",
            Self::Tshark => "tshark",
        })
    }
}

impl Captures {
    fn mix(self) -> Mix {
        match self {
            Self::Data => Mix::Data,
            Self::Handshakes => Mix::Handshakes,
            Self::Open => Mix::Open,
        }
    }

    /// Whether tshark reads it too: of open connections, memory is the question.
    fn is_for_tshark(self) -> bool {
        self != Self::Open
    }

    /// How large the capture is.
    fn least(self, scale: Scale) -> Least {
        match self {
            Self::Data => Least { bytes: scale.size, connections: 0 },
            Self::Handshakes => Least { bytes: scale.size, connections: HANDSHAKES },
            Self::Open => Least { bytes: 0, connections: OPEN },
        }
    }
}

/// For the line that is shown while the run goes on.
fn describe(spent: &Spent, made: &Made) -> String {
    let (cpu, elapsed) = (spent.cpu.as_secs_f64(), spent.elapsed.as_secs_f64());
    let (rate, memory) = (made.gigabytes() / cpu, spent.memory as f64 / MB);
    format!("{cpu:7.3} s of CPU time, {rate:.3} GB/s; {elapsed:.3} s in all; {memory:.1} MB of memory")
}

fn doctor(raincheck: &Installed, capture: &Path) -> Command {
    let mut command = Command::new(&raincheck.path);
    command.args(["doctor", "pcap", "--json"]).arg(capture);
    command
}

/// Has it say what it reads: a figure counts if that is all there is.
fn check(raincheck: &Installed, capture: &Path, made: &Made) -> Result<(), Error> {
    let output = doctor(raincheck, capture).stderr(Stdio::null()).output();
    let output = output.map_err(Error::system(format!("start {}", raincheck.path.display())))?;
    let report = serde_json::from_slice::<Report>(&output.stdout).ok();
    let found = report.map_or(0, |report| report.connections.len() as u64);
    if found == made.connections { Ok(()) } else { Err(Error::Misread { found, made: made.connections }) }
}

/// What `doctor pcap --json` prints, as far as it is looked at.
#[derive(Deserialize)]
struct Report {
    connections: Vec<IgnoredAny>,
}

/// `None` where it is not installed.
fn version_of_tshark() -> Option<String> {
    let output = Command::new(in_path("tshark")).arg("--version").stderr(Stdio::null()).output().ok()?;
    Some(first_line(&[output.stdout]))
}

/// Where captures are kept in memory, if there is such a place: no disk is to be busy with writing them.
fn directory() -> Result<TempDir, Error> {
    let in_memory = PathBuf::from("/dev/shm");
    let directory = if in_memory.is_dir() { in_memory } else { std::env::temp_dir() };
    tempfile::Builder::new()
        .prefix("raincheck-bench-")
        .tempdir_in(directory)
        .map_err(Error::system("make a temporary directory"))
}

const SEED: u64 = 1;
/// How many handshakes there are in a capture of them.
const HANDSHAKES: u64 = 200_000;
/// How many connections are open at once.
const OPEN: u64 = 100_000;
const MB: f64 = 1e6;
/// The exit statuses of who has read all: raincheck says by 1 that it found something.
const DOCTOR_FINE: &[i32] = &[0, 1];
const TSHARK_FINE: &[i32] = &[0];
