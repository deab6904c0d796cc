//! The tables `[[upstream]]`.

use std::time::Duration;

use toml::Spanned;

use super::raw::RawUpstream;
use super::reader::Reader;
use super::{Balance, ProxyVersion, Upstream, UpstreamKind, check, server, upstream_tls};

pub(super) fn read(reader: &mut Reader<'_>, raw: Spanned<RawUpstream>, before: &[Upstream]) -> Upstream {
    let table = raw.span();
    let raw = raw.into_inner();
    let taken: Vec<&str> = before.iter().map(|upstream| upstream.name.as_str()).collect();
    let name = reader.name(table.clone(), "upstream.name", raw.name, &taken);
    let balances = [
        ("least-connections", Balance::LeastConnections),
        ("round-robin", Balance::RoundRobin),
        ("random-two", Balance::RandomTwo),
        ("source-hash", Balance::SourceHash),
    ];
    let versions = [("v1", Some(ProxyVersion::V1)), ("v2", Some(ProxyVersion::V2))];
    let over_tls = raw.tls.is_some() || reader.document.was_taken_out(table.start, "tls");
    Upstream {
        kind: UpstreamKind::Servers,
        balance: reader.choice("upstream.balance", raw.balance, &balances, Balance::LeastConnections),
        servers: server::read_all(reader, table, raw.servers),
        send_proxy: reader.choice("upstream.send-proxy", raw.send_proxy, &versions, None),
        connect_timeout: reader.timeout("upstream.connect-timeout", raw.connect_timeout, CONNECT_TIMEOUT),
        slow_start: reader.duration("upstream.slow-start", raw.slow_start, SLOW_START),
        eject_after: reader.count("upstream.eject-after", raw.eject_after, 0..=u32::MAX, EJECT_AFTER),
        eject_for: reader.interval("upstream.eject-for", raw.eject_for, EJECT_FOR),
        resolve_every: reader.interval("upstream.resolve-every", raw.resolve_every, RESOLVE_EVERY),
        tls: raw.tls.and_then(|raw| upstream_tls::read(reader, raw, &name)),
        check: raw.check.and_then(|raw| check::read(reader, raw, over_tls)),
        name,
    }
}

/// An upstream as it is where nothing is said of it but its name, and the servers that are still to come.
pub(super) fn plain(name: &str) -> Upstream {
    Upstream {
        name: name.to_owned(),
        kind: UpstreamKind::Servers,
        balance: Balance::LeastConnections,
        servers: Vec::new(),
        send_proxy: None,
        connect_timeout: CONNECT_TIMEOUT,
        slow_start: SLOW_START,
        eject_after: EJECT_AFTER,
        eject_for: EJECT_FOR,
        resolve_every: RESOLVE_EVERY,
        tls: None,
        check: None,
    }
}

/// The edge itself, where nobody said where connections should go.
pub(super) fn builtin() -> Upstream {
    Upstream { kind: UpstreamKind::Builtin, ..plain("builtin") }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const SLOW_START: Duration = Duration::ZERO;
const EJECT_AFTER: u32 = 3;
const EJECT_FOR: Duration = Duration::from_secs(10);
const RESOLVE_EVERY: Duration = Duration::from_secs(10);
