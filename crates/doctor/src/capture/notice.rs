//! What is wrong with a capture, and leaves enough of it to go on.

use std::fmt;

use super::LinkType;

/// Something about a capture that whoever reads the diagnosis should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The file ends in the middle of a packet, or of what else it holds.
    Cut {
        /// The file.
        name: String,
        /// How many whole packets come before that.
        packets: u64,
        /// Where they end, in bytes from the start; in a compressed file, of what it holds.
        offset: u64,
    },
    /// The file cannot be read from somewhere on.
    Broken {
        /// The file.
        name: String,
        /// How many packets come before that.
        packets: u64,
        /// Where they end, likewise.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Some packets of the file come from a link that cannot be read.
    Link {
        /// The file.
        name: String,
        /// The link.
        link: LinkType,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { name, packets, offset } => write!(
                f,
                "{name} is cut off at byte {offset}, behind packet {packets}; what comes before was read. Whoever wrote it was \
                 stopped, or still writes"
            ),
            Self::Broken { name, packets, offset, what } => write!(
                f,
                "{name} cannot be read from byte {offset} on, behind packet {packets}: {what}; what comes before was read. Copy \
                 it again, or record anew"
            ),
            Self::Link { name, link } => {
                write!(f, "{name} has packets of {link}, which were left out: only links that carry IP can be read")
            }
        }
    }
}
