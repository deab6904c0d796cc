//! JA4, a fingerprint of clients (FoxIO's "JA4: TLS Client Fingerprinting").

use aws_lc_rs::digest::{SHA256, digest};

use super::cursor::Cursor;
use crate::evidence::{Ja4, Version};

/// What of a ClientHello goes into its fingerprint. Values of GREASE (RFC 8701) do not count.
#[derive(Debug, Default)]
pub(super) struct Ingredients<'a> {
    /// In any order.
    pub(super) suites: Vec<u16>,
    /// The types of its extensions, in any order.
    pub(super) extensions: Vec<u16>,
    /// The body of signature_algorithms.
    pub(super) signature_algorithms: &'a [u8],
    /// The first protocol of ALPN.
    pub(super) protocol: &'a [u8],
}

impl Ingredients<'_> {
    /// The fingerprint of a client that offers `version` at most.
    pub(super) fn fingerprint(mut self, version: Version) -> Ja4 {
        self.suites.retain(|suite| !is_grease(*suite));
        self.suites.sort_unstable();
        self.extensions.retain(|extension| !is_grease(*extension));
        self.extensions.sort_unstable();
        let mut text = String::with_capacity(Ja4::LENGTH);
        text += "t";
        text += match version {
            Version::TLS13 => "13",
            Version::TLS12 => "12",
            Version::TLS11 => "11",
            Version::TLS10 => "10",
            Version::SSL3 => "s3",
            Version(0x0002) => "s2",
            _ => "00",
        };
        text += if self.extensions.contains(&SERVER_NAME) { "d" } else { "i" };
        for count in [self.suites.len(), self.extensions.len()] {
            text += &format!("{:02}", count.min(99));
        }
        text.extend(first_and_last(self.protocol));
        self.extensions.retain(|extension| !matches!(*extension, SERVER_NAME | ALPN));
        let mut extensions = list(self.extensions.into_iter());
        let algorithms = Cursor::new(self.signature_algorithms).vec16().unwrap_or_default().as_chunks::<2>().0;
        if !algorithms.is_empty() && !extensions.is_empty() {
            extensions.push(b'_');
            extensions.extend(list(algorithms.iter().map(|pair| u16::from_be_bytes(*pair))));
        }
        for part in [list(self.suites.into_iter()), extensions] {
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
fn list(values: impl ExactSizeIterator<Item = u16>) -> Vec<u8> {
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

/// In hexadecimal. A hello has a hundred of them, and `format!` took a quarter of the time of reading handshakes.
fn digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0x0f].map(|digit| b"0123456789abcdef"[usize::from(digit)])
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
        let ingredients = Ingredients {
            suites: suites.to_vec(),
            extensions: extensions.to_vec(),
            signature_algorithms: algorithms,
            protocol: b"h2",
        };
        let fingerprint = ingredients.fingerprint(Version::TLS13);
        assert_eq!(fingerprint.to_string(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn edges() {
        let fingerprint = Ingredients::default().fingerprint(Version::SSL3);
        assert_eq!(fingerprint.to_string(), "ts3i000000_000000000000_000000000000");
        for (protocol, expected) in [(&b"http/1.1"[..], "h1"), (b"x", "xx"), (b"\xabh", "a8"), (b"h\xab", "6b")] {
            assert_eq!(first_and_last(protocol).iter().collect::<String>(), expected);
        }
        let many = Ingredients { suites: (1..=200).collect(), ..Ingredients::default() };
        assert!(many.fingerprint(Version::TLS12).to_string().starts_with("t12i990000_"));
    }
}
