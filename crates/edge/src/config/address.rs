//! Addresses: how they are written, and who may have which.

use std::net::{SocketAddr, ToSocketAddrs};

use rustls::pki_types::DnsName;

use super::error::{ConfigError, Place};

/// Somebody who wants an address.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) address: SocketAddr,
    /// As it is called in a message: "listener `web`".
    pub(super) owner: String,
    pub(super) place: Place,
}

/// An error for each claim on an address that an earlier one has.
pub(super) fn conflicts(claims: &[Claim]) -> Vec<ConfigError> {
    let conflict = |(index, claim): (usize, &Claim)| {
        let earlier = claims[..index].iter().find(|earlier| collide(earlier.address, claim.address))?;
        let what = format!(
            "{} asks for {}, and {} has {}; give each an address or a port of its own",
            claim.owner, claim.address, earlier.owner, earlier.address
        );
        Some(ConfigError { place: claim.place.clone(), what })
    };
    claims.iter().enumerate().filter_map(conflict).collect()
}

/// Whether a connection to one could as well be one to the other. IPv4 and IPv6 are apart: the edge binds `[::]` to IPv6
/// only. Port 0 is a new port each time.
pub(crate) fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let same_address = one.ip() == other.ip()
        || (one.is_ipv4() == other.is_ipv4() && (one.ip().is_unspecified() || other.ip().is_unspecified()));
    one.port() == other.port() && one.port() != 0 && same_address
}

/// An address to listen on: an IP address and a port.
///
/// # Errors
/// How to write it.
pub fn listening_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is no address to listen on; write IP:PORT, such as \"0.0.0.0:443\" or \"[::]:443\"")
    })
}

/// Where a server is: `host:port`, the host looked up now if it is a name, which comes second.
///
/// Of several addresses the first IPv4 one is taken, else the first.
pub(super) fn resolve(text: &str) -> Result<(SocketAddr, Option<String>), String> {
    // An IPv6 address needs its brackets: the last group of a bare one is no port.
    let host = text.rsplit_once(':').and_then(|(host, port)| {
        let sound = (host.starts_with('[') || !host.contains(':')) && port.parse::<u16>().is_ok_and(|port| port != 0);
        sound.then_some(host)
    });
    let Some(host) = host else {
        return Err(format!("`{text}` has no port; write HOST:PORT, such as \"10.0.0.11:8443\""));
    };
    if let Ok(address) = text.parse() {
        return Ok((address, None));
    }
    // The system looks up more than that, such as `10.1`; but a certificate could not be for it.
    if DnsName::try_from(host).is_err() {
        return Err(format!("`{host}` is neither a DNS name nor an IP address; write such as \"10.0.0.11:8443\""));
    }
    let found: Vec<SocketAddr> = text
        .to_socket_addrs()
        .map_err(|error| format!("cannot look up `{text}`: {error}; check the name, or write an IP address"))?
        .collect();
    let chosen = found.iter().find(|address| address.is_ipv4()).or(found.first());
    let chosen = chosen.map(|address| (*address, Some(host.to_owned())));
    chosen.ok_or_else(|| format!("`{text}` has no address; check the name, or write an IP address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_have_an_address_together() {
        let cases = [
            ("127.0.0.1:443", "127.0.0.1:443", true),
            ("127.0.0.1:443", "127.0.0.1:444", false),
            ("127.0.0.1:443", "127.0.0.2:443", false),
            ("0.0.0.0:443", "127.0.0.1:443", true),
            ("127.0.0.1:443", "0.0.0.0:443", true),
            ("[::]:443", "[::1]:443", true),
            ("[::]:443", "0.0.0.0:443", false),
            ("[::]:443", "127.0.0.1:443", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ];
        for (one, other, expected) in cases {
            let [one, other] = [one, other].map(|text| text.parse().expect("an address"));
            assert_eq!(collide(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn servers_are_looked_up() {
        assert_eq!(resolve("localhost:80"), Ok((([127, 0, 0, 1], 80).into(), Some("localhost".into()))));
        for text in ["127.0.0.1:80", "[::1]:80", "[fe80::1%1]:80"] {
            assert_eq!(resolve(text), Ok((text.parse().expect("an address"), None)));
        }
        for text in ["localhost", "localhost:", "localhost:0", "localhost:99999", "::1", ""] {
            assert!(resolve(text).is_err_and(|why| why.contains("has no port")), "{text}");
        }
        for text in [":80", "10.1:80", "0x7f000001:80", "[localhost]:80", "a..b:80", "-a:80", "b\u{fc}cher.example:80"]
        {
            assert!(resolve(text).is_err_and(|why| why.contains("is neither a DNS name nor an IP address")), "{text}");
        }
        assert!(resolve("no-such-name.invalid:80").is_err_and(|why| why.starts_with("cannot look up")));
    }
}
