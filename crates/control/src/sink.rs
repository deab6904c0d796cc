//! The products keys go to. One file each: a sink makes a product that is not ours hold its keys of a ring.
//!
//! Whatever is asked of a sink twice is done once: [`push`](Sink::push) looks first at what the product holds, or at what
//! is in its file, and does what is missing. After a restart of the product or of raincheck it is enough to push again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use raincheck_keyring::{KeyName, KeySize, KeyState, Product, Ring, TicketKey};

mod command;
mod directory;
pub mod envoy;
mod error;
pub mod file;
pub mod h2o;
pub mod haproxy;
pub mod nginx;

pub use command::Command;
pub use directory::SecretFile;
pub use envoy::Envoy;
pub use error::{CommandFault, FileFault, HaProxyFault, SinkError};
pub use file::KeyFile;
pub use h2o::H2o;
pub use haproxy::{HaProxy, StatsSocket};
pub use nginx::Nginx;

/// A product that takes its keys from us.
#[derive(Debug)]
#[allow(missing_docs, reason = "they are products")]
pub enum Sink {
    HaProxy(HaProxy),
    Nginx(Nginx),
    Envoy(Envoy),
    H2o(H2o),
    /// A file of lines for whoever reads such a file.
    File(KeyFile),
}

impl Sink {
    /// Makes the product hold `keys`. Does nothing if it does already; reads back what can be read back.
    ///
    /// A push that is dropped before it is done leaves nothing that the next one would not put right.
    ///
    /// # Errors
    /// What is wrong, where, and the remedy. The product goes on with the keys it had, or has the first of the new ones.
    pub async fn push(&mut self, keys: &ProductKeys) -> Result<Pushed, SinkError> {
        match self {
            Self::HaProxy(haproxy) => haproxy.push(keys).await,
            Self::Nginx(nginx) => nginx.push(keys).await,
            Self::Envoy(envoy) => envoy.push(keys),
            Self::H2o(h2o) => h2o.push(keys),
            Self::File(file) => file.push(keys),
        }
    }

    /// What of `keys` the product does not hold, as far as can be seen: HAProxy is asked, of the others it is the files
    /// that are looked at, which they read again when they start.
    ///
    /// # Errors
    /// HAProxy cannot be asked, or a file cannot be read.
    pub async fn lacks(&self, keys: &ProductKeys) -> Result<Lacks, SinkError> {
        match self {
            Self::HaProxy(haproxy) => haproxy.lacks(keys).await,
            Self::Nginx(nginx) => nginx.lacks(keys),
            Self::Envoy(envoy) => envoy.lacks(keys),
            Self::H2o(h2o) => h2o.lacks(keys),
            Self::File(file) => file.lacks(keys),
        }
    }

    /// What else may end a session sooner than its key, or is to be known: sentences with the remedy, for `check-config`.
    pub fn limits(&self) -> Vec<String> {
        match self {
            Self::HaProxy(haproxy) => haproxy.limits(),
            Self::Nginx(_) => vec![nginx::LIMIT.to_owned()],
            Self::Envoy(_) => vec![envoy::LIMIT.to_owned()],
            Self::H2o(_) => vec![h2o::LIMIT.to_owned(), h2o::DELAY.to_owned()],
            Self::File(_) => vec![file::LIMIT.to_owned()],
        }
    }

    /// Whether its file may be where it is to be: for `check-config`. A push finds out for itself.
    ///
    /// # Errors
    /// The directory is on a disk, is not there, or cannot be opened.
    pub fn check(&self) -> Result<(), SinkError> {
        self.secret_file().open().map(drop)
    }

    /// The file with the keys, or the one that lists them.
    pub fn file(&self) -> &Path {
        self.secret_file().path()
    }

    fn secret_file(&self) -> &SecretFile {
        match self {
            Self::HaProxy(haproxy) => haproxy.file(),
            Self::Nginx(nginx) => nginx.include(),
            Self::Envoy(envoy) => envoy.file(),
            Self::H2o(h2o) => h2o.file(),
            Self::File(file) => file.file(),
        }
    }

    /// How long after a push the product opens with the new keys.
    pub fn notices_after(&self) -> Duration {
        match self {
            Self::H2o(_) => h2o::LOOKS_EVERY,
            Self::HaProxy(_) | Self::Nginx(_) | Self::Envoy(_) | Self::File(_) => Duration::ZERO,
        }
    }

    /// The product's name, as the configuration file has it; `file` is none.
    pub fn name(&self) -> &'static str {
        match self {
            Self::HaProxy(_) => Product::HaProxy.as_str(),
            Self::Nginx(_) => Product::Nginx.as_str(),
            Self::Envoy(_) => Product::Envoy.as_str(),
            Self::H2o(_) => Product::H2o.as_str(),
            Self::File(_) => "file",
        }
    }
}

/// The keys a product should hold, all of one size: a next one, an issuing one, and those that retire.
#[derive(Clone, Debug)]
pub struct ProductKeys {
    /// Oldest first: ..., issuing, next.
    keys: Vec<Arc<TicketKey>>,
}

impl ProductKeys {
    /// What belongs to `ring` for this product.
    ///
    /// # Errors
    /// [`NoNextKey`] if the ring has none.
    pub fn of_ring(ring: &Ring, product: Product, size: KeySize) -> Result<Self, NoNextKey> {
        if ring.entries().next().is_none_or(|newest| newest.state != KeyState::Next) {
            return Err(NoNextKey);
        }
        Self::oldest_first(ring.entries().rev().map(|entry| Arc::new(product.key(&entry.key, size))).collect())
    }

    /// Keys as they are: the last is next, the one before it issuing, the rest retire.
    ///
    /// # Errors
    /// [`NoNextKey`] if there are fewer than two.
    pub fn oldest_first(keys: Vec<Arc<TicketKey>>) -> Result<Self, NoNextKey> {
        if keys.len() < 2 { Err(NoNextKey) } else { Ok(Self { keys }) }
    }

    /// Their names, oldest first.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = KeyName> + ExactSizeIterator {
        self.keys.iter().map(|key| key.name())
    }

    fn all(&self) -> &[Arc<TicketKey>] {
        &self.keys
    }

    /// The newest of them, as many as that or all, oldest first.
    fn newest(&self, count: usize) -> &[Arc<TicketKey>] {
        &self.keys[self.keys.len().saturating_sub(count)..]
    }

    /// The issuing key, the next one, and then those that retire, newest first: the order of products where the first one
    /// seals and all open.
    fn sealing_first(&self) -> impl Iterator<Item = &Arc<TicketKey>> {
        let [retiring @ .., issuing, next] = &self.keys[..] else { unreachable!("there are two keys at least") };
        [issuing, next].into_iter().chain(retiring.iter().rev())
    }
}

/// A ring with one key for the product. Of a fleet's ring that is so while it is young and the product has one key of every
/// few of it; of a file's it is the operator's to mend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the ring has no next key for it so far, and a product must hold a key before it seals; where rotations do not bring \
     one, let the ring's source have two keys or more"
)]
pub struct NoNextKey;

/// What came of a push.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// Nothing: the product holds them already.
    Nothing,
    /// The product was given these, oldest first.
    Keys(Vec<KeyName>),
}

/// What a product does not hold of what it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lacks {
    /// Nothing.
    Nothing,
    /// These, oldest first.
    Keys(Vec<KeyName>),
    /// None is missing, but they are not in the order they should be in.
    Order,
}

impl Pushed {
    fn all(keys: &ProductKeys) -> Self {
        Self::Keys(keys.names().collect())
    }
}

#[cfg(test)]
mod tests;
