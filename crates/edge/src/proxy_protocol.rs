//! The PROXY protocol, versions 1 and 2: who the client is, said in front of the connection.

use crate::config::ProxyVersion;
use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};

/// Where a connection comes from and where it went to, as the balancer in front saw it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// The address it connected to.
    pub destination: SocketAddr,
}

/// What the first bytes of a connection turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// The beginning of a header: more bytes are needed.
    Incomplete,
    /// A header of `length` bytes. Without addresses the connection is the balancer's own
    /// (a health check), or of a family that has none here.
    Header {
        /// What it says.
        addresses: Option<Addresses>,
        /// How many bytes it takes.
        length: usize,
    },
    /// Something else.
    Malformed,
}

/// Reads the header at the start of `bytes`. A header is no longer than [`MAX_HEADER`].
pub fn read(bytes: &[u8]) -> Read {
    if bytes.starts_with(&V2_SIGNATURE) {
        read_v2(bytes)
    } else if bytes.starts_with(V1_SIGNATURE) {
        read_v1(bytes)
    } else if V2_SIGNATURE.starts_with(bytes) || V1_SIGNATURE.starts_with(bytes) {
        Read::Incomplete
    } else {
        Read::Malformed
    }
}

fn read_v1(bytes: &[u8]) -> Read {
    let line = &bytes[..bytes.len().min(MAX_V1)];
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < MAX_V1 { Read::Incomplete } else { Read::Malformed };
    };
    let length = end + 2;
    let Ok(header) = v1::Header::try_from(&bytes[..length]) else {
        return Read::Malformed;
    };
    let addresses = match header.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(v4) => Some(Addresses {
            source: (v4.source_address, v4.source_port).into(),
            destination: (v4.destination_address, v4.destination_port).into(),
        }),
        v1::Addresses::Tcp6(v6) => Some(Addresses {
            source: (v6.source_address, v6.source_port).into(),
            destination: (v6.destination_address, v6.destination_port).into(),
        }),
    };
    Read::Header { addresses, length }
}

fn read_v2(bytes: &[u8]) -> Read {
    // signature 12 | version and command 1 | family and protocol 1 | length 2
    let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, hi, lo, ..] = *bytes else {
        return Read::Incomplete;
    };
    let length = V2_FIXED + usize::from(u16::from_be_bytes([hi, lo]));
    if length > MAX_HEADER {
        return Read::Malformed;
    }
    let Some(whole) = bytes.get(..length) else {
        return Read::Incomplete;
    };
    let Ok(header) = v2::Header::try_from(whole) else {
        return Read::Malformed;
    };
    let addresses = match (header.command, header.addresses) {
        (v2::Command::Proxy, v2::Addresses::IPv4(v4)) => Some(Addresses {
            source: (v4.source_address, v4.source_port).into(),
            destination: (v4.destination_address, v4.destination_port).into(),
        }),
        (v2::Command::Proxy, v2::Addresses::IPv6(v6)) => Some(Addresses {
            source: (v6.source_address, v6.source_port).into(),
            destination: (v6.destination_address, v6.destination_port).into(),
        }),
        _ => None,
    };
    Read::Header { addresses, length }
}

/// What a header of version 2 tells beside the addresses.
#[derive(Copy, Clone, Debug, Default)]
pub struct Tls<'a> {
    /// The negotiated version, as OpenSSL spells it.
    pub version: &'a str,
    /// The server name the client sent.
    pub server_name: Option<&'a str>,
    /// The negotiated application protocol.
    pub alpn: Option<&'a [u8]>,
    /// Whether the client showed a certificate, now or when its session began.
    pub client_certificate: bool,
}

/// A header of version 1: one line of text.
pub fn write_v1(addresses: Addresses) -> Vec<u8> {
    let (source, destination) = (addresses.source, addresses.destination);
    let family = if source.is_ipv4() && destination.is_ipv4() { "TCP4" } else { "TCP6" };
    let ip = |address: SocketAddr| match (family, address.ip()) {
        ("TCP6", IpAddr::V4(v4)) => v4.to_ipv6_mapped().to_string(),
        (_, ip) => ip.to_string(),
    };
    format!("PROXY {family} {} {} {} {}\r\n", ip(source), ip(destination), source.port(), destination.port())
        .into_bytes()
}

/// A header of version 2, with what is known of TLS.
pub fn write_v2(addresses: Addresses, tls: Tls<'_>) -> Vec<u8> {
    build_v2(addresses, tls).expect("names and protocols from a ClientHello fit the header's 16-bit length")
}

/// The header of a connection that no client is behind.
pub fn write_own(version: ProxyVersion) -> Vec<u8> {
    match version {
        ProxyVersion::V1 => b"PROXY UNKNOWN\r\n".to_vec(),
        // LOCAL, of unspecified family, nothing behind it.
        ProxyVersion::V2 => [v2::PROTOCOL_PREFIX, &[0x20, 0, 0, 0]].concat(),
    }
}

fn build_v2(addresses: Addresses, tls: Tls<'_>) -> std::io::Result<Vec<u8>> {
    let mut header = v2::Builder::with_addresses(
        v2::Version::Two | v2::Command::Proxy,
        v2::Protocol::Stream,
        same_family(addresses),
    );
    if let Some(alpn) = tls.alpn {
        header = header.write_tlv(v2::Type::ALPN, alpn)?;
    }
    if let Some(name) = tls.server_name {
        header = header.write_tlv(v2::Type::Authority, name.as_bytes())?;
    }
    // client flags 1 | verify 4 (0: verified) | nested TLV: the version
    let mut ssl = vec![PP2_CLIENT_SSL | if tls.client_certificate { PP2_CLIENT_CERTIFICATE } else { 0 }];
    ssl.extend_from_slice(&u32::from(!tls.client_certificate).to_be_bytes());
    ssl.push(v2::Type::SSLVersion.into());
    ssl.extend_from_slice(&(tls.version.len() as u16).to_be_bytes());
    ssl.extend_from_slice(tls.version.as_bytes());
    header.write_tlv(v2::Type::SSL, &ssl)?.build()
}

/// A header has one family for both addresses: IPv4 becomes IPv4-mapped IPv6 beside IPv6.
fn same_family(Addresses { source, destination }: Addresses) -> v2::Addresses {
    match (source, destination) {
        (SocketAddr::V4(_), SocketAddr::V4(_)) => (source, destination).into(),
        _ => {
            let v6 = |address: SocketAddr| match address.ip() {
                IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                IpAddr::V6(v6) => v6,
            };
            v2::IPv6::new(v6(source), v6(destination), source.port(), destination.port()).into()
        }
    }
}

/// The longest header that is accepted; version 2 could have 65,551 bytes and nobody needs them.
pub const MAX_HEADER: usize = 4096;

/// The longest line of version 1, CRLF included.
const MAX_V1: usize = 107;
const V1_SIGNATURE: &[u8] = b"PROXY ";
const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED: usize = 16;
const PP2_CLIENT_SSL: u8 = 1;
const PP2_CLIENT_CERTIFICATE: u8 = 2 | 4; // on this connection, in this session

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(source: &str, destination: &str) -> Addresses {
        Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    fn what_is_written_is_read() {
        let cases =
            [addresses("192.0.2.1:5000", "192.0.2.2:443"), addresses("[2001:db8::1]:5000", "[2001:db8::2]:443")];
        for case in cases {
            let tls =
                Tls { version: "TLSv1.3", server_name: Some("a.example"), alpn: Some(b"h2"), client_certificate: true };
            for header in [write_v1(case), write_v2(case, tls)] {
                let length = header.len();
                for cut in 0..length {
                    assert_eq!(read(&header[..cut]), Read::Incomplete, "{cut} of {length}");
                }
                let mut more = header.clone();
                more.extend_from_slice(b"\x16\x03\x01");
                assert_eq!(read(&more), Read::Header { addresses: Some(case), length });
            }
        }
    }

    #[test]
    fn families_are_made_one() {
        let mixed = addresses("192.0.2.1:5000", "[2001:db8::2]:443");
        let mapped = addresses("[::ffff:192.0.2.1]:5000", "[2001:db8::2]:443");
        for header in [write_v1(mixed), write_v2(mixed, Tls::default())] {
            assert_eq!(read(&header), Read::Header { addresses: Some(mapped), length: header.len() });
        }
    }

    #[test]
    fn a_check_of_the_balancer_has_no_addresses() {
        assert_eq!(read(b"PROXY UNKNOWN\r\n"), Read::Header { addresses: None, length: 15 });
        let mut local = V2_SIGNATURE.to_vec();
        local.extend_from_slice(&[0x20, 0x00, 0, 0]);
        assert_eq!(read(&local), Read::Header { addresses: None, length: 16 });
    }

    #[test]
    fn anything_else_is_malformed() {
        let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let mut huge = V2_SIGNATURE.to_vec();
        huge.extend_from_slice(&[0x21, 0x11, 0xff, 0xff]);
        for bytes in
            [b"GET / HTTP/1.1\r\n".as_slice(), b"\x16\x03\x01\x02\x00", b"PROXY TCP4 a b c d\r\n", &endless, &huge]
        {
            assert_eq!(read(bytes), Read::Malformed);
        }
    }
}
