//! The servers that are checked, in processes of their own, so that what they cost is nobody else's.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::iter::Sum;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Sub;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::error::Error;
use crate::product::{Site, in_path};
use crate::version::Version;

/// Servers over TLS that count what they see.
pub(crate) struct Fleet {
    processes: Vec<Process>,
}

/// What a server has seen, or what several have.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) full: u64,
    pub(crate) resumed: u64,
    pub(crate) answers: u64,
}

impl Fleet {
    /// Starts `size` servers that speak this version. A few of them are Java's, if it is installed.
    pub(crate) fn start(site: &Site, version: Version, size: u32) -> Result<Self, Error> {
        let java = start_java(site, version)?;
        let ours = size.saturating_sub(java.as_ref().map_or(0, Process::size));
        let mut command = Command::new(std::env::current_exe().map_err(Error::system("find this program"))?);
        command.arg("backends").arg(site.certificate()).arg(site.key());
        command.arg(version.to_string()).arg(ours.to_string());
        let ours = Process::start(site, "backends", &mut command)?;
        Ok(Self { processes: [ours].into_iter().chain(java).collect() })
    }

    /// Where they listen.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let ports = self.processes.iter().flat_map(|process| &process.ports);
        ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))
    }

    /// What each has seen so far, in the order of the addresses.
    pub(crate) fn tallies(&mut self) -> Result<Vec<Tally>, Error> {
        let mut tallies = Vec::new();
        for process in &mut self.processes {
            tallies.append(&mut process.tallies().map_err(Error::system("ask the servers what they have seen"))?);
        }
        Ok(tallies)
    }
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            full: self.full - before.full,
            resumed: self.resumed - before.resumed,
            answers: self.answers - before.answers,
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            full: sum.full + tally.full,
            resumed: sum.resumed + tally.resumed,
            answers: sum.answers + tally.answers,
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { full, resumed, answers } = self;
        write!(f, "{full} full handshakes, {resumed} resumed, {answers} answers")
    }
}

/// Several servers; killed when dropped.
struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    ports: Vec<u16>,
}

impl Process {
    /// Starts `command`, which prints its ports first of all.
    fn start(site: &Site, name: &str, command: &mut Command) -> Result<Self, Error> {
        let started = || Error::system(format!("start the servers called {name}"));
        let stderr = File::create(site.log(name)).map_err(started())?;
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn().map_err(started())?;
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut process = Self { child, input, output, ports: Vec::new() };
        process.ports = process.numbers().map_err(|_| {
            let said = fs::read_to_string(site.log(name)).unwrap_or_default();
            started()(io::Error::other(said))
        })?;
        Ok(process)
    }

    fn size(&self) -> u32 {
        self.ports.len() as u32
    }

    fn tallies(&mut self) -> io::Result<Vec<Tally>> {
        let mut tallies = Vec::new();
        for port in self.ports.clone() {
            writeln!(self.input, "{port}")?;
            let [full, resumed, _open, answers] = self.numbers()?.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
            tallies.push(Tally { full, resumed, answers });
        }
        Ok(tallies)
    }

    /// The numbers in the next line.
    fn numbers<N: std::str::FromStr>(&mut self) -> io::Result<Vec<N>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let numbers = line.split_ascii_whitespace().map(|number| number.parse().ok()).collect::<Option<Vec<_>>>();
        numbers.filter(|numbers| !numbers.is_empty()).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Servers of Java's JSSE: half of them by `SSLEngine`, half by `SSLSocket`. None, with a line on stderr, without Java.
fn start_java(site: &Site, version: Version) -> Result<Option<Process>, Error> {
    let programs = ["java", "javac"].map(in_path);
    if let Some(missing) = programs.iter().find(|program| !program.is_file()) {
        eprintln!("raincheck-bench: no servers of Java's: {} is not there", missing.display());
        return Ok(None);
    }
    let [java, javac] = programs;
    let source = site.write("Backend.java", BACKEND)?;
    let classes = source.with_file_name("classes");
    compile(&javac, &source, &classes)?;
    let mut command = Command::new(java);
    command.args(["-Xshare:auto", "-XX:+UseSerialGC", "-cp"]).arg(classes).arg("Backend");
    command.arg(site.certificate()).arg(site.key());
    for index in 0..OF_JAVA {
        command.arg(if index % 2 == 0 { "engine" } else { "socket" }).arg(version.to_string());
    }
    Process::start(site, "java", &mut command).map(Some)
}

fn compile(javac: &Path, source: &Path, classes: &Path) -> Result<(), Error> {
    let compiling = || Error::system(format!("compile {}", source.display()));
    let output = Command::new(javac).arg("-d").arg(classes).arg(source).output().map_err(compiling())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(compiling()(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())))
    }
}

const BACKEND: &str = include_str!("../../../tests/java/Backend.java");
/// How many servers are Java's.
const OF_JAVA: u32 = 12;
