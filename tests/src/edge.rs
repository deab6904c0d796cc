//! The real binary: started, asked, told, stopped.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::config::Config;
use crate::deadline::{self, until};
use crate::metrics::Metrics;
use crate::program::{self, Finished};
use crate::scratch::Scratch;

/// A running `raincheck edge`; killed when dropped.
#[derive(Debug)]
pub struct Edge {
    child: Child,
    config: Option<Config>,
    file: PathBuf,
    admin: SocketAddr,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// An answer of the admin page.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Edge {
    /// Starts an edge with this configuration and waits until it is ready.
    pub fn start(scratch: &Scratch, config: Config) -> Self {
        Self::start_by(raincheck(), scratch, config)
    }

    /// Starts an edge with this configuration by a command that becomes the binary, and waits until it is ready.
    pub fn start_by(command: Command, scratch: &Scratch, config: Config) -> Self {
        let file = scratch.write(&format!("edge-{}.toml", config.admin().port()), config.text());
        let mut edge = Self::spawn_by(command, scratch, [OsStr::new("-c"), file.as_os_str()], config.admin());
        edge.file = file;
        edge.config = Some(config);
        edge
    }

    /// Starts an edge with these flags, `--admin` among them, and waits until it is ready.
    pub fn spawn<A: AsRef<OsStr>>(
        scratch: &Scratch,
        arguments: impl IntoIterator<Item = A>,
        admin: SocketAddr,
    ) -> Self {
        Self::spawn_by(raincheck(), scratch, arguments, admin)
    }

    fn spawn_by<A: AsRef<OsStr>>(
        mut command: Command,
        scratch: &Scratch,
        arguments: impl IntoIterator<Item = A>,
        admin: SocketAddr,
    ) -> Self {
        let stdout = scratch.join(&format!("edge-{}.stdout", admin.port()));
        let stderr = scratch.join(&format!("edge-{}.stderr", admin.port()));
        let child = command
            .arg("edge")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let mut edge = Self { child, config: None, file: PathBuf::new(), admin, stdout, stderr };
        until("the edge is ready", || {
            let ended = edge.child.try_wait().unwrap();
            assert!(ended.is_none(), "the edge ended: {ended:?}");
            ask_admin(admin, "/readyz").filter(|answer| answer.status == 200)
        });
        edge
    }

    /// Runs an edge that is expected to refuse this configuration; gives what it said. Panics when it runs all the same.
    pub fn refusal(scratch: &Scratch, text: &str) -> Finished {
        let file = scratch.write("refused.toml", text);
        program::run(raincheck().arg("edge").arg("-c").arg(file), b"")
    }

    /// The configuration it was started with.
    pub fn config(&self) -> &Config {
        self.config.as_ref().expect("started with a configuration, not with flags")
    }

    /// Where the listener of this name listens.
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.config().address(listener)
    }

    /// Its process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Puts another configuration in the file it was started with. SIGHUP makes it read that.
    pub fn write_config(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) {
        self.signal("HUP");
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends SIGABRT, which ends it with a core dump where that is allowed.
    pub fn abort(&self) {
        self.signal("ABRT");
    }

    /// Ends it at once, without a word.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it in its tracks, until [`thaw`](Self::thaw): what happens meanwhile is there all at once for it.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Waits for the end of the process.
    pub fn ended(&mut self) -> ExitStatus {
        until("the edge ends", || self.child.try_wait().unwrap())
    }

    /// Whether the process still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks the admin page for a path.
    pub fn admin(&self, path: &str) -> Answer {
        ask_admin(self.admin, path).unwrap_or_else(|| panic!("the admin page does not answer {path}"))
    }

    /// `/metrics`, read.
    pub fn metrics(&self) -> Metrics {
        Metrics::parse(&self.admin("/metrics").body)
    }

    /// `/status.json`, read.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.admin("/status.json").body).unwrap()
    }

    /// The sum of the samples of a metric that have these labels.
    pub fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> f64 {
        self.metrics().sum(metric, labels)
    }

    /// The handshakes counted with these labels.
    pub fn handshakes(&self, labels: &[(&str, &str)]) -> f64 {
        self.sum("raincheck_handshakes_total", labels)
    }

    /// Waits until a metric has at least this sum, then asserts that it is no more.
    pub fn expect_sum(&self, metric: &str, labels: &[(&str, &str)], wanted: f64) {
        let reached = deadline::within(COUNTED_WITHIN, || (self.sum(metric, labels) >= wanted).then_some(()));
        let metrics = self.metrics();
        let sum = metrics.sum(metric, labels);
        assert!(
            reached.is_some() && sum == wanted,
            "{metric}{labels:?} is {sum}, not {wanted}; all of it:\n{}",
            metrics.all(metric).map(|sample| format!("{:?} {}\n", sample.labels, sample.value)).collect::<String>()
        );
    }

    /// Waits until this many handshakes with these labels are counted, then asserts that it is no more.
    pub fn expect_handshakes(&self, labels: &[(&str, &str)], wanted: f64) {
        self.expect_sum("raincheck_handshakes_total", labels, wanted);
    }

    /// One command on the stats socket; gives the whole answer.
    pub fn stats(&self, command: &str) -> String {
        ask_stats(self.config().stats_socket(), command)
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> String {
        said(&self.stderr)
    }

    /// The access log so far: its lines on stdout.
    pub fn access_log(&self) -> String {
        said(&self.stdout)
    }

    /// Waits for a text in what it writes to stderr after the first `from` bytes.
    pub fn expect_log(&self, from: usize, text: &str) {
        until(&format!("the log says {text:?}"), || {
            self.log().get(from..).is_some_and(|log| log.contains(text)).then_some(())
        });
    }

    fn signal(&self, name: &str) {
        program::signal(self.pid(), name);
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the edge's stderr\n{}\n--- its stdout\n{}---", self.log(), self.access_log());
        }
    }
}

/// The binary, ready for arguments. Built first, once a process, unless `RAINCHECK_BINARY` names one.
pub fn raincheck() -> Command {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    Command::new(BINARY.get_or_init(|| std::env::var_os("RAINCHECK_BINARY").map_or_else(build, PathBuf::from)))
}

/// Asks an admin page for a path; `None` when nobody answers whole.
pub fn ask_admin(address: SocketAddr, path: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(ANSWERED_WITHIN)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "this client reads no chunks: {head}");
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

/// One command on a stats socket; gives the whole answer.
pub fn ask_stats(path: &Path, command: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(ANSWERED_WITHIN)).unwrap();
    stream.write_all(format!("{command}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What is in the file of one of its outputs. A test that fails may have removed the directory already.
fn said(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}

/// Builds the binary of the profile this test was built in, and gives its path: beside the `deps` the test is in.
fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let directory = test.parent().and_then(Path::parent).expect("a test is in target/PROFILE/deps");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--package", "raincheck"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if directory.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().unwrap();
    assert!(status.success(), "raincheck does not build");
    directory.join("raincheck")
}

const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// Counting comes right after what is counted; a figure that is not there after this is not coming.
const COUNTED_WITHIN: Duration = Duration::from_secs(5);
