//! `raincheck doctor fleet`, and what it reports.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use crate::edge::raincheck;
use crate::program::{self, Finished};
use crate::site::{NAME, Site};

/// What it reported.
#[derive(Debug)]
pub struct FleetReport {
    /// The exit status.
    pub status: Option<i32>,
    /// The object it printed.
    pub json: Value,
}

/// The command, ready to run, for these nodes: they are asked for [`NAME`], and have a certificate of the site's authority.
pub fn command(site: &Site, nodes: &[SocketAddr], flags: &[&str]) -> Command {
    let mut command = raincheck();
    command.args(["doctor", "fleet"]).args(nodes.iter().map(ToString::to_string));
    command.args(["--sni", NAME, "--ca"]).arg(site.authority.file()).args(flags);
    command
}

/// The report on these nodes, which are asked once.
pub fn report(site: &Site, nodes: &[SocketAddr]) -> FleetReport {
    FleetReport::of(program::run(&mut command(site, nodes, &["--wait", "0s", "--json"]), b""))
}

impl FleetReport {
    /// What a run with `--json` printed.
    pub fn of(finished: Finished) -> Self {
        let Finished { status, stdout, stderr } = finished;
        let json = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"));
        Self { status, json }
    }

    /// The names of the findings with their severity: `problem` or `note`.
    pub fn findings(&self) -> Vec<(&str, &str)> {
        let findings = self.json["findings"].as_array().unwrap().iter();
        findings.map(|finding| (finding["name"].as_str().unwrap(), finding["severity"].as_str().unwrap())).collect()
    }

    /// What was seen of the finding of this name.
    pub fn evidence(&self, name: &str) -> String {
        let findings = self.json["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["name"] == name);
        finding.unwrap_or_else(|| panic!("no {name} in {:#}", self.json["findings"]))["evidence"].to_string()
    }

    /// The nodes that resume one another's sessions.
    pub fn groups(&self) -> Vec<Vec<SocketAddr>> {
        let groups = self.json["groups"].as_array().unwrap().iter();
        groups.map(|group| group.as_array().unwrap().iter().map(address).collect()).collect()
    }

    /// The result of asking `asked` for a session of `issuer`, and why it was refused: `refused other-key`.
    pub fn result(&self, way: &str, issuer: SocketAddr, asked: SocketAddr) -> String {
        let cells = self.json["table"].as_array().unwrap();
        let cell = cells
            .iter()
            .find(|cell| cell["way"] == way && address(&cell["issuer"]) == issuer && address(&cell["asked"]) == asked);
        let cell = cell.unwrap_or_else(|| panic!("no {way} of {issuer} at {asked}"));
        let text = |name: &str| cell[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("result"), text("why")).trim_end().to_owned()
    }

    /// Why this node could not be asked to the end, if so.
    pub fn failure(&self, node: SocketAddr) -> Option<&str> {
        let nodes = self.json["nodes"].as_array().unwrap();
        nodes.iter().find(|found| address(&found["address"]) == node).unwrap()["failure"].as_str()
    }
}

fn address(value: &Value) -> SocketAddr {
    value.as_str().unwrap().parse().unwrap()
}
