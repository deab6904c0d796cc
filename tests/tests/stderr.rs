//! Whoever reads what the edge says may be gone, or may have stopped reading. The service goes on.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, PipeReader, Write, pipe};
use std::process::{Child, Command, Stdio};

use raincheck_tests::client::Version;
use raincheck_tests::config::{Config, Listener};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::{Answer, ask_admin, raincheck};
use raincheck_tests::program::run;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

/// An edge whose stderr is a pipe, and killed when dropped.
struct Piped(Child);

impl Piped {
    fn start(site: &Site, config: &Config, stderr: impl Into<Stdio>) -> Self {
        let file = site.scratch.write("piped.toml", config.text());
        let mut command = raincheck();
        command.arg("edge").arg("-c").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let edge = Self(command.spawn().unwrap());
        until("the edge is ready", || answers(config, "/readyz").then_some(()));
        edge
    }

    fn signal(&self, name: &str) {
        run(Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()), b"").succeeded();
    }

    fn ended(&mut self) -> Option<i32> {
        until("the edge ends", || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn answers(config: &Config, path: &str) -> bool {
    matches!(ask_admin(config.admin(), path), Some(Answer { status: 200, .. }))
}

/// Has the edge say something from each of its threads, and asks whether it is still there.
fn disturb(site: &Site, config: &Config, edge: &Piped) {
    let raw = site.raw(Version::Tls13);
    for _ in 0..3 {
        edge.signal("HUP");
        assert!(answers(config, "/healthz"));
    }
    // As many as it takes to meet each worker at its limit.
    for _ in 0..3 {
        let held = raw.connect(config.address("web"), NAME);
        let (raw, address) = (raw.clone(), config.address("web"));
        let waiting = std::thread::spawn(move || raw.connect(address, NAME));
        drop(held);
        drop(waiting.join().unwrap());
    }
    assert!(answers(config, "/healthz"));
}

#[test]
fn a_reader_that_is_gone_stops_nothing() {
    let site = Site::new();
    let app = Upstream::echo();
    let config = site.config(Listener::new("web", &site.certificate).set("max-connections", 1), app.address());
    let (reader, writer) = pipe().unwrap();
    let mut edge = Piped::start(&site, &config.clone().keys("rotate", "\"1s\""), writer);
    drop(reader);
    disturb(&site, &config, &edge);
    // Keys rotate more than once: whoever rotates them says so.
    for _ in 0..2 {
        let before = issuing_key(&config);
        until("the keys rotate", || (issuing_key(&config) != before).then_some(()));
    }
    edge.signal("TERM");
    assert_eq!(edge.ended(), Some(0));
}

fn issuing_key(config: &Config) -> String {
    let status = ask_admin(config.admin(), "/status.json").unwrap().body;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let ring = status["keys"]["ring"].as_array().unwrap();
    let issuing = ring.iter().find(|key| key["state"] == "issuing").unwrap();
    issuing["name"].to_string()
}

#[test]
fn a_reader_that_does_not_read_stops_nothing_and_has_it_all_later() {
    let site = Site::new();
    let app = Upstream::echo();
    let config = site.config(Listener::new("web", &site.certificate).set("max-connections", 1), app.address());
    let (reader, writer) = pipe().unwrap();
    fill(&writer);
    let mut edge = Piped::start(&site, &config, writer);
    disturb(&site, &config, &edge);
    edge.signal("TERM");
    assert_eq!(edge.ended(), Some(0));
    drop(reader);

    let (reader, writer) = pipe().unwrap();
    fill(&writer);
    let mut edge = Piped::start(&site, &config, writer);
    disturb(&site, &config, &edge);
    let lines = lines(reader);
    edge.signal("TERM");
    assert_eq!(edge.ended(), Some(0));
    let lines: Vec<String> = lines.join().unwrap();
    for wanted in ["listening on ", "admin on ", "reloaded", "listener web has reached", "draining: "] {
        assert!(lines.iter().any(|line| line.starts_with(wanted)), "no {wanted:?} in {lines:?}");
    }
}

/// So that the next byte has no room.
fn fill(mut pipe: impl Write) {
    let mut filler = vec![b' '; CAPACITY];
    filler[CAPACITY - 1] = b'\n';
    pipe.write_all(&filler).unwrap();
}

fn lines(reader: PipeReader) -> std::thread::JoinHandle<Vec<String>> {
    std::thread::spawn(move || BufReader::new(reader).lines().map(|line| line.unwrap()).collect())
}

/// What a pipe holds (pipe(7)).
const CAPACITY: usize = 64 * 1024;
