//! What keeps the doctor from its work, with the remedy.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for is no host and port.
    #[error(
        "\"{0}\" is no HOST:PORT: write a name or an address, a colon and a port, such as shop.example:443 or [::1]:443"
    )]
    Target(String),
    /// A name has no address.
    #[error("cannot resolve {host}: {error}; is the name right, and does this machine reach its name server?")]
    Resolve {
        /// The name.
        host: String,
        /// What the system says.
        error: io::Error,
    },
    /// A name that TLS cannot ask for.
    #[error("\"{0}\" is no name of a server: --sni takes a DNS name such as shop.example")]
    ServerName(String),
    /// A file that cannot be read, or holds something else.
    #[error("{path}: {what}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// The system has no certificates to trust.
    #[error(
        "this machine trusts no certificate authority: give one by --ca FILE, or look at any certificate by --insecure"
    )]
    NoRoots,
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {error}; choose another by --listen IP:PORT")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// There are not as many ports behind this one as are needed.
    #[error("there are too few ports behind {0}: choose a lower one by --listen IP:PORT")]
    NoRoomBehind(SocketAddr),
    /// What the system would not give.
    #[error("{0}")]
    System(#[from] io::Error),
    /// A certificate that rustls cannot serve.
    #[error("the certificate cannot be served: {0}")]
    Certificate(#[from] rustls::Error),
}
