//! JA4, a fingerprint of clients (FoxIO's "JA4: TLS Client Fingerprinting").

use aws_lc_rs::digest::{SHA256, digest};

use super::cursor::Cursor;
use crate::evidence::{Ja4, Profile, Version};
use crate::hexadecimal::digits;

/// What of a ClientHello goes into its fingerprint, in which values of GREASE (RFC 8701) do not count.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ingredients {
    /// The highest version it offers.
    version: Version,
    /// In its order.
    suites: Vec<u16>,
    /// The types of its extensions but for GREASE, in order of their numbers.
    extensions: Vec<u16>,
    /// In its order.
    signature_algorithms: Vec<u16>,
    /// What is told of the first protocol of ALPN.
    protocol: [char; 2],
}

impl Ingredients {
    /// Those of a hello with these suites, extensions of these types in any order, the body of signature_algorithms, and the first
    /// protocol of ALPN.
    pub(super) fn new(
        version: Version,
        suites: Vec<u16>,
        mut extensions: Vec<u16>,
        signature_algorithms: &[u8],
        protocol: &[u8],
    ) -> Self {
        extensions.retain(|extension| !is_grease(*extension));
        extensions.sort_unstable();
        let algorithms = Cursor::new(signature_algorithms).vec16().unwrap_or_default().as_chunks::<2>().0;
        let signature_algorithms = algorithms.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
        Self { version, suites, extensions, signature_algorithms, protocol: first_and_last(protocol) }
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.suites.len() + self.extensions.len() + self.signature_algorithms.len()
    }

    /// Gives back what room was made for GREASE.
    pub(super) fn shrink_to_fit(&mut self) {
        let Self { suites, extensions, signature_algorithms, .. } = self;
        [suites, extensions, signature_algorithms].into_iter().for_each(Vec::shrink_to_fit);
    }

    /// The profile of the client that says this.
    pub(super) fn profile(&self) -> Profile {
        Profile { ja4: self.fingerprint(), suites: self.suites[..].into() }
    }

    fn fingerprint(&self) -> Ja4 {
        let mut text = String::with_capacity(Ja4::LENGTH);
        text += "t";
        text += match self.version {
            Version::TLS13 => "13",
            Version::TLS12 => "12",
            Version::TLS11 => "11",
            Version::TLS10 => "10",
            Version::SSL3 => "s3",
            Version(0x0002) => "s2",
            _ => "00",
        };
        text += if self.extensions.contains(&SERVER_NAME) { "d" } else { "i" };
        let mut suites = self.suites.clone();
        suites.retain(|suite| !is_grease(*suite));
        suites.sort_unstable();
        for count in [suites.len(), self.extensions.len()] {
            text += &format!("{:02}", count.min(99));
        }
        text.extend(self.protocol);
        let mut extensions = self.extensions.clone();
        extensions.retain(|extension| !matches!(*extension, SERVER_NAME | ALPN));
        let mut extensions = list(&extensions);
        if !self.signature_algorithms.is_empty() && !extensions.is_empty() {
            extensions.push(b'_');
            extensions.extend(list(&self.signature_algorithms));
        }
        for part in [list(&suites), extensions] {
            text += "_";
            text += &hash(&part);
        }
        Ja4::new(&text)
    }
}

fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// The first and the last character of a protocol's name; of its hexadecimal form where these are no letters or digits.
fn first_and_last(protocol: &[u8]) -> [char; 2] {
    let (Some(first), Some(last)) = (protocol.first(), protocol.last()) else { return ['0', '0'] };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        [char::from(*first), char::from(*last)]
    } else {
        [char::from(digits(*first)[0]), char::from(digits(*last)[1])]
    }
}

/// Values in hexadecimal, with commas between them.
fn list(values: &[u16]) -> Vec<u8> {
    let mut text = Vec::with_capacity(values.len() * ",0000".len());
    for value in values {
        if !text.is_empty() {
            text.push(b',');
        }
        value.to_be_bytes().into_iter().for_each(|byte| text.extend(digits(byte)));
    }
    text
}

/// The first 12 digits of the SHA-256 of a list; zeros for an empty one.
fn hash(list: &[u8]) -> String {
    if list.is_empty() {
        return "0".repeat(12);
    }
    let hash = digest(&SHA256, list);
    hash.as_ref().iter().take(6).flat_map(|byte| digits(*byte)).map(char::from).collect()
}

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of FoxIO's specification, with GREASE put back in.
    #[test]
    fn the_example_of_the_specification() {
        let suites = [
            0x4a4a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
            0x009d, 0x002f, 0x0035,
        ];
        let extensions = [
            0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b,
            0xff01, 0x000b, 0x000a, 0x0015, 0xfafa,
        ];
        let algorithms = b"\0\x10\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01\x08\x06\x06\x01";
        let ingredients = Ingredients::new(Version::TLS13, suites.to_vec(), extensions.to_vec(), algorithms, b"h2");
        let fingerprint = ingredients.fingerprint();
        assert_eq!(fingerprint.to_string(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn edges() {
        let fingerprint =
            |version, suites| Ingredients::new(version, suites, Vec::new(), b"", b"").fingerprint().to_string();
        assert_eq!(fingerprint(Version::SSL3, Vec::new()), "ts3i000000_000000000000_000000000000");
        for (protocol, expected) in [(&b"http/1.1"[..], "h1"), (b"x", "xx"), (b"\xabh", "a8"), (b"h\xab", "6b")] {
            assert_eq!(first_and_last(protocol).iter().collect::<String>(), expected);
        }
        assert!(fingerprint(Version::TLS12, (1..=200).collect()).starts_with("t12i990000_"));
    }
}
