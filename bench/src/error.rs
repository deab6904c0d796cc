use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use rustls::{HandshakeKind, NamedGroup};
use thiserror::Error;

use crate::case::{Case, Checks};
use crate::checks::Checker;
use crate::product::Product;

/// Why there is no report.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("{product} is not at {}; {remedy}", path.display())]
    Missing { product: Product, path: PathBuf, remedy: &'static str },

    #[error("none of the products is there; install haproxy and nginx, or build raincheck")]
    NothingToRun,

    #[error("{product} did not start: {what}; it said: {said}")]
    NotStarted { product: Product, what: &'static str, said: String },

    #[error("{case}: {product}: a connection failed {when}: {source}")]
    Connection { case: Case, product: Product, when: &'static str, source: io::Error },

    #[error("{case}: {product}: a handshake was {done:?} and not {wanted:?}: the figures would mean something else")]
    Handshake { case: Case, product: Product, wanted: HandshakeKind, done: HandshakeKind },

    #[error("{case}: {product}: a handshake used {group:?} and not X25519: the products would do unequal work")]
    Group { case: Case, product: Product, group: NamedGroup },

    #[error("{case}: {product}: nothing was completed within the measured time; give it more by --seconds")]
    Stalled { case: Case, product: Product },

    #[error("{case}: {checker}: {found}: the figures would mean something else")]
    Unlike { case: Checks, checker: Checker, found: String },

    #[error("{program} failed: {status}")]
    Failed { program: String, status: ExitStatus },

    #[error("captures are read by raincheck, which is not there, or left out by --only")]
    NothingReads,

    #[error("raincheck reads {found} connections, and {made} were made: the figures would mean something else")]
    Misread { found: u64, made: u64 },

    #[error("{} is no capture whose connections can be copied", file.display())]
    Template { file: PathBuf },

    #[error(transparent)]
    Capture(#[from] raincheck_doctor::capture::Error),

    #[error("only {cores} core may be used; the server and the load need one each")]
    Cores { cores: usize },

    #[error("{needed} open files are needed and {allowed} allowed; raise `ulimit -Hn`, or lower --idle-connections")]
    OpenFiles { needed: u64, allowed: u64 },

    #[error("{file} has no {what}; the kernel must provide it (Linux 5.14 or later, with schedstat)")]
    Proc { file: PathBuf, what: &'static str },

    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),

    #[error("cannot {action}: {source}")]
    System { action: String, source: io::Error },

    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// For `map_err`: the machine refused to `action`.
    pub(crate) fn system<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |source| Self::System { action: action.into(), source: source.into() }
    }
}
