//! `raincheck doctor client`: started, visited, ended.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::Child;
use std::thread;

use serde_json::Value;

use crate::edge::raincheck;
use crate::program::{self, Finished};

/// A running `raincheck doctor client`; killed when dropped.
#[derive(Debug)]
pub struct DoctorClient {
    child: Option<Child>,
    page: SocketAddr,
    scenarios: BTreeMap<String, SocketAddr>,
}

/// What it printed when it ended, with `--json`.
#[derive(Debug)]
pub struct Report {
    /// The exit status.
    pub status: Option<i32>,
    /// The object.
    pub json: Value,
}

impl DoctorClient {
    /// Starts one that prints JSON in the end, with these arguments besides, on ports that are free.
    pub fn start(arguments: &[&str]) -> Self {
        Self::spawn(&[&["--json"], arguments].concat())
    }

    /// Starts one that prints text in the end.
    pub fn start_in_text() -> Self {
        Self::spawn(&[])
    }

    fn spawn(arguments: &[&str]) -> Self {
        let mut child = program::spawn(raincheck().args(["doctor", "client"]).args(arguments));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut guide = String::new();
        while !guide.contains("/verdicts") {
            let line = lines.next().and_then(Result::ok).unwrap_or_else(|| panic!("it ended: {guide}"));
            guide += &line;
            guide.push('\n');
        }
        // What it says later must not fill the pipe.
        thread::spawn(move || lines.for_each(drop));
        let address =
            |line: &str| -> Option<SocketAddr> { line.split_once("https://")?.1.split('/').next()?.parse().ok() };
        let page = guide.lines().next().and_then(address).expect("the page comes first");
        let scenarios = guide.lines().filter(|line| line.starts_with("  ") && !line.contains("curl"));
        let scenario = |line: &str| Some((line.split_whitespace().next()?.to_owned(), address(line)?));
        Self { child: Some(child), page, scenarios: scenarios.filter_map(scenario).collect() }
    }

    /// Where the page is.
    pub fn page(&self) -> SocketAddr {
        self.page
    }

    /// Where a scenario is.
    pub fn address(&self, scenario: &str) -> SocketAddr {
        self.scenarios[scenario]
    }

    /// Lets `visit` make as many connections with each scenario as it asks for.
    pub fn visit_all(&self, visit: impl Fn(SocketAddr, usize)) {
        for (scenario, address) in &self.scenarios {
            visit(*address, planned(scenario));
        }
    }

    /// Sends SIGTERM, and gives what it found out.
    pub fn end(self) -> Report {
        Report::of(&self.end_by("TERM"))
    }

    /// Sends this signal, and gives what it left behind.
    pub fn end_by(mut self, signal: &str) -> Finished {
        let child = self.child.take().unwrap();
        program::signal(child.id(), signal);
        program::finish(child, "raincheck doctor client")
    }

    /// Waits until it ends by itself.
    pub fn ended(mut self) -> Report {
        Report::of(&program::finish(self.child.take().unwrap(), "raincheck doctor client --once"))
    }
}

impl Drop for DoctorClient {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Report {
    fn of(finished: &Finished) -> Self {
        let json =
            serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.output()));
        Self { status: finished.status, json }
    }

    /// What it says of a scenario.
    pub fn scenario(&self, name: &str) -> &Value {
        let scenarios = self.json["scenarios"].as_array().unwrap();
        scenarios
            .iter()
            .find(|scenario| scenario["scenario"] == name)
            .unwrap_or_else(|| panic!("{name}: {}", self.json))
    }

    /// The verdicts other than that all is well, by scenario.
    pub fn conspicuous(&self) -> Vec<(&str, &str)> {
        let scenarios = self.json["scenarios"].as_array().unwrap().iter();
        let all = scenarios.map(|of| (of["scenario"].as_str().unwrap(), of["verdict"].as_str().unwrap()));
        all.filter(|(_, verdict)| !["full", "resumed"].contains(verdict)).collect()
    }

    /// The findings, in order of name: name and severity.
    pub fn findings(&self) -> Vec<(&str, &str)> {
        let findings = self.json["findings"].as_array().unwrap().iter();
        let mut all: Vec<_> =
            findings.map(|of| (of["name"].as_str().unwrap(), of["severity"].as_str().unwrap())).collect();
        all.sort_unstable();
        all
    }
}

/// How many connections a scenario asks for.
fn planned(scenario: &str) -> usize {
    match scenario {
        "no-resumption" => 2,
        "renewal" | "rotation" => 6,
        _ => 3,
    }
}
