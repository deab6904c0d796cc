//! Measures, from outside, what TLS terminators cost: CPU time per handshake and per GB, memory per idle connection, and what
//! their checks of servers cost. HAProxy, nginx and `raincheck edge` run in turns in the same run, each pinned to one core, the
//! load and the upstream to another. And what it costs to read captures, beside tshark. See README.md beside this crate.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod captures;
mod case;
mod checks;
mod client;
mod costs;
mod error;
mod load;
mod machine;
mod measure;
mod product;
mod report;
mod sample;
mod tickets;
mod upstream;
mod version;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::captures::make::Make;
use crate::case::{Case, Choice};
use crate::checks::backends::Backends;
use crate::error::Error;
use crate::machine::Cores;
use crate::product::{Installed, Product, Site};
use crate::report::{Report, Row};
use crate::sample::{Scale, sample};

/// Compare the CPU time and memory of TLS terminators, side by side.
#[derive(Parser)]
#[command(name = "raincheck-bench")]
struct Args {
    #[command(subcommand)]
    part: Option<Part>,

    /// Turns each product gets in each case; the ratios are medians over them
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How long each turn measures, in seconds
    #[arg(long, default_value = "1", value_parser = window)]
    seconds: Duration,

    /// Only these products (default: all that are there)
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Product>,

    /// Only these cases (default: all)
    #[arg(long, value_delimiter = ',', value_enum)]
    case: Vec<Choice>,

    /// The raincheck to measure (default: target/release/raincheck beside this program)
    #[arg(long, value_name = "PATH")]
    raincheck: Option<PathBuf>,

    /// Connections at once, in the handshake cases
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    concurrency: u32,

    /// Nothing but the handshake in the handshake cases: no bytes to the upstream and back
    #[arg(long)]
    bare: bool,

    /// Connections held open, in the idle case
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=20_000))]
    idle_connections: u32,

    /// Servers checked, in the cases of checks
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(20..=2000))]
    servers: u32,

    /// How long each turn measures in the cases of checks, in seconds
    #[arg(long, default_value = "3", value_parser = check_window)]
    check_seconds: Duration,

    /// Bytes of each capture, in the cases of captures
    #[arg(long, default_value_t = 1_000_000_000, value_name = "BYTES")]
    capture_size: u64,

    /// Print one JSON object instead of the table
    #[arg(long)]
    json: bool,
}

/// Another part than the client's.
#[derive(Subcommand)]
enum Part {
    /// The servers that are checked
    #[command(hide = true)]
    Backends(Backends),
    /// Make a capture as large as you like from real ones
    Capture(Make),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.part {
        Some(Part::Backends(backends)) => backends.run().map(|()| String::new()),
        Some(Part::Capture(make)) => make.run(),
        None => bench(&args),
    };
    match done {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("raincheck-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole run. The calling thread becomes the load's: it is pinned, and runs client and upstream.
fn bench(args: &Args) -> Result<String, Error> {
    let products = installed(args)?;
    let cores = Cores::choose()?;
    machine::allow_open_files(u64::from(args.idle_connections))?;
    machine::pin(cores.load)?;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("start the runtime"))?;
    // On Ctrl-C the future of the run is dropped, and the servers and files it owns with it.
    let report = runtime.block_on(async {
        tokio::select! {
            report = run(args, products, cores) => report,
            _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
        }
    })?;
    Ok(if args.json { format!("{:#}\n", report.to_json()) } else { report.to_string() })
}

async fn run(args: &Args, products: Vec<Installed>, cores: Cores) -> Result<Report, Error> {
    let scale = Scale {
        window: args.seconds,
        concurrency: args.concurrency,
        bare: args.bare,
        idle_connections: args.idle_connections,
    };
    let site = Site::new(cores.server, args.idle_connections)?;
    let check_scale = checks::Scale { rounds: args.rounds, window: args.check_seconds, servers: args.servers };
    let choices = if args.case.is_empty() { Choice::ALL.to_vec() } else { args.case.clone() };

    let capture_scale = captures::Scale { rounds: args.rounds, core: cores.server, size: args.capture_size };
    let (mut rows, mut checks, mut captures) = (Vec::new(), Vec::new(), Vec::new());
    for choice in choices {
        match choice {
            Choice::Terminator(case) => rows.push(measure(case, &products, &site, args.rounds, &scale).await?),
            Choice::Checks(case) => checks.push(checks::measure(case, &products, &site, check_scale).await?),
            Choice::Captures(case) => captures.push(captures::measure(case, &products, capture_scale).await?),
        }
    }
    let (rounds, window, check_window) = (args.rounds, args.seconds, args.check_seconds);
    Ok(Report { products, rounds, window, rows, checks, check_window, captures })
}

/// One case, in turns, so that what disturbs the machine for a while disturbs all of the products.
async fn measure(case: Case, products: &[Installed], site: &Site, rounds: u32, scale: &Scale) -> Result<Row, Error> {
    let mut row = Row::new(case);
    for round in 1..=rounds {
        for installed in products {
            let sample = sample(case, installed, site, scale).await?;
            eprintln!("{case} {round}/{rounds}  {:<9}  {}", installed.product, sample.describe(case));
            row.add(installed.product, sample);
        }
    }
    Ok(row)
}

/// The products to run: those asked for, which must all be there, or else all that are.
fn installed(args: &Args) -> Result<Vec<Installed>, Error> {
    let found = Product::ALL
        .into_iter()
        .filter(|product| args.only.is_empty() || args.only.contains(product))
        .map(|product| product.find(args.raincheck.as_deref()));
    if !args.only.is_empty() {
        return found.collect();
    }
    let mut products = Vec::new();
    for product in found {
        match product {
            Ok(installed) => products.push(installed),
            Err(missing) => eprintln!("raincheck-bench: left out: {missing}"),
        }
    }
    if products.is_empty() { Err(Error::NothingToRun) } else { Ok(products) }
}

fn window(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is needed, such as 2 or 0.5".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(window) if window >= SHORTEST_WINDOW => Ok(window),
        _ => Err(format!("at least {SHORTEST_WINDOW:?} is needed for a figure that means something")),
    }
}

/// Checks come once a second to each server: less than that is not all of them.
fn check_window(text: &str) -> Result<Duration, String> {
    window(text).and_then(|window| {
        if window >= SHORTEST_CHECK_WINDOW { Ok(window) } else { Err("at least 2 s are needed".to_owned()) }
    })
}

const SHORTEST_CHECK_WINDOW: Duration = Duration::from_secs(2);
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Checks;

    #[test]
    fn windows() {
        assert_eq!(window("2"), Ok(Duration::from_secs(2)));
        assert_eq!(window("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "x", "0", "-1", "NaN", "1e300"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let args = Args::parse_from(["bench", "--only", "haproxy,raincheck", "--case", "full12,checks13"]);
        assert_eq!(args.only, [Product::Haproxy, Product::Raincheck]);
        assert_eq!(args.case, [Choice::Terminator(Case::Full12), Choice::Checks(Checks::Checks13)]);
    }
}
