use std::fmt;

use super::{Description, Version};

/// Why a connection that a probe made came to less than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no TCP connection; why, in the system's words.
    Unreachable(String),
    /// The server took too long.
    TimedOut(Stage),
    /// The server ended the connection.
    Ended(Stage),
    /// The server reset the connection.
    Reset(Stage),
    /// The server does not speak TLS; what it said instead, as far as it can be shown.
    NotTls(String),
    /// The server speaks none of the versions that were offered, but this one.
    Version(Version),
    /// The server sent a fatal alert.
    Alert(Description),
    /// The server's certificate is not to be trusted; why.
    Certificate(String),
    /// The server broke the protocol; how.
    Protocol(String),
    /// What goes before TLS (STARTTLS) failed; how.
    Dialogue(String),
}

/// How far a connection had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// TCP was not there yet.
    Connecting,
    /// What goes before TLS (STARTTLS) was going on.
    Dialogue,
    /// The handshake was going on, and the server had not said anything yet.
    Hello,
    /// The handshake was going on, and the server had said something.
    Handshake,
    /// The handshake was over, and an answer was waited for.
    Answer,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "cannot connect: {why}"),
            Self::TimedOut(stage) => write!(f, "the server took too long {stage}"),
            Self::Ended(stage) => write!(f, "the server ended the connection {stage}"),
            Self::Reset(stage) => write!(f, "the server reset the connection {stage}"),
            Self::NotTls(said) => write!(f, "the server does not speak TLS here: it said \"{said}\""),
            Self::Version(version) => write!(f, "the server picked {version}, which is not spoken here"),
            Self::Alert(description) => write!(f, "the server sent the alert {description}"),
            Self::Certificate(why) => write!(f, "the server's certificate is not trusted: {why}"),
            Self::Protocol(how) => write!(f, "the server broke the protocol: {how}"),
            Self::Dialogue(how) => write!(f, "no TLS could be started: {how}"),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "to take the connection",
            Self::Dialogue => "before TLS began",
            Self::Hello => "before it had answered the ClientHello",
            Self::Handshake => "in the middle of the handshake",
            Self::Answer => "before it had answered the request",
        })
    }
}
