//! Other people's programs: whether they are here, and what came out of a run.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use crate::deadline;

/// Leaves the test, and says so, when a program it needs is missing. Under `CI=true` or `RAINCHECK_REQUIRE_ALL` the test
/// fails instead.
#[macro_export]
macro_rules! require {
    ($($program:expr),+ $(,)?) => {
        $(if !$crate::program::present($program) { return; })+
    };
}

/// Leaves the test, and says so, when it does not run as root. Under `CI=true` or `RAINCHECK_REQUIRE_ALL` it fails instead.
#[macro_export]
macro_rules! require_root {
    () => {
        if !$crate::program::root() {
            return;
        }
    };
}

/// Whether `program` is in the path, or is a path itself and there; see [`require!`](crate::require).
pub fn present(program: impl AsRef<Path>) -> bool {
    let program = program.as_ref();
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(program).is_file()));
    found || missing(&format!("{}, which `make test` installs", program.display()))
}

/// Whether this is root; see [`require_root!`](crate::require_root).
pub fn root() -> bool {
    let user = run(Command::new("id").arg("-u"), b"");
    user.stdout.trim() == "0" || missing("root, to make a network namespace")
}

/// What a finished program left behind.
#[derive(Debug)]
pub struct Finished {
    /// The exit status; `None` after a signal.
    pub status: Option<i32>,
    /// Everything it wrote to its standard output, as text.
    pub stdout: String,
    /// Everything it wrote to its standard error, as text.
    pub stderr: String,
}

impl Finished {
    /// Both outputs, one after the other.
    pub fn output(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Itself, if the program ended with 0; panics with what it said otherwise.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.status, Some(0), "{}", self.output());
        self
    }
}

/// Runs a program to its end with `input` as its standard input, which is then closed. Panics when it does not end.
pub fn run(command: &mut Command, input: &[u8]) -> Finished {
    let mut child = spawn(command);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that never reads its input would block us here, and one that ended breaks the pipe.
    let writer = thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let finished = finish(child, &format!("{command:?}"));
    writer.join().unwrap();
    finished
}

/// Starts a program with all three standard streams piped.
pub fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Sends a signal, such as `HUP`, to the process of this ID, which must be there.
pub fn signal(process: u32, name: &str) {
    run(Command::new("kill").arg(format!("-{name}")).arg(process.to_string()), b"").succeeded();
}

/// Collects what a started program still writes and how it ends. Panics, and kills it, when it does not end.
pub fn finish(mut child: Child, what: &str) -> Finished {
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let ended = deadline::within(deadline::PATIENCE, || child.try_wait().unwrap());
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let text = |stream: Option<JoinHandle<String>>| stream.map(|reader| reader.join().unwrap()).unwrap_or_default();
    let (stdout, stderr) = (text(stdout), text(stderr));
    match ended {
        Some(status) => Finished { status: status.code(), stdout, stderr },
        None => panic!("{what} does not end; so far:\n{stdout}\n{stderr}"),
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn missing(what: &str) -> bool {
    let strict =
        std::env::var("CI").is_ok_and(|value| value == "true") || std::env::var_os("RAINCHECK_REQUIRE_ALL").is_some();
    assert!(!strict, "this test needs {what}");
    // Straight to the terminal: the test runner keeps `println!` of a passing test to itself.
    let _ = writeln!(std::io::stderr(), "skipped: {} needs {what}", thread::current().name().unwrap_or("a test"));
    false
}
