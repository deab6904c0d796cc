//! What can keep keys from a product. Names are in it, keys never.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use raincheck_keyring::{KeySize, LayoutError};

use super::NoNextKey;

/// A product could not be given its keys.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A file or its directory.
    #[error("{}: {fault}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        fault: FileFault,
    },
    /// HAProxy's stats socket, or what it answers.
    #[error("HAProxy at {socket}: {fault}")]
    HaProxy {
        /// The socket.
        socket: String,
        /// What is wrong.
        fault: HaProxyFault,
    },
    /// A command of the operator's.
    #[error("`{command}` {fault}")]
    Command {
        /// The words of it.
        command: String,
        /// What came of it.
        fault: CommandFault,
    },
    /// The product takes no key of that size.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// There is nothing to give to the product, and nothing wrong with it.
    #[error(transparent)]
    NoNextKey(#[from] NoNextKey),
}

/// What is wrong with a file for keys, and the remedy.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum FileFault {
    #[error(
        "there is no such directory; make one on tmpfs, such as /run/raincheck (RuntimeDirectory= of a systemd unit)"
    )]
    NoDirectory,
    #[error(
        "not on tmpfs or ramfs, so ticket keys would be on a disk; take a directory under /run or /dev/shm, \
         or set on-disk = true if this disk may have them"
    )]
    OnDisk,
    #[error("no path of a file; give the file in which the keys should be")]
    NoFileName,
    #[error("a file that Envoy reads as protobuf for its name; give it one that ends in .yaml or .json")]
    NotJson,
    #[error("{0}; let the user that runs raincheck read and write this directory")]
    Io(#[from] io::Error),
}

/// What is wrong with HAProxy, and the remedy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum HaProxyFault {
    #[error(
        "{0}; is HAProxy running, with `stats socket ... level admin` in its global section, and may we open that?"
    )]
    NoSocket(String),
    #[error("no answer within {0:?}; is it HAProxy's stats socket?")]
    Silent(Duration),
    #[error("the socket may not set ticket keys; write `stats socket ... level admin` in HAProxy's global section")]
    NotAdmin,
    #[error("it knows no ticket keys from {reference}; write `tls-ticket-keys {reference}` on its bind lines{}", others(.known))]
    UnknownReference { reference: String, known: Vec<String> },
    #[error(
        "its ticket keys have {} bytes and ours {}; set bits = {}, or reload HAProxy, which then reads the file we wrote",
        .bytes, length(*.ours), 8 * (.bytes - 16) / 2
    )]
    WrongSize { bytes: usize, ours: KeySize },
    #[error("it took the keys, but holds {held} and not {wanted}; does somebody else set its ticket keys, too?")]
    HoldsOthers { held: String, wanted: String },
    #[error(
        "an answer that is none of HAProxy's, to `{command}`; is it HAProxy's stats socket, and HAProxy built with TLS?"
    )]
    Unexpected { command: &'static str },
}

/// What came of a command that should have gone well.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum CommandFault {
    #[error("cannot be run: {0}; check the command and the path")]
    NotRun(io::Error),
    #[error("failed ({status}): {said}")]
    Failed { status: String, said: String },
    #[error("was not done within {0:?}, and was ended")]
    TooSlow(Duration),
    #[error("went well, but nginx has no new workers after {0:?}; its error log says why")]
    WithoutEffect(Duration),
}

impl SinkError {
    pub(super) fn file(path: impl Into<PathBuf>, fault: impl Into<FileFault>) -> Self {
        Self::File { path: path.into(), fault: fault.into() }
    }
}

fn others(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!(", or set reference to one that it has: {}", known.join(", ")),
    }
}

fn length(size: KeySize) -> usize {
    16 + 2 * size.cipher_len()
}
