use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::Timestamp;
use crate::evidence::Connection;

/// Which connections of a capture are to be looked at; all of them where nothing is set.
///
/// A session is known by the connections that are: what others issued is not seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those to this server.
    pub server: Option<Endpoint>,
    /// Those from this client.
    pub client: Option<Endpoint>,
    /// Those that ask for this name, in lower case.
    pub server_name: Option<String>,
    /// Those that were seen at this time or later.
    pub from: Option<Timestamp>,
    /// Those that began before this time.
    pub until: Option<Timestamp>,
}

/// An address, with or without a port: `10.0.0.7`, `10.0.0.7:8443`, `2001:db8::7`, `[2001:db8::7]:8443`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub ip: IpAddr,
    /// The port; any where there is none.
    pub port: Option<u16>,
}

impl Filter {
    /// Whether `connection` is to be looked at.
    pub fn admits(&self, connection: &Connection) -> bool {
        let name = || connection.client_hello.as_ref().and_then(|hello| hello.server_name.as_deref());
        self.server.is_none_or(|server| server.is(connection.server))
            && self.client.is_none_or(|client| client.is(connection.client))
            && self.server_name.as_deref().is_none_or(|wanted| name() == Some(wanted))
            && self.from.is_none_or(|from| connection.last.time >= from)
            && self.until.is_none_or(|until| connection.start.time < until)
    }
}

impl Endpoint {
    /// Whether `address` is it.
    pub fn is(&self, address: SocketAddr) -> bool {
        self.ip.to_canonical() == address.ip().to_canonical() && self.port.is_none_or(|port| port == address.port())
    }
}

impl FromStr for Endpoint {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<SocketAddr>() {
            Ok(address) => Ok(Self { ip: address.ip(), port: Some(address.port()) }),
            Err(_) => text.parse().map(|ip| Self { ip, port: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::scene::Scene;

    #[test]
    fn endpoints_have_a_port_or_none() {
        for (text, address, is) in [
            ("192.0.2.1", "192.0.2.1:443", true),
            ("192.0.2.1", "192.0.2.2:443", false),
            ("192.0.2.1:443", "192.0.2.1:443", true),
            ("192.0.2.1:444", "192.0.2.1:443", false),
            ("2001:db8::7", "[2001:db8::7]:443", true),
            ("[2001:db8::7]:8443", "[2001:db8::7]:443", false),
            ("192.0.2.1", "[::ffff:192.0.2.1]:443", true),
        ] {
            let endpoint = text.parse::<Endpoint>().expect(text);
            assert_eq!(endpoint.is(address.parse().expect(address)), is, "{text} {address}");
        }
        assert!("service.example".parse::<Endpoint>().is_err());
    }

    #[test]
    fn what_is_set_must_hold() {
        let mut scene = Scene::default();
        scene.visit("192.0.2.1", "198.51.100.1").done();
        let connection = &scene.connections()[0];
        let endpoint = |text: &str| text.parse().ok();
        let (start, last) = (connection.start.time.nanoseconds(), connection.last.time.nanoseconds());
        let at = |nanoseconds| Some(Timestamp::from_nanoseconds(nanoseconds));
        for (filter, admitted) in [
            (Filter::default(), true),
            (Filter { server: endpoint("198.51.100.1:443"), ..Filter::default() }, true),
            (Filter { server: endpoint("192.0.2.1"), ..Filter::default() }, false),
            (Filter { client: endpoint("192.0.2.1"), ..Filter::default() }, true),
            (Filter { client: endpoint("192.0.2.1:1"), ..Filter::default() }, false),
            (Filter { server_name: Some("service.example".to_owned()), ..Filter::default() }, true),
            (Filter { server_name: Some("other.example".to_owned()), ..Filter::default() }, false),
            (Filter { from: at(last), ..Filter::default() }, true),
            (Filter { from: at(last + 1), ..Filter::default() }, false),
            (Filter { until: at(start), ..Filter::default() }, false),
            (Filter { until: at(start + 1), ..Filter::default() }, true),
        ] {
            assert_eq!(filter.admits(connection), admitted, "{filter:?}");
        }
    }
}
