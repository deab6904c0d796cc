//! What `/status.json` says, and the page that shows it.

mod server;

use std::net::SocketAddr;
use std::time::Instant;

use raincheck_control::admin::{keys_json, nodes_json};
use serde_json::{Map, Value, json};

use super::observed::{Observed, totals};
use super::rates::{Rates, Totals};
use crate::counters::{Failure, How, ListenerCounters, Side};
use crate::server::Snapshot;
use crate::service::Service;
use crate::upstream::Upstream;

/// The page at `/status`: reads `/status.json` every other second and shows it. All it shows it shows as text, so a name
/// is never markup.
pub(super) const PAGE: &str = include_str!("status.html");

/// The status. Durations are seconds, rates are per second, sizes are bytes.
pub(super) fn json(observed: &Observed) -> Value {
    let snapshot = observed.snapshot();
    let all = snapshot.services.iter().map(|service| totals(service)).fold(Totals::default(), Totals::plus);
    let open: usize = snapshot.services.iter().map(|service| service.counters.open.value()).sum();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "state": observed.phase().as_str(),
        "started": observed.started_at().as_secs_f64(),
        "uptime": observed.uptime().as_secs_f64(),
        "workers": snapshot.workers,
        "connections": { "open": open, "total": all.connections },
        "handshakes": { "total": all.handshakes, "full": all.full },
        "rates": rates(&observed.rates(&snapshot)),
        "upstream_rates": upstream_rates(&observed.upstream_rates(&snapshot)),
        "listeners": snapshot.services.iter().map(|service| listener(service, &snapshot)).collect::<Vec<_>>(),
        "keys": keys_json(&snapshot.keys, &snapshot.key_source),
        "role": snapshot.keys.leads().then_some("leader"),
        "nodes": snapshot.keys.leads().then(|| nodes_json(&snapshot.keys)),
        "foreign_tickets": foreign(&snapshot),
        "upstreams": snapshot.upstreams.iter().map(|of| upstream(of)).collect::<Vec<_>>(),
    })
}

fn rates(rates: &Rates) -> Value {
    let per_second = |totals: &Totals| json!({ "connections": totals.connections, "handshakes": totals.handshakes, "full": totals.full });
    json!({
        "now": per_second(&rates.now),
        "highest": per_second(&rates.highest),
        "resumed_percent": rates.reuse_percent(),
    })
}

/// Of handshakes with servers, for traffic and checks.
fn upstream_rates(rates: &Rates) -> Value {
    let per_second = |totals: &Totals| json!({ "handshakes": totals.handshakes, "full": totals.full });
    json!({ "now": per_second(&rates.now), "highest": per_second(&rates.highest) })
}

fn listener(service: &Service, snapshot: &Snapshot) -> Value {
    let counters = &service.counters;
    let (lookups, misses) = service.sessions.lookups_and_misses();
    json!({
        "name": service.name,
        "addresses": addresses(service, snapshot).map(|address| address.to_string()).collect::<Vec<_>>(),
        "upstream": service.upstream.name(),
        "connections": {
            "open": counters.open.value(),
            "highest": counters.open.highest(),
            "max": service.max_connections,
            "total": counters.connections.value(),
            "without_server": counters.without_server(),
        },
        "handshakes": handshakes(counters),
        "failures": object(Failure::ALL.map(|failure| (failure.as_str(), counters.failures(failure).into()))),
        "closed": object(Side::ALL.map(|side| {
            (side.as_str(), object(How::ALL.map(|how| (how.as_str(), counters.closed_so(side, how).into()))))
        })),
        "bytes": { "in": counters.bytes_in.value(), "out": counters.bytes_out.value() },
        "session_cache": { "capacity": service.sessions.capacity(), "lookups": lookups, "misses": misses },
    })
}

/// Where the listener is open; port 0 became another.
fn addresses(service: &Service, snapshot: &Snapshot) -> impl Iterator<Item = SocketAddr> {
    service.bind.iter().map(|wanted| snapshot.addresses.get(wanted).copied().unwrap_or(wanted.address()))
}

/// Those that occurred.
fn handshakes(counters: &ListenerCounters) -> Vec<Value> {
    let occurred = counters.handshakes().filter(|(.., count)| *count > 0);
    occurred
        .map(|(version, kind, reason, count)| {
            let reason = reason.map(raincheck_tls::Reason::as_str);
            json!({ "version": version, "kind": kind.as_str(), "reason": reason, "count": count })
        })
        .collect()
}

/// Tickets under keys this node never had, and the ten names seen most.
fn foreign(snapshot: &Snapshot) -> Value {
    let (total, top) = snapshot.tickets.foreign();
    let top = top.into_iter().map(|(name, count)| json!({ "key_name": name.to_string(), "count": count }));
    json!({ "total": total, "top": top.collect::<Vec<_>>() })
}

fn upstream(upstream: &Upstream) -> Value {
    let now = Instant::now();
    let servers = upstream.servers().iter().map(|server| server::json(upstream, server, now));
    json!({ "name": upstream.name(), "servers": servers.collect::<Vec<_>>() })
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}
