//! `show stat`

use std::collections::HashMap;
use std::ops::Deref;
use std::time::Instant;

use super::check_status::CheckStatus;
use super::servers::{state_of, with_ids};
use super::state::Operation;
use crate::admin::observed::Observed;
use crate::config::{Balance, CheckKind};
use crate::counters::{Failure, Purpose};
use crate::server::Snapshot;
use crate::service::Service;
use crate::upstream::balance::WEIGHT_OF_ONE;
use crate::upstream::check::{Failed, Report};
use crate::upstream::{Server, Upstream, Wanted};

/// The rows that are asked for: `show stat [{<iid>|<proxy>} <type> <sid>]`.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::admin) struct Filter<'a> {
    proxy: Option<&'a str>,
    /// Bits: 1 frontends, 2 backends, 4 servers.
    kinds: Option<u32>,
    server: Option<usize>,
}

impl<'a> Filter<'a> {
    /// As HAProxy: -1 is any, and anything but all three words is no filter.
    pub(super) fn parse(proxy: &'a str, kinds: Option<&'a str>, server: Option<&'a str>) -> Self {
        match (kinds, server) {
            (Some(kinds), Some(server)) => {
                Self { proxy: (proxy != "-1").then_some(proxy), kinds: kinds.parse().ok(), server: server.parse().ok() }
            }
            _ => Self::default(),
        }
    }

    fn passes(&self, proxy: &str, iid: usize, kind: RowKind, sid: usize) -> bool {
        self.proxy.is_none_or(|asked| asked == proxy || asked.parse() == Ok(iid))
            && self.kinds.is_none_or(|kinds| kinds & kind.bit() != 0)
            && self.server.is_none_or(|server| server == sid)
    }
}

/// The counters of listeners and upstreams as HAProxy's CSV: what it calls frontends, servers and backends.
pub(super) fn render(filter: &Filter<'_>, observed: &Observed, snapshot: &Snapshot) -> String {
    let mut text = format!("# {},\n", COLUMNS.join(","));
    let mut add = |proxy: &str, name: &str, kind: RowKind, iid: usize, sid: usize, row: Row| {
        if filter.passes(proxy, iid, kind, sid) {
            let row = row.with("pxname", proxy).with("svname", name).with("type", kind as u8);
            text.push_str(&row.with("pid", 1).with("iid", iid).with("sid", sid).render());
        }
    };
    for (iid, service) in (1..).zip(&snapshot.services) {
        add(&service.name, "FRONTEND", RowKind::Frontend, iid, 0, frontend(service, observed));
    }
    let now = Instant::now();
    for (iid, upstream) in with_ids(snapshot) {
        for (server, sid) in upstream.servers().iter().zip(1..) {
            add(upstream.name(), &server.name, RowKind::Server, iid, sid, one_server(upstream, server, observed, now));
        }
        add(upstream.name(), "BACKEND", RowKind::Backend, iid, 0, backend(upstream, observed, snapshot, now));
    }
    text
}

fn frontend(service: &Service, observed: &Observed) -> Row {
    let counters = &service.counters;
    let (handshakes, full) = counters.handshakes_and_full();
    let connections = counters.connections.value();
    let rates = observed.rates_of(service);
    // A connection without its PROXY protocol header never came to a handshake.
    let failures = Failure::ALL.into_iter().filter(|failure| *failure != Failure::ProxyHeader);
    Row::default()
        .with("scur", counters.open.value())
        .with("smax", counters.open.highest())
        .with("slim", service.max_connections)
        .with("stot", connections)
        .with("bin", counters.bytes_in.value())
        .with("bout", counters.bytes_out.value())
        .with("ereq", counters.failures(Failure::ProxyHeader))
        .with("status", "OPEN")
        .with("rate", rates.now.connections)
        .with("rate_lim", 0)
        .with("rate_max", rates.highest.connections)
        .with("mode", "tcp")
        .with("conn_rate", rates.now.connections)
        .with("conn_rate_max", rates.highest.connections)
        .with("conn_tot", connections)
        .with("ssl_sess", handshakes)
        .with("ssl_reused_sess", handshakes - full)
        .with("ssl_failed_handshake", failures.map(|failure| counters.failures(failure)).sum::<u64>())
}

fn one_server(upstream: &Upstream, server: &Server, observed: &Observed, now: Instant) -> Row {
    let counters = &server.counters;
    let (connections, failures) = (counters.connections.value(), counters.failures.value());
    let standing = server.standing();
    let state = state_of(upstream, server, &standing, now);
    let rates = observed.rates_of_server(upstream, server);
    let (effective, weight) = (server.effective_weight(now), server.weight());
    let mut row = Row::default()
        .with("scur", counters.open.value())
        .with("smax", counters.open.highest())
        .with("stot", connections)
        .with("econ", failures)
        .with("status", state.status())
        .with("weight", effective.div_ceil(WEIGHT_OF_ONE))
        .with("act", u8::from(!server.is_backup()))
        .with("bck", u8::from(server.is_backup()))
        .with("lastchg", now.saturating_duration_since(standing.changed).as_secs())
        .with("lbtot", connections)
        .with("rate", rates.now.connections)
        .with("rate_max", rates.highest.connections)
        .with("addr", server.address())
        .with("mode", "tcp")
        .with("connect", connections + failures)
        .with("uweight", weight);
    if state.operation == Operation::Starting {
        row = row.with("throttle", 100 * effective / (weight * WEIGHT_OF_ONE));
    }
    if let Some(check) = upstream.check() {
        row = row
            .with("chkfail", counters.checks_failed_up.value())
            .with("chkdown", counters.downs.value())
            .with("downtime", standing.downtime(now).as_secs());
        // As with HAProxy nothing is said of checks that are paused.
        if standing.wanted != Wanted::Maintenance {
            row = last_check(row, standing.last_check.as_ref(), &check.kind)
                .with("check_rise", server.thresholds().rise)
                .with("check_fall", server.thresholds().fall)
                .with("check_health", state.health());
        }
    }
    handshakes(row, std::slice::from_ref(&server))
}

fn last_check(row: Row, report: Option<&Report>, kind: &CheckKind) -> Row {
    let status = CheckStatus::of(report, kind);
    let row = row.with("check_status", status.as_str()).with("check_desc", status.description());
    let Some(report) = report else { return row };
    let row = row.with("check_duration", report.took.as_millis());
    let (row, code) = match &report.result {
        Ok(passed) => (row, passed.status),
        Err(failed) => match **failed {
            Failed::Status(status) => (row.with("last_chk", failed), Some(status)),
            _ => (row.with("last_chk", failed), None),
        },
    };
    match code {
        Some(code) => row.with("check_code", code),
        None => row,
    }
}

fn backend(upstream: &Upstream, observed: &Observed, snapshot: &Snapshot, now: Instant) -> Row {
    let servers = upstream.servers();
    let connections: u64 = servers.iter().map(|server| server.counters.connections.value()).sum();
    let failures: u64 = servers.iter().map(|server| server.counters.failures.value()).sum();
    let in_front = || snapshot.services.iter().filter(|service| service.upstream.name() == upstream.name());
    let usable = upstream.usable(now);
    let (active, backups): (Vec<&Server>, _) = usable.iter().partition(|server| !server.is_backup());
    // Backups have their turn when no other can serve.
    let used = if active.is_empty() { &backups } else { &active };
    let rates = observed.rates_of_upstream(upstream);
    let is_up = servers.is_empty() || !usable.is_empty();
    let row = Row::default()
        .with("scur", servers.iter().map(|server| server.counters.open.value()).sum::<usize>())
        .with("stot", connections)
        .with("bin", in_front().map(|service| service.counters.bytes_in.value()).sum::<u64>())
        .with("bout", in_front().map(|service| service.counters.bytes_out.value()).sum::<u64>())
        .with("econ", failures)
        .with("status", if is_up { "UP" } else { "DOWN" })
        .with("weight", used.iter().map(|server| server.effective_weight(now).div_ceil(WEIGHT_OF_ONE)).sum::<u32>())
        .with("act", active.len())
        .with("bck", backups.len())
        .with("lbtot", connections)
        .with("rate", rates.now.connections)
        .with("rate_max", rates.highest.connections)
        .with("mode", "tcp")
        .with("algo", algorithm(upstream.balance()))
        .with("connect", connections + failures)
        .with("uweight", used.iter().map(|server| server.weight()).sum::<u32>());
    handshakes(row, servers)
}

/// As in the rows of listeners: all that ended well, those of them that resumed, and those that came to nothing.
fn handshakes(row: Row, servers: &[impl Deref<Target = Server>]) -> Row {
    let each = servers.iter().map(|server| server.counters.handshakes_and_full());
    let (handshakes, full) = each.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    let failed = |server: &Server| Purpose::ALL.map(|purpose| server.counters.failed_handshakes(purpose));
    row.with("ssl_sess", handshakes)
        .with("ssl_reused_sess", handshakes - full)
        .with("ssl_failed_handshake", servers.iter().flat_map(|server| failed(server)).sum::<u64>())
}

/// HAProxy's word.
fn algorithm(balance: Balance) -> &'static str {
    match balance {
        Balance::LeastConnections => "leastconn",
        Balance::RoundRobin => "roundrobin",
        Balance::RandomTwo => "random",
        Balance::SourceHash => "source",
    }
}

/// HAProxy's numbers for the column `type`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum RowKind {
    Frontend = 0,
    Backend = 1,
    Server = 2,
}

impl RowKind {
    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A line of the table: the columns that have a value.
#[derive(Debug, Default)]
struct Row(HashMap<&'static str, String>);

impl Row {
    fn with(mut self, column: &'static str, value: impl ToString) -> Self {
        debug_assert!(COLUMNS.contains(&column), "{column} is none of HAProxy's columns");
        self.0.insert(column, value.to_string());
        self
    }

    fn render(mut self) -> String {
        self.0.insert("-", "-".to_owned());
        let value = |column: &&str| self.0.get(column).map_or_else(String::new, |value| quoted(value));
        let mut line: String = COLUMNS.iter().map(|column| value(column) + ",").collect();
        line.push('\n');
        line
    }
}

/// RFC 4180 §2: quotes where a separator would mislead, doubled inside.
fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// HAProxy 2.6's, up to those of TLS. (What follows there counts HTTP/1 and HTTP/2.)
#[rustfmt::skip]
const COLUMNS: [&str; 107] = [
    "pxname", "svname", "qcur", "qmax", "scur", "smax", "slim", "stot", "bin", "bout", "dreq", "dresp", "ereq",
    "econ", "eresp", "wretr", "wredis", "status", "weight", "act", "bck", "chkfail", "chkdown", "lastchg", "downtime",
    "qlimit", "pid", "iid", "sid", "throttle", "lbtot", "tracked", "type", "rate", "rate_lim", "rate_max",
    "check_status", "check_code", "check_duration", "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx",
    "hrsp_other", "hanafail", "req_rate", "req_rate_max", "req_tot", "cli_abrt", "srv_abrt", "comp_in", "comp_out",
    "comp_byp", "comp_rsp", "lastsess", "last_chk", "last_agt", "qtime", "ctime", "rtime", "ttime", "agent_status",
    "agent_code", "agent_duration", "check_desc", "agent_desc", "check_rise", "check_fall", "check_health",
    "agent_rise", "agent_fall", "agent_health", "addr", "cookie", "mode", "algo", "conn_rate", "conn_rate_max",
    "conn_tot", "intercepted", "dcon", "dses", "wrew", "connect", "reuse", "cache_lookups", "cache_hits", "srv_icur",
    "src_ilim", "qtime_max", "ctime_max", "rtime_max", "ttime_max", "eint", "idle_conn_cur", "safe_conn_cur",
    "used_conn_cur", "need_conn_est", "uweight", "agg_server_status", "agg_server_check_status", "agg_check_status",
    "-", "ssl_sess", "ssl_reused_sess", "ssl_failed_handshake",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_a_field_for_each_column() {
        let line = Row::default().with("pxname", "a,\"b\"").with("ssl_failed_handshake", 7).render();
        assert!(line.starts_with("\"a,\"\"b\"\"\",,"), "{line}");
        assert!(line.ends_with(",-,,,7,\n"), "{line}");
        // HAProxy ends each line, that of the header too, with a separator; the quoted name has one of its own.
        assert_eq!(line.matches(',').count(), COLUMNS.len() + 1);
    }

    #[test]
    fn filters_are_haproxys() {
        let all = [
            ("web", 1, RowKind::Frontend, 0),
            ("app", 2, RowKind::Server, 1),
            ("app", 2, RowKind::Server, 2),
            ("app", 2, RowKind::Backend, 0),
        ];
        let any: &[usize] = &[0, 1, 2, 3];
        let cases = [
            (("", None, None), any),
            (("up", None, None), any),
            (("-1", Some("-1"), Some("-1")), any),
            (("-1", Some("1"), Some("-1")), &[0]),
            (("-1", Some("6"), Some("-1")), &[1, 2, 3]),
            (("app", Some("4"), Some("-1")), &[1, 2]),
            (("2", Some("4"), Some("2")), &[2]),
            (("nothing", Some("-1"), Some("-1")), &[]),
        ];
        for ((proxy, kinds, server), expected) in cases {
            let filter = Filter::parse(proxy, kinds, server);
            let rows = all.iter().enumerate();
            let passed = rows.filter(|(_, (name, iid, kind, sid))| filter.passes(name, *iid, *kind, *sid));
            assert_eq!(passed.map(|(row, _)| row).collect::<Vec<_>>(), expected, "{filter:?}");
        }
    }
}
