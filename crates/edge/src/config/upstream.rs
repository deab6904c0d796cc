//! The tables `[[upstream]]`.

use toml::Spanned;

use super::raw::{RawUpstream, Value};
use super::reader::Reader;
use super::{ProxyVersion, Server, Upstream, UpstreamKind, address};

pub(super) fn read(reader: &mut Reader<'_>, raw: Spanned<RawUpstream>, before: &[Upstream]) -> Upstream {
    let table = raw.span();
    let raw = raw.into_inner();
    let taken: Vec<&str> = before.iter().map(|upstream| upstream.name.as_str()).collect();
    let name = reader.name(table.clone(), "upstream.name", raw.name, &taken);
    if raw.servers.is_none() {
        reader.missing(table, "upstream.servers", "list them, such as [\"10.0.0.11:8443\"]");
    }
    read_balance(reader, raw.balance);
    reader.not_built("upstream.tls", &raw.tls, "remove it: connections to servers are plain TCP as yet");
    reader.not_built("upstream.check", &raw.check, "remove it: servers are not checked as yet");
    let versions = [("v1", Some(ProxyVersion::V1)), ("v2", Some(ProxyVersion::V2))];
    Upstream {
        name,
        kind: UpstreamKind::Servers,
        servers: read_servers(reader, raw.servers),
        send_proxy: reader.choice("upstream.send-proxy", raw.send_proxy, &versions, None),
    }
}

/// The edge itself, where nobody said where connections should go.
pub(super) fn builtin() -> Upstream {
    Upstream { name: "builtin".into(), kind: UpstreamKind::Builtin, servers: Vec::new(), send_proxy: None }
}

fn read_servers(reader: &mut Reader<'_>, servers: Value<Vec<Spanned<String>>>) -> Vec<Server> {
    let Some(servers) = servers else { return Vec::new() };
    if servers.get_ref().is_empty() {
        reader.error(servers.span(), "upstream.servers", "empty; list at least one, such as [\"10.0.0.11:8443\"]");
    }
    let mut read = Vec::new();
    for server in servers.into_inner() {
        match address::resolve(server.get_ref()) {
            Ok(address) => read.push(Server { address, name: server.into_inner() }),
            Err(what) => reader.error(server.span(), "upstream.servers", what),
        }
    }
    read
}

fn read_balance(reader: &mut Reader<'_>, balance: Value<String>) {
    let at = balance.as_ref().map(Spanned::span).unwrap_or_default();
    let choices = [("least-connections", true), ("round-robin", false), ("random-two", false), ("source-hash", false)];
    if !reader.choice("upstream.balance", balance, &choices, true) {
        reader.error(at, "upstream.balance", "not built yet; use \"least-connections\"");
    }
}
