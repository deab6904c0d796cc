//! The real `raincheck keys agent`: started, asked, told, stopped.

use std::fmt::Display;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use raincheck_keyring::Epoch;
use serde_json::Value;

use crate::address;
use crate::backend::haproxy::Haproxy;
use crate::backend::nginx::Prepared;
use crate::config::{line, quoted, set, source_http, table};
use crate::deadline::until;
use crate::edge::{Answer, ask_admin, raincheck};
use crate::etcd::Etcd;
use crate::fleet::FLEET;
use crate::keys::Server;
use crate::metrics::Metrics;
use crate::pki::Authority;
use crate::program::{self, Finished};
use crate::scratch::Scratch;

/// A configuration of an agent. The admin address is always on, since the harness asks it.
#[derive(Clone, Debug)]
pub struct Config {
    keys: Vec<(String, String)>,
    source: (String, Vec<(String, String)>),
    sinks: Vec<Sink>,
    admin: SocketAddr,
}

/// A `[[sink]]`.
#[derive(Clone, Debug)]
pub struct Sink {
    settings: Vec<(String, String)>,
}

/// A running `raincheck keys agent`; killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    config: Config,
    file: PathBuf,
    stderr: PathBuf,
}

impl Config {
    /// The node of this name in the fleet that meets at `etcd`.
    pub fn of_fleet(etcd: &Etcd, secret: &Path, node: &str) -> Self {
        let settings = [
            ("endpoints", format!("[{}]", quoted(etcd.url()))),
            ("fleet", quoted(FLEET)),
            ("secret-file", quoted(secret.display())),
        ];
        let settings = settings.map(|(key, value)| (key.to_owned(), value)).to_vec();
        Self::of("etcd", settings).keys("node", quoted(node))
    }

    /// The node of this name that asks `server`.
    pub fn of_server(server: &Server, authority: &Authority, node: &str) -> Self {
        let settings = source_http(&[server.config().url()], &authority.file(), Some(&authority.client(node)));
        Self::of("http", settings).keys("node", quoted(node))
    }

    /// A node that takes the ring from a file.
    pub fn of_file(path: &Path) -> Self {
        Self::of("file", vec![("path".to_owned(), quoted(path.display()))])
    }

    fn of(source: &str, settings: Vec<(String, String)>) -> Self {
        let source = (source.to_owned(), settings);
        Self { keys: Vec::new(), source, sinks: Vec::new(), admin: address::unused() }
    }

    /// Sets a key of `[keys]` to a TOML value.
    pub fn keys(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.keys, key, value);
        self
    }

    /// Feeds this product as well.
    pub fn sink(mut self, sink: Sink) -> Self {
        self.sinks.push(sink);
        self
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let (source, settings) = &self.source;
        table(&mut text, "[keys]", &self.keys);
        line(&mut text, "source", quoted(source));
        table(&mut text, &format!("[keys.{source}]"), settings);
        table(&mut text, "[agent]", &[]);
        line(&mut text, "admin", quoted(self.admin));
        self.sinks.iter().for_each(|sink| table(&mut text, "[[sink]]", &sink.settings));
        text
    }
}

impl Sink {
    /// A product of this kind with this file, which may be on a disk: the keys of tests are worth nothing.
    pub fn new(kind: &str, file: &Path) -> Self {
        let file = quoted(file.display());
        let settings = [("name", quoted(kind)), ("kind", quoted(kind)), ("file", file), ("on-disk", "true".to_owned())];
        Self { settings: settings.map(|(key, value)| (key.to_owned(), value)).to_vec() }
    }

    /// This HAProxy, which has its keys from this file.
    pub fn haproxy(haproxy: &Haproxy, file: &Path) -> Self {
        Self::new("haproxy", file).set("socket", quoted(haproxy.stats_socket().display()))
    }

    /// This nginx, which includes this file. Each test that it is asked for is a line in `tested`.
    pub fn nginx(nginx: &Prepared, include: &Path, tested: &Path) -> Self {
        let words = |words: &[String]| format!("[{}]", words.iter().map(quoted).collect::<Vec<_>>().join(", "));
        let test = format!("echo tested >> '{}' && exec {}", tested.display(), nginx.command(&["-t"]).join(" "));
        Self::new("nginx", include)
            .set("test", words(&["sh".to_owned(), "-c".to_owned(), test]))
            .set("reload", words(&nginx.command(&["-s", "reload"])))
            .set("pid-file", quoted(nginx.pid_file().display()))
    }

    /// Sets a key to a TOML value.
    pub fn set(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.settings, key, value);
        self
    }
}

impl Agent {
    /// Starts an agent and waits until it answers operators, whether its products have keys or not.
    pub fn start(scratch: &Scratch, config: Config) -> Self {
        let file = scratch.write(&format!("agent-{}.toml", config.admin.port()), config.text());
        let stderr = scratch.join(&format!("agent-{}.stderr", config.admin.port()));
        let child = raincheck()
            .args(["keys", "agent", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let mut agent = Self { child, config, file, stderr };
        until("the agent answers", || {
            let ended = agent.child.try_wait().unwrap();
            assert!(ended.is_none(), "the agent ended: {ended:?}");
            ask_admin(agent.config.admin, "/healthz")
        });
        agent
    }

    /// The same, once all of its products have keys.
    pub fn start_ready(scratch: &Scratch, config: Config) -> Self {
        let agent = Self::start(scratch, config);
        agent.expect_ready();
        agent
    }

    /// Runs an agent that is expected to refuse this configuration; gives what it said. Panics when it runs all the same.
    pub fn refusal(scratch: &Scratch, text: &str) -> Finished {
        let file = scratch.write("refused.toml", text);
        program::run(raincheck().args(["keys", "agent", "-c"]).arg(file), b"")
    }

    /// Waits until all of its products have keys.
    pub fn expect_ready(&self) {
        until("the agent is ready", || (self.admin("/readyz").status == 200).then_some(()));
    }

    /// What it was started with, or has read since.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Ends it at once. Gives what it was started with.
    pub fn kill(mut self) -> Config {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.config.clone()
    }

    /// Stops it in its tracks, until [`thaw`](Self::thaw).
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        until("the agent ends", || self.child.try_wait().unwrap())
    }

    /// Puts another configuration in the file it was started with, and has it read.
    pub fn reload(&mut self, config: Config) {
        self.reload_text(&config.text());
        self.config = config;
    }

    /// The same with any text.
    pub fn reload_text(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
        self.signal("HUP");
    }

    /// Asks the admin address for a path.
    pub fn admin(&self, path: &str) -> Answer {
        ask_admin(self.config.admin, path).unwrap_or_else(|| panic!("the admin address does not answer {path}"))
    }

    /// `/status.json`, read.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.admin("/status.json").body).unwrap()
    }

    /// The epoch of its ring.
    pub fn epoch(&self) -> Epoch {
        self.status()["keys"]["epoch"].as_str().expect("an epoch").parse().expect("an epoch")
    }

    /// What it says of a product.
    pub fn sink(&self, name: &str) -> Value {
        let status = self.status();
        let sinks = status["sinks"].as_array().expect("a list").clone();
        sinks.into_iter().find(|sink| sink["name"] == name).unwrap_or_else(|| panic!("no sink {name}: {status}"))
    }

    /// The ring that a product holds; none so far if it has none.
    pub fn held(&self, name: &str) -> Option<Epoch> {
        self.sink(name)["epoch"].as_str().map(|epoch| epoch.parse().expect("an epoch"))
    }

    /// `/metrics`, read.
    pub fn metrics(&self) -> Metrics {
        Metrics::parse(&self.admin("/metrics").body)
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Waits for a text in that, after the first `from` bytes.
    pub fn expect_log(&self, from: usize, text: &str) {
        until(&format!("the agent's log says {text:?}"), || {
            self.log().get(from..).is_some_and(|log| log.contains(text)).then_some(())
        });
    }

    /// Waits until it says of a product that it cannot be given keys, and why: this is in it.
    pub fn expect_error(&self, sink: &str, text: &str) -> String {
        until(&format!("sink {sink} fails with {text:?}"), || {
            let error = self.sink(sink)["error"].as_str()?.to_owned();
            error.contains(text).then_some(error)
        })
    }

    fn signal(&self, name: &str) {
        program::signal(self.child.id(), name);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the agent's stderr\n{}\n---", self.log());
        }
    }
}
