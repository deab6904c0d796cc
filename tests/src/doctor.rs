//! `raincheck doctor`, and what it reports.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::deadline::until;
use crate::edge::raincheck;
use crate::pki::Identity;
use crate::program::{self, Finished};
use crate::site::{NAME, Site};

/// A `raincheck doctor server` that does not run yet.
#[derive(Debug)]
pub struct DoctorServer(Command);

/// One that runs, and watches.
#[derive(Debug)]
pub struct Watching {
    child: Child,
    said: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

/// What it reported.
#[derive(Clone)]
pub struct Report {
    /// The exit status.
    pub status: Option<i32>,
    /// The object it printed.
    pub json: Value,
}

impl DoctorServer {
    /// Of the server at this address, which is asked for [`NAME`] and has a certificate of the site's authority.
    pub fn new(site: &Site, address: SocketAddr) -> Self {
        Self::named(site, address, NAME)
    }

    /// The same, asked for another name.
    pub fn named(site: &Site, address: SocketAddr, name: &str) -> Self {
        let mut command = raincheck();
        command.args(["doctor", "server", &address.to_string(), "--sni", name, "--ca"]).arg(site.authority.file());
        Self(command)
    }

    /// With another flag, or more.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.0.args(arguments);
        self
    }

    /// With a client certificate.
    pub fn showing(mut self, identity: &Identity) -> Self {
        self.0.arg("--cert").arg(&identity.chain).arg("--key").arg(&identity.key);
        self
    }

    /// Runs it; gives the report for programs.
    pub fn report(mut self) -> Report {
        self.0.arg("--json");
        let Finished { status, stdout, stderr } = self.text();
        let json = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"));
        Report { status, json }
    }

    /// Runs it; gives what it printed.
    pub fn text(&mut self) -> Finished {
        program::run(&mut self.0, b"")
    }

    /// Starts it, and waits until it watches.
    pub fn watch(mut self) -> Watching {
        self.0.args(["--watch", "1m", "--json"]);
        let mut child = program::spawn(&mut self.0);
        let said: Arc<Mutex<String>> = Arc::default();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let reader = thread::spawn({
            let said = said.clone();
            move || lines.map_while(Result::ok).for_each(|line| *said.lock().unwrap() += &(line + "\n"))
        });
        let watching = Watching { child, said, reader };
        watching.says("watching for");
        watching
    }
}

impl Watching {
    /// Waits until it says that.
    pub fn says(&self, text: &str) {
        until(&format!("the doctor says {text:?}"), || self.said.lock().unwrap().contains(text).then_some(()));
    }

    /// Ends it as Ctrl-C does; gives the report.
    pub fn interrupt(self) -> Report {
        program::signal(self.child.id(), "INT");
        let Finished { status, stdout, .. } = program::finish(self.child, "the doctor");
        self.reader.join().unwrap();
        let said = self.said.lock().unwrap();
        let json = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{said}"));
        Report { status, json }
    }
}

impl Report {
    /// The names of the problems.
    pub fn problems(&self) -> Vec<&str> {
        self.findings("problem")
    }

    /// The names of the notes.
    pub fn notes(&self) -> Vec<&str> {
        self.findings("note")
    }

    /// The finding of this name.
    pub fn finding(&self, name: &str) -> &Value {
        let findings = self.json["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["name"] == name).unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }

    /// What it says of a way to resume: `psk`, `ticket` or `session-id`.
    pub fn way(&self, way: &str) -> &Value {
        let ways = self.json["addresses"][0]["ways"].as_array().unwrap();
        ways.iter().find(|found| found["way"] == way).unwrap_or_else(|| panic!("no {way} in {self:#?}"))
    }

    /// Whether sessions resume by `psk`, by `ticket` and by `session-id`.
    pub fn resumes(&self) -> [&str; 3] {
        ["psk", "ticket", "session-id"].map(|way| self.way(way)["resumes"].as_str().unwrap())
    }

    /// What came of the first address, in a sentence.
    pub fn verdict(&self) -> &str {
        self.json["addresses"][0]["verdict"].as_str().unwrap()
    }

    fn findings(&self, severity: &str) -> Vec<&str> {
        let findings = self.json["findings"].as_array().unwrap_or_else(|| panic!("no findings in {self:#?}"));
        let found = findings.iter().filter(|finding| finding["severity"] == severity);
        found.map(|finding| finding["name"].as_str().unwrap()).collect()
    }
}

impl fmt::Debug for Report {
    /// What was found, and each step on the way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit status {:?}", self.status)?;
        for finding in self.json["findings"].as_array().into_iter().flatten() {
            let text = |name: &str| finding[name].as_str().unwrap_or_default();
            writeln!(f, "{} {}: {}\n    {}", text("severity"), text("name"), text("summary"), finding["evidence"])?;
        }
        for address in self.json["addresses"].as_array().into_iter().flatten() {
            writeln!(f, "{}", address["verdict"])?;
            for trial in address["trials"].as_array().into_iter().flatten() {
                writeln!(f, "{}", trial["step"].as_str().unwrap_or_default())?;
            }
        }
        Ok(())
    }
}
