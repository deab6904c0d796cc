//! What handshakes cost, by a stated model.
//!
//! The figures are the server's CPU time for a whole short connection, and are measured: raincheck's own beside HAProxy (the
//! table in README.md: TLS 1.2, ECDSA P-256), and OpenSSL's `speed rsa2048`, about 0.9 ms a signature more on the same
//! machine. Machines differ by a factor of two or three either way; what a resumption spares, in proportion, hardly does.

use std::fmt;
use std::time::Duration;

use crate::evidence::Version;
use crate::session::Record;

/// What full handshakes cost that need not have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How many there were.
    pub handshakes: u64,
    /// Bytes of certificates, as far as those were seen.
    pub bytes: u64,
    /// Round trips: one for each handshake of TLS 1.2 or before; TLS 1.3 has as many either way.
    pub round_trips: u64,
    /// The server's CPU time with an ECDSA certificate.
    pub ecdsa: Duration,
    /// The server's CPU time with an RSA one.
    pub rsa: Duration,
}

impl Cost {
    /// The cost of `connections`, all of them full where they could have been resumed.
    pub fn of<'a>(connections: impl IntoIterator<Item = &'a Record>) -> Self {
        connections.into_iter().fold(Self::default(), |cost, record| {
            let tls13 = record.version >= Some(Version::TLS13);
            let spared = if tls13 { FULL_13 - RESUMED_13 } else { FULL_12 - RESUMED_12 };
            Self {
                handshakes: cost.handshakes + 1,
                bytes: cost.bytes + u64::from(record.certificate),
                round_trips: cost.round_trips + u64::from(!tls13),
                ecdsa: cost.ecdsa + spared,
                rsa: cost.rsa + spared + RSA_SIGNATURE,
            }
        })
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.handshakes == 0 {
            return Ok(());
        }
        let plural = if self.handshakes == 1 { "handshake was" } else { "handshakes were" };
        write!(f, "{} {plural} full and need not have been: about ", self.handshakes)?;
        write!(f, "{:.1} ms of the server's CPU time with ECDSA, ", self.ecdsa.as_secs_f64() * 1e3)?;
        write!(f, "{:.1} ms with RSA-2048", self.rsa.as_secs_f64() * 1e3)?;
        if self.round_trips > 0 {
            let plural = if self.round_trips == 1 { "" } else { "s" };
            write!(f, ", {} round trip{plural}", self.round_trips)?;
        }
        if self.bytes > 0 {
            write!(f, ", {} bytes of certificates", self.bytes)?;
        }
        Ok(())
    }
}

/// A full handshake of TLS 1.2, with ECDHE and an ECDSA P-256 certificate.
pub const FULL_12: Duration = Duration::from_micros(163);
/// One resumed by a TLS 1.2 ticket.
pub const RESUMED_12: Duration = Duration::from_micros(88);
/// A full handshake of TLS 1.3.
pub const FULL_13: Duration = Duration::from_micros(168);
/// One resumed in TLS 1.3, with a key exchange of its own.
pub const RESUMED_13: Duration = Duration::from_micros(150);
/// What a signature with RSA-2048 costs more than one with ECDSA P-256.
pub const RSA_SIGNATURE: Duration = Duration::from_micros(900);
