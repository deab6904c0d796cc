//! The sink `nginx`: a file for each key, a file of directives to include, and a reload.
//!
//! nginx reads keys when it starts and when it is reloaded, so the files are in place for both. A configuration that
//! nginx does not pass is taken back. One that it passes stays, whether or not the reload goes well: an nginx that is not
//! running yet starts with it.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use raincheck_keyring::{KeyName, Layout};
use tokio::time::{Instant, sleep};

use super::directory::{Clock, Directory};
use super::{Command, CommandFault, Lacks, ProductKeys, Pushed, SecretFile, SinkError};

/// An nginx.
#[derive(Debug)]
pub struct Nginx {
    /// The file to include; key files are beside it.
    include: SecretFile,
    test: Command,
    reload: Command,
    pid: Option<PathBuf>,
    /// What it was last reloaded with, if that is known.
    loaded: Option<Vec<KeyName>>,
}

impl Nginx {
    /// The nginx that has `include FILE;` in `http`, or in the default server of an address. `test` says if its
    /// configuration is sound, `reload` makes it read that again.
    pub fn new(include: SecretFile, test: Command, reload: Command) -> Self {
        Self { include, test, reload, pid: None, loaded: None }
    }

    /// The same, with the master's pid file: a reload then counts as done once there are new workers, and those of before
    /// take no more connections. The command for it only sends a signal, and a master that cannot do what it is told goes on
    /// as before.
    #[must_use]
    pub fn with_pid_file(self, pid: impl Into<PathBuf>) -> Self {
        Self { pid: Some(pid.into()), ..self }
    }

    pub(super) fn include(&self) -> &SecretFile {
        &self.include
    }

    pub(super) async fn push(&mut self, keys: &ProductKeys) -> Result<Pushed, SinkError> {
        if self.loaded.as_ref().is_some_and(|loaded| keys.names().eq(loaded.iter().copied()))
            && self.lacks(keys)? == Lacks::Nothing
        {
            return Ok(Pushed::Nothing);
        }
        // Until nginx has them.
        self.loaded = None;
        let file = self.include.absolute()?;
        let (directory, include) = file.open()?;
        let text = directives(directory.path(), keys);
        let mut written = Vec::new();
        for key in keys.all() {
            let (name, bytes) = (file_name(key.name()), Layout::Nginx.encode(key)?);
            if directory.read(&name)?.is_none_or(|held| *held != *bytes) {
                directory.replace(&name, &bytes, Clock::True)?;
                written.push(name);
            }
        }
        let before = directory.read(include)?;
        directory.replace(include, text.as_bytes(), Clock::True)?;
        if let Err(refused) = self.test.run().await {
            match before {
                Some(before) => directory.replace(include, &before, Clock::True)?,
                None => directory.remove(include)?,
            }
            for name in written {
                directory.remove(&name)?;
            }
            return Err(refused);
        }
        let workers = self.workers();
        self.reload.run().await?;
        self.await_others_in_place_of(workers).await?;
        remove_all_but(&directory, keys)?;
        self.loaded = Some(keys.names().collect());
        Ok(Pushed::all(keys))
    }

    pub(super) fn lacks(&self, keys: &ProductKeys) -> Result<Lacks, SinkError> {
        let file = self.include.absolute()?;
        let (directory, include) = file.open()?;
        let mut lacking = Vec::new();
        for key in keys.all() {
            let bytes = Layout::Nginx.encode(key)?;
            if directory.read(&file_name(key.name()))?.is_none_or(|held| *held != *bytes) {
                lacking.push(key.name());
            }
        }
        if !lacking.is_empty() {
            return Ok(Lacks::Keys(lacking));
        }
        let text = directives(directory.path(), keys);
        let is_listed = directory.read(include)?.is_some_and(|held| held.as_slice() == text.as_bytes());
        Ok(if is_listed { Lacks::Nothing } else { Lacks::Order })
    }

    /// The workers of the master that take connections, if they can be seen. One that is told to leave finishes what it
    /// has, and says so in its title.
    fn workers(&self) -> Option<Vec<u32>> {
        let master: u32 = std::fs::read_to_string(self.pid.as_ref()?).ok()?.trim().parse().ok()?;
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).ok()?;
        let takes_connections = |child: &u32| {
            let title = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            let title = String::from_utf8_lossy(&title);
            title.contains("worker process") && !title.contains("shutting down")
        };
        Some(
            children
                .split_ascii_whitespace()
                .filter_map(|child| child.parse().ok())
                .filter(takes_connections)
                .collect(),
        )
    }

    async fn await_others_in_place_of(&self, before: Option<Vec<u32>>) -> Result<(), SinkError> {
        let Some(before) = before else { return Ok(()) };
        let since = Instant::now();
        let are_others = |now: Vec<u32>| !now.is_empty() && now.iter().all(|worker| !before.contains(worker));
        while !self.workers().is_some_and(are_others) {
            if since.elapsed() > PATIENCE {
                let fault = CommandFault::WithoutEffect(PATIENCE);
                return Err(SinkError::Command { command: self.reload.to_string(), fault });
            }
            sleep(BETWEEN_LOOKS).await;
        }
        Ok(())
    }
}

/// The first one seals.
fn directives(directory: &Path, keys: &ProductKeys) -> String {
    let mut text = "# Written by raincheck, which will do so again at the next rotation.\n".to_owned();
    for key in keys.sealing_first() {
        let path = directory.join(file_name(key.name()));
        let path = path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
        writeln!(text, "ssl_session_ticket_key \"{path}\";").expect("a String takes all");
    }
    text
}

/// Only files of ours: nobody else calls one that. What was half written when its writer was killed is among them.
fn remove_all_but(directory: &Directory, keys: &ProductKeys) -> Result<(), SinkError> {
    let key_of = |name: &[u8]| -> Option<KeyName> {
        let name = std::str::from_utf8(name).ok()?;
        let name = name.strip_prefix('.').and_then(|name| name.strip_suffix(".raincheck")).unwrap_or(name);
        name.strip_suffix(SUFFIX)?.parse().ok()
    };
    for name in directory.names()? {
        let Some(key) = key_of(&name) else { continue };
        if name.starts_with(b".") || keys.names().all(|kept| kept != key) {
            directory.remove(OsStr::from_bytes(&name))?;
        }
    }
    Ok(())
}

fn file_name(name: KeyName) -> OsString {
    OsStr::new(&format!("{name}{SUFFIX}")).to_owned()
}

const SUFFIX: &str = ".key";

/// How long a master may take to start workers, and to have those of before leave.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

pub(super) const LIMIT: &str =
    "nginx ends a session after ssl_session_timeout, five minutes unless it is set; set it to what accept is";

#[cfg(test)]
mod tests;
