//! What can go wrong with captures. Whose fault it is, and what to do, is in the words.

use std::io;

use super::LinkType;
use super::file::KEY_LOG;

/// A capture that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system does not let it be opened.
    #[error("{name}: {why}{}", remedy(why))]
    Open {
        /// The file, as it was given.
        name: String,
        /// The system's answer.
        why: io::Error,
    },
    /// A directory was given.
    #[error("{name} is a directory; name the captures in it, as in {name}/*.pcap")]
    Directory {
        /// The directory, as it was given.
        name: String,
    },
    /// The capture was to come from standard input, where somebody types.
    #[error("standard input is a terminal; pipe a capture into it, as in `tcpdump -w - | ...`")]
    Terminal,
    /// There is nothing in it.
    #[error("{name} is empty; the program that was to write it may have been killed before it did (tcpdump: try -U)")]
    Empty {
        /// The file.
        name: String,
    },
    /// It is something else.
    #[error(
        "{name} is no capture ({what}); pcap and pcapng are read, plain or compressed by gzip or zstd{}",
        convert(what)
    )]
    NotACapture {
        /// The file.
        name: String,
        /// What it looks like.
        what: &'static str,
    },
    /// All of it was captured where no IP can be found.
    #[error("{name} was captured on {link}, which cannot be read; capture on a network interface, or on `any`")]
    Link {
        /// The file.
        name: String,
        /// The link.
        link: LinkType,
    },
    /// It contradicts itself before its first packet.
    #[error("{name} cannot be read from byte {offset} on: {what}; copy it again, or record anew")]
    Broken {
        /// The file.
        name: String,
        /// Where, in bytes from the start; in a compressed file, of what it holds.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The system stopped in the middle.
    #[error("{name}: reading failed at byte {offset}: {why}; copy the file to a sound disk, if it lies on another")]
    Read {
        /// The file.
        name: String,
        /// How far reading had come, likewise.
        offset: u64,
        /// The system's answer.
        why: io::Error,
    },
}

fn remedy(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::PermissionDenied => {
            "; captures mostly belong to root: read it as root, or `chown` it to whoever runs this"
        }
        _ => "",
    }
}

/// For what Wireshark reads, and we do not.
fn convert(what: &str) -> &'static str {
    match what {
        KEY_LOG => "; give it with --keylog",
        _ => "; what Wireshark opens, `editcap -F pcapng` converts",
    }
}
