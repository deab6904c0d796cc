//! The sink `haproxy`: a `tls-ticket-keys` file, and the stats socket for keys without a reload.
//!
//! HAProxy keeps three keys: the previous one, the issuing one and the next one. `set ssl tls-key` makes a key the next
//! one, and moves the others on. What is set that way is gone after a reload, for which the file is there; it is written
//! first.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use raincheck_keyring::{KeyName, Layout, Product, TicketKey, plan};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::directory::Clock;
use super::file::{LONGEST_BASE64, lines, push_base64};
use super::{HaProxyFault, Lacks, ProductKeys, Pushed, SecretFile, SinkError};
use reply::{Set, Shown, Slots};

mod reply;

/// A HAProxy.
#[derive(Debug)]
pub struct HaProxy {
    socket: StatsSocket,
    file: SecretFile,
    /// What HAProxy calls the keys: the file's name as its configuration has it.
    reference: String,
}

impl HaProxy {
    /// The HAProxy that answers at `socket` and has `tls-ticket-keys FILE` on its bind lines.
    pub fn new(socket: StatsSocket, file: SecretFile) -> Self {
        let reference = file.path().display().to_string();
        Self { socket, file, reference }
    }

    /// The same, where HAProxy calls the keys something else: a path as it stands in its configuration, or `#` and a
    /// number of `show tls-keys`.
    #[must_use]
    pub fn referring_to(self, reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), ..self }
    }

    pub(super) fn file(&self) -> &SecretFile {
        &self.file
    }

    pub(super) async fn push(&self, keys: &ProductKeys) -> Result<Pushed, SinkError> {
        let wanted = keys.newest(SLOTS);
        self.file.replace(&file_text(wanted)?, Clock::True)?;
        let held = self.slots(wanted).await?;
        let missing = missing(&held, wanted);
        if missing.is_empty() {
            return Ok(Pushed::Nothing);
        }
        for key in missing {
            self.set(key).await?;
        }
        let held = self.slots(wanted).await?;
        if held.ends_with(&names(wanted)) {
            return Ok(Pushed::Keys(names(missing)));
        }
        Err(self.at_fault(HaProxyFault::HoldsOthers { held: listed(&held), wanted: listed(&names(wanted)) }))
    }

    pub(super) async fn lacks(&self, keys: &ProductKeys) -> Result<Lacks, SinkError> {
        let wanted = keys.newest(SLOTS);
        let held = self.slots(wanted).await?;
        let lacking: Vec<_> = names(wanted).into_iter().filter(|name| !held.contains(name)).collect();
        Ok(match () {
            () if held.ends_with(&names(wanted)) => Lacks::Nothing,
            () if lacking.is_empty() => Lacks::Order,
            () => Lacks::Keys(lacking),
        })
    }

    pub(super) fn limits(&self) -> Vec<String> {
        let mut limits = vec![LIMIT.to_owned(), ANY_LEVEL.to_owned()];
        if let StatsSocket::Tcp(address) = &self.socket {
            limits.push(format!("keys go to {address} unencrypted; take a Unix socket unless that is this machine"));
        }
        limits
    }

    /// The names of the keys HAProxy holds: previous, issuing, next. They must have the size of ours.
    async fn slots(&self, wanted: &[Arc<TicketKey>]) -> Result<Vec<KeyName>, SinkError> {
        const COMMAND: &str = "show tls-keys";
        let answer = self.ask(format!("{COMMAND} {}\n", escaped(&self.reference)).as_bytes()).await?;
        match reply::shown(&answer) {
            Shown::Slots(Slots { names, bytes }) => match wanted.iter().find(|key| bytes_of(key) != bytes) {
                Some(key) => Err(self.at_fault(HaProxyFault::WrongSize { bytes, ours: key.size() })),
                None => Ok(names),
            },
            Shown::NoReference => Err(self.unknown_reference().await?),
            Shown::Denied => Err(self.at_fault(HaProxyFault::NotAdmin)),
            Shown::Other => Err(self.at_fault(HaProxyFault::Unexpected { command: COMMAND })),
        }
    }

    async fn set(&self, key: &TicketKey) -> Result<(), SinkError> {
        const COMMAND: &str = "set ssl tls-key";
        let head = format!("{COMMAND} {} ", escaped(&self.reference));
        let mut command = Zeroizing::new(Vec::with_capacity(head.len() + LONGEST_BASE64 + 1));
        command.extend_from_slice(head.as_bytes());
        push_base64(&mut command, &Layout::HaProxy.encode(key)?);
        command.push(b'\n');
        match reply::set(&self.ask(&command).await?) {
            Set::Done => Ok(()),
            Set::NoReference => Err(self.unknown_reference().await?),
            Set::Denied => Err(self.at_fault(HaProxyFault::NotAdmin)),
            Set::Other => Err(self.at_fault(HaProxyFault::Unexpected { command: COMMAND })),
        }
    }

    async fn unknown_reference(&self) -> Result<SinkError, SinkError> {
        let known = reply::references(&self.ask(b"show tls-keys\n").await?);
        Ok(self.at_fault(HaProxyFault::UnknownReference { reference: self.reference.clone(), known }))
    }

    async fn ask(&self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, SinkError> {
        let answer = timeout(PATIENCE, self.socket.ask(command)).await;
        let answer = answer.unwrap_or(Err(HaProxyFault::Silent(PATIENCE)));
        answer.map_err(|fault| self.at_fault(fault))
    }

    fn at_fault(&self, fault: HaProxyFault) -> SinkError {
        SinkError::HaProxy { socket: self.socket.to_string(), fault }
    }
}

/// Where HAProxy takes commands. Parses and displays as a path (with a slash in it), or as host and port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StatsSocket {
    /// A Unix socket.
    Unix(PathBuf),
    /// Host and port. Keys go there unencrypted.
    Tcp(String),
}

impl StatsSocket {
    async fn ask(&self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, HaProxyFault> {
        let refused = |error: std::io::Error| HaProxyFault::NoSocket(error.to_string());
        let answer = match self {
            Self::Unix(path) => converse(UnixStream::connect(path).await.map_err(refused)?, command).await,
            Self::Tcp(address) => converse(TcpStream::connect(address).await.map_err(refused)?, command).await,
        };
        answer.map_err(refused)
    }
}

impl FromStr for StatsSocket {
    type Err = NoStatsSocket;

    fn from_str(text: &str) -> Result<Self, NoStatsSocket> {
        if text.contains('/') {
            return Ok(Self::Unix(text.into()));
        }
        let (host, port) = text.rsplit_once(':').ok_or(NoStatsSocket)?;
        let is_address = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0);
        is_address.then(|| Self::Tcp(text.to_owned())).ok_or(NoStatsSocket)
    }
}

impl fmt::Display for StatsSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}

/// A text that is no socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("neither the path of a socket, such as /run/haproxy/admin.sock, nor host and port, such as 127.0.0.1:9999")]
pub struct NoStatsSocket;

/// Keys HAProxy holds: previous, issuing, next.
pub const SLOTS: usize = 3;

/// HAProxy ends the connection after an answer. An answer that is too long is cut off, and will not be understood.
async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    command: &[u8],
) -> std::io::Result<Zeroizing<Vec<u8>>> {
    stream.write_all(command).await?;
    // In its full size from the start: if it grew, a copy would be left behind.
    let mut answer = Zeroizing::new(vec![0; LONGEST_ANSWER]);
    let mut length = 0;
    while length < answer.len() {
        match stream.read(&mut answer[length..]).await? {
            0 => break,
            count => length += count,
        }
    }
    answer.truncate(length);
    Ok(answer)
}

/// The keys HAProxy lacks, in the order in which it is given them.
fn missing<'a>(held: &[KeyName], wanted: &'a [Arc<TicketKey>]) -> &'a [Arc<TicketKey>] {
    let lacking = plan::lacking(held, &names(wanted)).len();
    &wanted[wanted.len() - lacking..]
}

/// HAProxy reads no fewer than three lines, so where nothing retires there is a key in front that has never sealed: every
/// node makes the same.
fn file_text(keys: &[Arc<TicketKey>]) -> Result<Zeroizing<Vec<u8>>, SinkError> {
    match keys {
        [oldest, ..] if keys.len() < SLOTS => {
            let filler = Arc::new(Product::HaProxy.key(oldest, oldest.size()));
            lines(&[&[filler], keys].concat())
        }
        keys => lines(keys),
    }
}

/// What HAProxy's line splits or unescapes is escaped.
fn escaped(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    for letter in word.chars() {
        if matches!(letter, ' ' | '\t' | ';' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn bytes_of(key: &TicketKey) -> usize {
    KeyName::LEN + key.expose_cipher().len() + key.expose_mac().len()
}

fn names(keys: &[Arc<TicketKey>]) -> Vec<KeyName> {
    keys.iter().map(|key| key.name()).collect()
}

fn listed(names: &[KeyName]) -> String {
    names.iter().map(KeyName::to_string).collect::<Vec<_>>().join(" ")
}

/// How long HAProxy may take for an answer: it has one in a millisecond, or is stuck.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_ANSWER: usize = 64 * 1024;

const LIMIT: &str = "HAProxy ends a session after tune.ssl.lifetime, or after two hours where that is not set (its manual says \
    300 seconds, its TLS library decides); set it in the global section to the seconds of accept";
const ANY_LEVEL: &str = "HAProxy asks for level admin only since 3.3: up to 3.2 whoever may open a stats socket, \
    whatever its level, sees ticket keys and sets them; give each socket a mode and an owner";

#[cfg(test)]
mod tests;
