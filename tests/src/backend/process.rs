//! The process of a server.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket2::SockRef;

use crate::deadline::{self, until};
use crate::program;
use crate::scratch::Scratch;

/// A running server; killed when dropped. What it said is shown when the test has failed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    said: PathBuf,
}

impl Process {
    /// Starts a server that nobody talks to.
    pub(crate) fn start(scratch: &Scratch, command: &mut Command) -> Self {
        let said = said(scratch, command);
        let file = File::create(&said).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: spawn(command), said }
    }

    /// Starts a server that is talked to over its standard input and output.
    pub(crate) fn start_talking(scratch: &Scratch, command: &mut Command) -> (Self, ChildStdin, ChildStdout) {
        let said = said(scratch, command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&said).unwrap());
        let mut child = spawn(command);
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        (Self { child, said }, stdin, stdout)
    }

    /// What it has said so far, in whole lines.
    pub(crate) fn said(&self) -> String {
        // A test that fails may have removed the directory already.
        let mut said = String::from_utf8_lossy(&fs::read(&self.said).unwrap_or_default()).into_owned();
        said.truncate(said.rfind('\n').map_or(0, |end| end + 1));
        said
    }

    /// Waits until `condition` finds something in what it says. Panics when the process ends without.
    pub(crate) fn says<T>(&mut self, what: &str, mut condition: impl FnMut(&str) -> Option<T>) -> T {
        until(what, || {
            let ended = self.ended();
            let found = condition(&self.said());
            assert!(found.is_some() || ended.is_none(), "{what}, but it ended: {ended:?}\n{}", self.said());
            found
        })
    }

    /// Waits until it accepts connections. Panics when it ends instead.
    pub(crate) fn accepts(&mut self, address: SocketAddr) {
        self.says(&format!("a server at {address}"), |_| {
            let connection = TcpStream::connect(address).ok()?;
            // A reset, which leaves no TIME_WAIT, neither now nor when the server comes to read the end.
            SockRef::from(&connection).set_linger(Some(Duration::ZERO)).unwrap();
            Some(())
        });
    }

    pub(crate) fn signal(&self, name: &str) {
        program::signal(self.child.id(), name);
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn terminate(&mut self) {
        if self.ended().is_none() {
            self.signal("TERM");
            let _ = deadline::within(deadline::PATIENCE, || self.ended());
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}---", self.said.display(), self.said());
        }
    }
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// A file for what this command says, that no other has.
fn said(scratch: &Scratch, command: &Command) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    scratch.join(&format!("{}-{}.said", program.display(), COUNT.fetch_add(1, Ordering::Relaxed)))
}
