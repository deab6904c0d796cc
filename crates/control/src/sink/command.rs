//! Commands of the operator's, such as `nginx -s reload`.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::{CommandFault, SinkError};

/// A program and its arguments. No shell reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    words: Vec<String>,
    patience: Duration,
}

impl Command {
    /// The program and its arguments; it may take as long as `patience`. `None` for no words at all.
    pub fn new(words: Vec<String>, patience: Duration) -> Option<Self> {
        (!words.is_empty()).then_some(Self { words, patience })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It cannot be run, takes too long and is killed, or fails: then with what it said.
    pub(super) async fn run(&self) -> Result<(), SinkError> {
        let fault = match timeout(self.patience, self.ended()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(fault)) => fault,
            Err(_) => CommandFault::TooSlow(self.patience),
        };
        Err(SinkError::Command { command: self.to_string(), fault })
    }

    async fn ended(&self) -> Result<(), CommandFault> {
        let mut command = tokio::process::Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().map_err(CommandFault::NotRun)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (status, stdout, stderr) = tokio::join!(child.wait(), heard(stdout), heard(stderr));
        let status = status.map_err(CommandFault::NotRun)?;
        if status.success() {
            return Ok(());
        }
        let said = [stderr, stdout].concat();
        let said: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let said = if said.is_empty() { "it said nothing".to_owned() } else { said.join("; ") };
        Err(CommandFault::Failed { status: status.to_string(), said })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// The beginning of what comes, once it has all come; an error ends it.
async fn heard(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut said = Vec::new();
    let _ = (&mut stream).take(LONGEST).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    let mut said = String::from_utf8_lossy(&said).into_owned();
    if said.len() as u64 >= LONGEST {
        said.push_str(" ...\n");
    }
    said
}

/// Bytes of each stream that are kept.
const LONGEST: u64 = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_is_run_to_its_end_and_its_words_are_kept() {
        assert!(shell("exit 0").run().await.is_ok());
        let failed = shell("echo on stdout; echo '  on stderr ' >&2; exit 3").run().await.unwrap_err();
        assert!(failed.to_string().ends_with("` failed (exit status: 3): on stderr; on stdout"), "{failed}");
        let silent = shell("exit 1").run().await.unwrap_err().to_string();
        assert!(silent.ends_with("it said nothing"), "{silent}");
        let missing = Command::new(vec!["/nowhere/nginx".to_owned()], PATIENCE).unwrap().run().await.unwrap_err();
        assert!(missing.to_string().starts_with("`/nowhere/nginx` cannot be run: "), "{missing}");
        assert_eq!(Command::new(Vec::new(), PATIENCE), None);
    }

    #[tokio::test]
    async fn what_it_says_is_limited_and_does_not_stop_it() {
        let failed = shell("head -c 1000000 /dev/zero | tr '\\0' x; exit 1").run().await.unwrap_err().to_string();
        assert!(failed.ends_with("x ...") && failed.len() < 3000, "{} bytes", failed.len());
    }

    #[tokio::test]
    async fn it_may_not_take_for_ever() {
        let limit = Duration::from_millis(50);
        let slow = Command { patience: limit, ..shell("exec sleep 600") }.run().await.unwrap_err().to_string();
        assert!(slow.ends_with("was not done within 50ms, and was ended"), "{slow}");
    }

    fn shell(script: &str) -> Command {
        Command::new(["sh", "-c", script].map(str::to_owned).to_vec(), PATIENCE).unwrap()
    }

    const PATIENCE: Duration = Duration::from_secs(30);
}
