//! The places keys come from. One file each; [`Keys::run`](crate::Keys::run) follows the one that is configured.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use raincheck_keyring::Schedule;

use crate::{Error, Keys};

pub mod etcd;
pub mod file;
pub mod http;
pub(crate) mod local;

use file::KeyFile;

/// Where the ring's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Generated here and rotated by schedule; a restart loses them.
    Local,
    /// Read from a file that somebody else writes, and read again whenever it changes.
    File(PathBuf),
    /// Asked for by HTTP, again and again.
    Http(http::HttpSource),
    /// Made by the nodes of a fleet together, by way of etcd.
    Etcd(etcd::EtcdSource),
}

impl KeySource {
    /// The name by which the configuration file calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::File(_) => "file",
            Self::Http(_) => "http",
            Self::Etcd(_) => "etcd",
        }
    }

    /// Where the keys come from, in words that an operator knows; none where they are made here.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Local => None,
            Self::File(path) => Some(path.display().to_string()),
            Self::Http(source) => Some(source.place()),
            Self::Etcd(source) => Some(source.place()),
        }
    }

    /// Reads every file that is needed to follow the source, and asks nobody. Gives the file of keys, where it is one.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn check(&self, schedule: &Schedule) -> Result<Option<KeyFile>, Error> {
        self.open(schedule).map(|(_, file)| file)
    }

    /// The source ready to be followed, and the file as it is now, where it is one.
    pub(crate) fn open(&self, schedule: &Schedule) -> Result<(Source, Option<KeyFile>), Error> {
        Ok(match self {
            Self::Local => (Source::Local, None),
            Self::File(path) => (Source::File(path.clone()), Some(file::load(path)?)),
            Self::Http(source) => (Source::Http(Arc::new(http::Poll::new(source)?)), None),
            Self::Etcd(source) => (Source::Etcd(Box::new(etcd::Fleet::new(source, schedule)?)), None),
        })
    }
}

/// A source that can be followed: what it names was read.
#[derive(Debug)]
pub(crate) enum Source {
    Local,
    /// Local too, on a server that followed another one before, which is told of it when it is back.
    Promoted(Arc<http::Poll>),
    File(PathBuf),
    Http(Arc<http::Poll>),
    Etcd(Box<etcd::Fleet>),
}

impl Source {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Local | Self::Promoted(_) => "local",
            Self::File(_) => "file",
            Self::Http(_) => "http",
            Self::Etcd(_) => "etcd",
        }
    }

    /// Where the keys come from, in words that an operator knows.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Local | Self::Promoted(_) => "this node".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Http(poll) => poll.place(),
            Self::Etcd(fleet) => fleet.place(),
        }
    }

    /// Whether keys are made here, though somebody else's were followed before.
    pub(crate) fn is_promoted(&self) -> bool {
        matches!(self, Self::Promoted(_))
    }

    /// Whether keys are made here.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Local | Self::Promoted(_))
    }

    /// Whether the keys are somebody else's, who may not be there.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self, Self::Http(_) | Self::Etcd(_))
    }

    /// Takes over from the source that was followed before a reload what goes on.
    pub(crate) fn succeed(&mut self, before: &Self) {
        if let (Self::Etcd(fleet), Self::Etcd(before)) = (self, before) {
            fleet.succeed(before);
        }
    }

    /// Tells the others of a fleet that this node serves no more.
    pub(crate) async fn leave(&self) -> Result<(), Error> {
        match self {
            Self::Etcd(fleet) => fleet.leave().await,
            Self::Local | Self::Promoted(_) | Self::File(_) | Self::Http(_) => Ok(()),
        }
    }

    pub(crate) async fn follow(&self, keys: &Keys) -> Infallible {
        match self {
            Self::Local => local::run(keys).await,
            Self::Promoted(followed) => tokio::select! {
                never = local::run(keys) => never,
                never = followed.supersede(keys) => never,
            },
            Self::File(path) => file::run(keys, path).await,
            Self::Http(poll) => poll.run(keys).await,
            Self::Etcd(fleet) => fleet.run(keys).await,
        }
    }
}
