//! What happened to the keys, for whoever logs and counts.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use raincheck_keyring::{Change, Epoch, NodeName};

use crate::Error;
use crate::sink::SinkError;

/// Something the control plane did, or could not do. Carries key names, never keys.
#[derive(Debug)]
pub enum Event {
    /// The ring was rotated by schedule.
    Rotated {
        /// What became of which key, in order. Holds several rotations if the process was suspended for that long.
        changes: Vec<Change>,
        /// The nodes that do not have the next key still, though the rotation waited for them.
        without: Vec<NodeName>,
    },
    /// An operator pushed a key ([`Keys::push`](crate::Keys::push)).
    Pushed {
        /// What became of which key, in order.
        changes: Vec<Change>,
    },
    /// The ring is now what the key file says. Also sent once for the file read at the start.
    FileLoaded {
        /// The file.
        path: PathBuf,
        /// Keys in it.
        keys: usize,
        /// What became of which key; empty at the start and where the file names the keys that were there already.
        changes: Vec<Change>,
    },
    /// The key file changed into something that cannot be used. The ring stays as it was, and the file is read again
    /// until it is right; the same complaint is not repeated.
    FileRejected {
        /// Which file, which line, why, and the remedy.
        error: Error,
    },
    /// A source brought a ring.
    Taken {
        /// Where from.
        source: String,
        /// The ring's.
        epoch: Epoch,
        /// What became of which key.
        changes: Vec<Change>,
    },
    /// A source has no keys to give, or none that can be taken. The ring stays as it was; the same complaint is not
    /// repeated.
    SourceFailed {
        /// Where, why, and the remedy.
        error: Error,
    },
    /// The source gave no keys in time, or none for longer than the ring lasts: the node seals with keys of its own, which
    /// open nowhere else.
    Alone {
        /// The source.
        source: String,
        /// How long ago it was last heard of; none if it never was.
        heard: Option<Duration>,
        /// What became of which key.
        changes: Vec<Change>,
    },
    /// The source gives keys again.
    Back {
        /// The source.
        source: String,
    },
    /// This server makes the keys from now on.
    Promoted {
        /// Of its first ring.
        epoch: Epoch,
    },
    /// Another server was promoted, so this one makes no more keys.
    Superseded {
        /// Of a ring that the other one made.
        by: Epoch,
        /// The node that has it.
        node: NodeName,
    },
    /// A node has a ring that this server made before it was started anew, and so this server's ring is one after that.
    Following {
        /// The node that has it.
        node: NodeName,
        /// Which it has.
        held: Epoch,
        /// Which this is now.
        epoch: Epoch,
    },
    /// A product has the keys of a ring.
    SinkHolds {
        /// The product, as it is called in the configuration.
        sink: String,
        /// The ring's.
        epoch: Epoch,
    },
    /// A product could not be given its keys. It is tried again; the same complaint is not repeated.
    SinkFailed {
        /// The product, as it is called in the configuration.
        sink: String,
        /// What is wrong, where, and the remedy.
        error: SinkError,
    },
    /// The key file lies on a file system that is not tmpfs or ramfs, so its keys are on a disk.
    FileOnDisk {
        /// The file.
        path: PathBuf,
    },
}

impl Event {
    /// What became of which key, in order; nothing where no key changed.
    pub fn changes(&self) -> &[Change] {
        match self {
            Self::Rotated { changes, .. }
            | Self::Pushed { changes }
            | Self::FileLoaded { changes, .. }
            | Self::Taken { changes, .. }
            | Self::Alone { changes, .. } => changes,
            Self::FileRejected { .. }
            | Self::FileOnDisk { .. }
            | Self::SourceFailed { .. }
            | Self::Back { .. }
            | Self::Promoted { .. }
            | Self::Following { .. }
            | Self::Superseded { .. }
            | Self::SinkHolds { .. }
            | Self::SinkFailed { .. } => &[],
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rotated { changes, without } => {
                write!(f, "rotated{}", Listed(changes))?;
                match &without[..] {
                    [] => Ok(()),
                    nodes => write!(f, "; without {} that did not acknowledge the next key in time", Named(nodes)),
                }
            }
            Self::Pushed { changes } => write!(f, "a key was pushed{}", Listed(changes)),
            Self::FileLoaded { path, keys, changes } => {
                write!(f, "{} loaded, keys: {keys}{}", path.display(), Listed(changes))
            }
            Self::FileRejected { error } => write!(f, "{error}; the keys stay as they were"),
            Self::Taken { source, epoch, changes } => write!(f, "epoch {epoch} from {source}{}", Listed(changes)),
            Self::SourceFailed { error } => write!(f, "{error}; the keys stay as they were"),
            Self::Alone { source, heard: None, changes } => write!(
                f,
                "no keys from {source} yet: sealing with keys of this node, which open nowhere else{}",
                Listed(changes)
            ),
            Self::Alone { source, heard: Some(heard), changes } => write!(
                f,
                "no word from {source} for {} s: sealing with keys of this node, which open nowhere else{}",
                heard.as_secs(),
                Listed(changes)
            ),
            Self::SinkHolds { sink, epoch } => write!(f, "sink {sink} has epoch {epoch}"),
            Self::SinkFailed { sink, error } => write!(f, "sink {sink}: {error}"),
            Self::Back { source } => write!(f, "{source} gives keys again"),
            Self::Promoted { epoch } => write!(f, "promoted: the keys are made here from epoch {epoch} on"),
            Self::Superseded { by, node } => write!(
                f,
                "another server makes the keys: node {node} has epoch {by}; none are made here any more, so end this server, \
                 or let it follow the other (source = \"http\"), or promote it if it was that one before a restart"
            ),
            Self::Following { node, held, epoch } => write!(
                f,
                "node {node} has epoch {held}, made here before a restart: this ring is epoch {epoch} now, and tickets from \
                 before the restart open if their keys are in it, as those of a file may be"
            ),
            Self::FileOnDisk { path } => write!(
                f,
                "{} is not on tmpfs or ramfs, so ticket keys are on a disk; keep them where memory is, such as /run",
                path.display()
            ),
        }
    }
}

/// The first few nodes, and how many more.
struct Named<'a>(&'a [NodeName]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        for (index, node) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{node}", if index == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Changes behind a colon, if there are any.
struct Listed<'a>(&'a [Change]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, change) in self.0.iter().enumerate() {
            let word = match change {
                Change::Introduced(_) => "introduced",
                Change::Issuing(_) => "issuing",
                Change::Retired(_) => "retired",
                Change::Wiped(_) => "wiped",
            };
            write!(f, "{}{} {word}", if index == 0 { ": " } else { ", " }, change.name())?;
        }
        Ok(())
    }
}
