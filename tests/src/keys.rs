//! The real `raincheck keys serve`: started, asked, stopped; and the commands that ask it.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::address;
use crate::config::{line, quoted, set, source_http, table};
use crate::deadline::until;
use crate::edge::{Answer, ask_admin, raincheck};
use crate::metrics::Metrics;
use crate::pki::{Authority, Identity};
use crate::program::{self, Finished};
use crate::scratch::Scratch;

/// A configuration of a server of keys. The admin address is always on, since the harness asks it.
#[derive(Clone, Debug)]
pub struct Config {
    keys: Vec<(String, String)>,
    followed: Vec<(String, String)>,
    serve: Vec<(String, String)>,
    ticket_keys: Vec<(String, String)>,
    listen: SocketAddr,
    polled: SocketAddr,
    admin: SocketAddr,
}

/// A running `raincheck keys serve`; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    config: Config,
    file: PathBuf,
    stderr: PathBuf,
}

impl Config {
    /// A server whose certificate, and whose nodes' certificates, this authority has issued; with keys made there.
    pub fn new(authority: &Authority) -> Self {
        let [listen, polled, admin] = [(); 3].map(|()| address::unused());
        let certificate = authority.server(&[&listen.ip().to_string()]);
        let ca = authority.file();
        let serve = [("certificate", &certificate.chain), ("key", &certificate.key), ("client-ca", &ca)];
        let serve = serve.map(|(key, path)| (key.to_owned(), quoted(path.display())));
        let [keys, followed, ticket_keys] = [const { Vec::new() }; 3];
        Self { keys, followed, serve: serve.into(), ticket_keys, listen, polled, admin }
    }

    /// Sets a key of `[keys]` to a TOML value.
    pub fn keys(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.keys, key, value);
        self
    }

    /// Follows the server at this URL, as the node of this name.
    pub fn following(mut self, url: &str, node: &str, authority: &Authority) -> Self {
        self.followed = source_http(&[url.to_owned()], &authority.file(), Some(&authority.client(node)));
        set(&mut self.followed, "every", quoted("1s"));
        self.keys("source", quoted("http")).keys("node", quoted(node))
    }

    /// Sets a key of `[serve.ticket-keys]`, a table that is there once it has one.
    pub fn ticket_keys(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.ticket_keys, key, value);
        self
    }

    /// Believes nodes whose certificates this authority has issued.
    pub fn client_ca(mut self, authority: &Authority) -> Self {
        set(&mut self.serve, "client-ca", quoted(authority.file().display()));
        self
    }

    /// Where nodes ask for the ring.
    pub fn url(&self) -> String {
        format!("https://{}/ring", self.listen)
    }

    /// Where nodes ask.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where whoever polls asks.
    pub fn polled(&self) -> SocketAddr {
        self.polled
    }

    /// Where operators ask.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        table(&mut text, "[keys]", &self.keys);
        if !self.followed.is_empty() {
            table(&mut text, "[keys.http]", &self.followed);
        }
        table(&mut text, "[serve]", &self.serve);
        line(&mut text, "listen", format!("[{}]", quoted(self.listen)));
        line(&mut text, "admin", quoted(self.admin));
        if !self.ticket_keys.is_empty() {
            table(&mut text, "[serve.ticket-keys]", &self.ticket_keys);
            line(&mut text, "listen", format!("[{}]", quoted(self.polled)));
        }
        text
    }
}

impl Server {
    /// Starts a server and waits until it answers operators, whether it has a ring to give or not.
    pub fn start(scratch: &Scratch, config: Config) -> Self {
        let file = scratch.write(&format!("keys-{}.toml", config.admin.port()), config.text());
        let stderr = scratch.join(&format!("keys-{}.stderr", config.admin.port()));
        let child = raincheck()
            .args(["keys", "serve", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(&stderr).unwrap())
            .spawn()
            .unwrap();
        let mut server = Self { child, config, file, stderr };
        until("the server of keys answers", || {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server of keys ended: {ended:?}");
            ask_admin(server.config.admin, "/healthz")
        });
        server
    }

    /// What it was started with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Ends it at once, as a machine that fails does. Gives what it was started with.
    pub fn kill(mut self) -> Config {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.config.clone()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        until("the server of keys ends", || self.child.try_wait().unwrap())
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        program::signal(self.child.id(), name);
    }

    /// Puts another configuration in the file it was started with, and has it read.
    pub fn reload(&mut self, config: Config) {
        fs::write(&self.file, config.text()).unwrap();
        self.config = config;
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
    pub fn epoch(&self) -> String {
        self.status()["keys"]["epoch"].as_str().expect("an epoch").to_owned()
    }

    /// The sum of the samples of a metric that have these labels.
    pub fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> f64 {
        Metrics::parse(&self.admin("/metrics").body).sum(metric, labels)
    }

    /// `raincheck keys` with this command, at this server.
    pub fn command(&self, command: &str) -> Finished {
        keys_command(command, self.config.admin, &[])
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Waits for a text in that.
    pub fn expect_log(&self, text: &str) {
        until(&format!("the log of the server of keys says {text:?}"), || self.log().contains(text).then_some(()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- stderr of the server of keys\n{}---", self.log());
        }
    }
}

/// `raincheck keys COMMAND --admin ADDR` with more arguments.
pub fn keys_command(command: &str, admin: SocketAddr, more: &[&str]) -> Finished {
    let admin = admin.to_string();
    program::run(raincheck().args(["keys", command, "--admin", &admin]).args(more), b"")
}

/// Sends these bytes over plain TCP and gives the whole answer.
pub fn tell(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// `curl` that believes this authority and shows this certificate, ready for a URL.
pub fn curl(authority: &Authority, identity: Option<&Identity>) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "20"]).arg("--cacert").arg(authority.file());
    if let Some(identity) = identity {
        command.arg("--cert").arg(&identity.chain).arg("--key").arg(&identity.key);
    }
    command
}
