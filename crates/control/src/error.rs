//! What can go wrong with keys that somebody brings, and with those we ask for them. Whose fault it is, and what to do, is in
//! the words.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use raincheck_keyring::{DocumentError, Epoch, KeyName, LayoutError, Outdated};

use crate::etcd::Revision;
use crate::fleet::{EnvelopeError, RegistrationError, SecretError};
use crate::source::file::LARGEST;

/// The control plane could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key file that cannot be used; shown as `path:line: what; remedy`.
    #[error("{}{}: {fault}", path.display(), fault.line().map(|line| format!(":{line}")).unwrap_or_default())]
    KeyFile {
        /// The file, as configured.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFileError,
    },
    /// A file with CAs, a certificate or its key that cannot be used; shown as `path: what; remedy`.
    #[error("{}: {fault}", path.display())]
    Trust {
        /// The file, as configured.
        path: PathBuf,
        /// What is wrong with it.
        fault: TrustError,
    },
    /// No file of CAs is configured, and the system has none.
    #[error("this system has no CAs{why}; install them (package ca-certificates), or name a PEM file of your own")]
    NoSystemAuthority {
        /// Behind a colon, if anything is known.
        why: String,
    },
    /// A request over HTTP failed.
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// etcd did not do what was asked.
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    /// What was read from etcd goes on no longer.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// What lies in the store as a ring or as its key is none that this node can take.
    #[error("{place}: {fault}")]
    Envelope {
        /// Where it lies.
        place: String,
        /// What is wrong with it.
        fault: EnvelopeError,
    },
    /// What lies in the store as a word of a node is none.
    #[error("{place}: {fault}")]
    Registration {
        /// Where it lies.
        place: String,
        /// What is wrong with it.
        fault: RegistrationError,
    },
    /// A file that is no secret of a fleet; shown as `path: what; remedy`.
    #[error("{}: {fault}", path.display())]
    FleetSecret {
        /// The file, as configured.
        path: PathBuf,
        /// What is wrong with it.
        fault: SecretError,
    },
    /// A source has answered, and not with keys that can be taken.
    #[error("{place}: {fault}")]
    Source {
        /// The URL, as configured.
        place: String,
        /// What is wrong with the answer.
        fault: SourceFault,
    },
}

/// What is wrong with keys that a source gave, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum SourceFault {
    #[error("answers with status {status}; {}", remedy_for_status(*.status))]
    Status { status: u16 },
    #[error("answers with a web page; check the URL, which must lead to the keys themselves")]
    Html,
    #[error("{}{_0}", _0.line().map(|line| format!("line {line}: ")).unwrap_or_default())]
    Lines(#[from] KeyFileError),
    #[error("gives {0}")]
    Ring(#[from] DocumentError),
    #[error("gives {0}; an older ring is never taken: end the server that gives it, or have it follow the newer one")]
    Outdated(#[from] Outdated),
    #[error(
        "would have {issuing} seal again, which has retired; check that it is not a cache or a backup that answers. To go \
         back on purpose, restart"
    )]
    Stale { issuing: KeyName },
    #[error(
        "gives a ring of epoch {epoch}, and this node's generation is {generation}; give every node the same `generation`"
    )]
    OldGeneration { epoch: Epoch, generation: u64 },
}

/// What is wrong with a file of CAs, a certificate or a key, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum TrustError {
    #[error("cannot be read: {message}; check the path, and that the user that runs raincheck may read it")]
    Unreadable { message: String },
    #[error("not PEM: {message}; write it anew with `openssl x509 -in FILE` or `openssl pkey -in FILE`")]
    NotPem { message: String },
    #[error("no certificate of a CA in it; put those that issue the servers' certificates here, in PEM")]
    NoAuthority,
    #[error("no certificate in it; put the certificate itself first, in PEM, and those of its issuers after it")]
    NoCertificate,
    #[error("certificate {number} cannot be used: {message}; have it issued again as X.509 version 3")]
    UnusableCertificate { number: usize, message: String },
    #[error("no private key in it; put the key here in PEM (PKCS #8, PKCS #1 or SEC 1)")]
    NoKey,
    #[error("the private key is encrypted; take the passphrase off with `openssl pkey -in FILE`")]
    EncryptedKey,
    #[error(
        "not a key that can be used: {message}; RSA (2048 to 8192 bits), ECDSA (P-256, P-384, P-521) and Ed25519 can"
    )]
    UnusableKey { message: String },
    #[error("the first certificate does not belong to the key in {}; give the key it was issued for", key.display())]
    Mismatch { key: PathBuf },
}

/// Text that is no URL to ask, and the remedy. The text itself is not repeated: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum UrlError {
    #[error("not a URL; write it as https://HOST:PORT/PATH")]
    NotUrl,
    #[error("neither https:// nor http://; write it as https://HOST:PORT/PATH")]
    OtherScheme,
    #[error("a user or password in it, which is not supported; leave it out, and use a client certificate")]
    Credentials,
}

/// A request that failed; shown as `https://host:port: what; remedy`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {fault}")]
pub struct HttpsError {
    /// Whom it went to: scheme, host and port.
    pub origin: String,
    /// What went wrong.
    pub fault: HttpsFault,
}

/// What went wrong with a request, and the remedy. Never has anything of a body in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum HttpsFault {
    #[error("the name cannot be resolved: {message}; check how it is written, and this machine's DNS")]
    Unresolved { message: String },
    #[error("cannot connect: {message}; check the address, and that the server runs and may be reached from here")]
    Unreachable { message: String },
    #[error("its certificate is from no CA that is trusted here; name the PEM file with its CA as `ca`")]
    UnknownAuthority,
    #[error("its certificate has expired; renew it there, and check this machine's clock")]
    Expired,
    #[error("its certificate is not valid yet; check this machine's clock, and when the certificate was issued")]
    NotYetValid,
    #[error(
        "its certificate is {}; ask it by a name that it has, or have one issued for this name",
        if names.is_empty() { "for no name at all".to_owned() } else { format!("for {} only", names.join(", ")) }
    )]
    OtherName { names: Vec<String> },
    #[error("its certificate cannot be used: {message}; have it issued again")]
    BadCertificate { message: String },
    #[error(
        "it ended TLS by the alert {alert}; it may ask for a client certificate, or for another: check `certificate` and \
         `key`, and its log"
    )]
    Alert { alert: String },
    #[error("it does not speak TLS; check the port, or ask it by http:// if it has no TLS")]
    NotTls,
    #[error("no TLS with it: {message}; it must speak TLS 1.2 or 1.3, and its log may say more")]
    Tls { message: String },
    #[error("it does not speak HTTP/1.1: {message}; check the port, and ask it by https:// if it has TLS")]
    NotHttp { message: String },
    #[error("no whole answer within {limit:?}; check that the server is not overloaded, and the network in between")]
    TimedOut { limit: Duration },
    #[error("its answer is larger than {limit} bytes; check that the URL is the right one")]
    TooLarge { limit: usize },
    #[error("the connection ended in the middle: {message}; if it stays so, look into the server's log")]
    Closed { message: String },
}

impl HttpsFault {
    /// Whether the server may have had the request all the same, and done what it says.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            // With TLS 1.3 a server ends the connection over a certificate when the request is under way already, but it
            // does not read that then.
            Self::Unresolved { .. }
            | Self::Unreachable { .. }
            | Self::UnknownAuthority
            | Self::Expired
            | Self::NotYetValid
            | Self::OtherName { .. }
            | Self::BadCertificate { .. }
            | Self::Alert { .. }
            | Self::NotTls
            | Self::Tls { .. } => false,
            Self::NotHttp { .. } | Self::TimedOut { .. } | Self::TooLarge { .. } | Self::Closed { .. } => true,
        }
    }
}

/// etcd did not do what was asked. Never has a value in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EtcdError {
    /// None of the endpoints could do it. If [`may_have_happened`](Self::may_have_happened), one of them did perhaps.
    #[error("no etcd endpoint serves: {}", listed(faults))]
    NoEndpoint {
        /// One each, in the order they were asked.
        faults: Vec<EndpointFault>,
    },
    /// There is no such lease: it has expired, or was revoked.
    #[error("etcd has no such lease any more: it expired, or was revoked")]
    LeaseNotFound,
    /// What was asked for is of before a compaction.
    #[error("etcd has compacted the revision that was asked for; read anew from the latest one")]
    Compacted,
    /// etcd says no, and another endpoint would too.
    #[error("{origin}: etcd refuses: {message}; see to its permissions, quota and settings")]
    Refused {
        /// The endpoint that said so.
        origin: String,
        /// gRPC's number.
        code: u32,
        /// etcd's words.
        message: String,
    },
}

impl EtcdError {
    /// Whether it may have been done all the same.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::NoEndpoint { faults } if faults.iter().any(EndpointFault::may_have_happened))
    }
}

/// Why one endpoint could not do what was asked; another may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    /// There was no answer.
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// There is an answer, but not from etcd's JSON gateway.
    #[error(
        "{origin}: this is not etcd's JSON gateway (status {status}); check the port, and that etcd is 3.4 or later and runs \
         with its gateway enabled"
    )]
    NotEtcd {
        /// The endpoint.
        origin: String,
        /// The status of its answer.
        status: u16,
    },
    /// The member cannot do it now: it has no leader, is overloaded, lags behind, or is about to go.
    #[error("{origin}: {message}; check that a majority of etcd's members runs, and that this one reaches them")]
    Unavailable {
        /// The endpoint.
        origin: String,
        /// etcd's words.
        message: String,
        /// Whether it was refused before anything was done.
        untouched: bool,
    },
}

impl EndpointFault {
    /// Whether what was asked may have been done all the same.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Https(error) => error.fault.may_have_arrived(),
            Self::NotEtcd { .. } => false,
            Self::Unavailable { untouched, .. } => !untouched,
        }
    }
}

/// A watch is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// What it was to begin from is compacted: events are lost. Read the prefix anew, and watch from there.
    #[error("etcd has compacted what was to be watched; its events begin at revision {}", .0.0)]
    Compacted(
        /// The earliest that can be watched from.
        Revision,
    ),
    /// etcd has not come as far as the watch was to begin: its data was lost, or put back from a backup. Read the prefix anew.
    #[error("etcd is at revision {} only, older than what was read before; its data was lost or put back", .0.0)]
    WentBack(
        /// The one etcd is at.
        Revision,
    ),
    /// etcd ended it.
    #[error("etcd ended the watch: {0}; see to its permissions and its log")]
    Canceled(
        /// etcd's words.
        String,
    ),
    /// The endpoint failed, or none can be watched. Nothing is lost: watch again from
    /// [`Watch::next_revision`](crate::etcd::Watch::next_revision).
    #[error(transparent)]
    Lost(#[from] EtcdError),
}

/// What is wrong with a key file, and the remedy. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum KeyFileError {
    #[error("cannot be read: {message}; {}", remedy_for_unreadable(*.kind, PRINT_A_LINE))]
    Unreadable { kind: io::ErrorKind, message: String },
    #[error("not a regular file; a key file is read again whenever it changes, so it cannot be a pipe or a device")]
    NotRegular,
    #[error("larger than {LARGEST} bytes; a key file has one base64 ticket key a line and nothing else")]
    TooLarge,
    #[error("changed while it was read; replace a key file by rename, not in place")]
    ChangedWhileRead,
    #[error("no key in it; write one base64 ticket key a line, oldest first (`raincheck keys new` prints one)")]
    Empty,
    #[error("an empty line; remove it (one base64 ticket key a line, nothing between them)")]
    EmptyLine { line: usize },
    #[error("not base64; a line is one ticket key in base64 (RFC 4648 §4, with its padding) and nothing else")]
    NotBase64 { line: usize },
    #[error("{bytes} bytes; a ticket key has 48 (AES-128) or 80 (AES-256)")]
    WrongSize { line: usize, bytes: usize },
    #[error("{bytes} bytes, but line 1 has {first}; all keys of a file are of one size")]
    MixedSizes { line: usize, bytes: usize, first: usize },
    #[error("{fault}")]
    Unusable { line: usize, fault: LayoutError },
    #[error("the key name {name} stands in line {first} already; each line needs a key of its own")]
    DuplicateName { line: usize, first: usize, name: KeyName },
}

impl KeyFileError {
    /// The line at fault; none where it is the file as a whole.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::EmptyLine { line }
            | Self::NotBase64 { line }
            | Self::WrongSize { line, .. }
            | Self::MixedSizes { line, .. }
            | Self::Unusable { line, .. }
            | Self::DuplicateName { line, .. } => Some(*line),
            _ => None,
        }
    }
}

impl From<io::Error> for KeyFileError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable { kind: error.kind(), message: error.to_string() }
    }
}

fn remedy_for_status(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed: name the URL that they lead to",
        401 | 403 => "let this node in there (allow, or a client certificate)",
        404 => "check the URL's path",
        500..=599 => "look into the server's log",
        _ => "check the URL, and the server's log",
    }
}

fn listed(faults: &[EndpointFault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.join(" | ")
}

/// `make` says how to make a file that is missing.
pub(crate) fn remedy_for_unreadable(kind: io::ErrorKind, make: &str) -> String {
    match kind {
        io::ErrorKind::NotFound => format!("check the path, or {make}"),
        io::ErrorKind::PermissionDenied => "let the user that runs raincheck read it".into(),
        _ => "check the file and the file system it is on".into(),
    }
}

const PRINT_A_LINE: &str = "write the file first (`raincheck keys new` prints a line for it)";
