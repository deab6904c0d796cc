//! Whom to probe.

use std::net::SocketAddr;

use rustls::pki_types::ServerName;
use tokio::net::lookup_host;

use crate::Error;

/// A server as it was named, and where it is.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it was called: `HOST:PORT`.
    pub name: String,
    /// The name to ask for, and to have certified.
    pub server_name: ServerName<'static>,
    /// Its address.
    pub address: SocketAddr,
}

impl Target {
    /// Every address behind `name`, each a target of its own. `server_name` is asked for in place of the host.
    pub async fn resolve(name: &str, server_name: Option<&str>) -> Result<Vec<Self>, Error> {
        let no_target = || Error::Target(name.to_owned());
        let (host, port) = name.rsplit_once(':').ok_or_else(no_target)?;
        let port: u16 = port.parse().map_err(|_| no_target())?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || (host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err()) {
            return Err(no_target());
        }
        let asked = server_name.unwrap_or(host);
        let server_name = ServerName::try_from(asked.to_owned()).map_err(|_| Error::ServerName(asked.to_owned()))?;
        let resolved =
            lookup_host((host, port)).await.map_err(|error| Error::Resolve { host: host.to_owned(), error })?;
        let mut addresses: Vec<SocketAddr> = resolved.collect();
        let mut seen = Vec::new();
        addresses.retain(|address| {
            !seen.contains(address) && {
                seen.push(*address);
                true
            }
        });
        Ok(addresses
            .into_iter()
            .map(|address| Self { name: name.to_owned(), server_name: server_name.clone(), address })
            .collect())
    }
}
