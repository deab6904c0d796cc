//! `show servers state`, `show servers conn` and `show backend`

use std::time::Instant;

use super::check_status::CheckStatus;
use super::state::State;
use crate::server::Snapshot;
use crate::upstream::balance::WEIGHT_OF_ONE;
use crate::upstream::{Server, Standing, Upstream};

/// The names of the upstreams.
pub(super) fn upstreams(snapshot: &Snapshot) -> String {
    let names = snapshot.upstreams.iter().map(|upstream| format!("{}\n", upstream.name()));
    format!("# name\n{}", names.collect::<String>())
}

/// How the servers stand, of one upstream or of all: version 1 of HAProxy's format, with the columns of 2.6.
pub(super) fn state(upstream: Option<&str>, snapshot: &Snapshot) -> String {
    let Some(asked_for) = asked_for(upstream, snapshot) else { return NOWHERE.to_owned() };
    let now = Instant::now();
    let mut text = format!("1\n# {}\n", COLUMNS.join(" "));
    for (id, upstream) in asked_for {
        for (number, server) in (1..).zip(upstream.servers()) {
            let line = server_state(upstream, server, now);
            text.push_str(&format!("{id} {} {number} {line}\n", upstream.name()));
        }
    }
    text
}

/// The connections to the servers, of one upstream or of all, with the columns of HAProxy 2.6. No connection is kept for a
/// client to come, so what is needed is what is used.
pub(super) fn connections(upstream: Option<&str>, snapshot: &Snapshot) -> String {
    let Some(asked_for) = asked_for(upstream, snapshot) else { return NOWHERE.to_owned() };
    let threads = snapshot.workers;
    let mut text = format!("# {}[{threads}]\n", CONNECTION_COLUMNS.join(" "));
    for (id, upstream) in asked_for {
        for (number, server) in (1..).zip(upstream.servers()) {
            let (open, address) = (&server.counters.open, server.address());
            text.push_str(&format!(
                "{upstream}/{server} {id}/{number} {ip} {port} - 0 {used} {most} {used} 0 0 0 0{idle}\n",
                upstream = upstream.name(),
                server = server.name,
                ip = address.ip(),
                port = address.port(),
                used = open.value(),
                most = open.highest(),
                idle = " 0".repeat(threads),
            ));
        }
    }
    text
}

/// The upstream that is called `name`, with its number.
pub(super) fn find<'a>(name: &str, snapshot: &'a Snapshot) -> Option<(usize, &'a Upstream)> {
    with_ids(snapshot).find(|(id, upstream)| is_called(name, *id, upstream.name()))
}

/// Whether what has this number and name is called `asked`: its name, or a `#` and its number. No name has a `#`.
pub(super) fn is_called(asked: &str, number: usize, name: &str) -> bool {
    asked.strip_prefix('#').map_or(asked == name, |asked| asked.parse() == Ok(number))
}

/// The upstreams with their numbers, which follow those of the listeners.
pub(super) fn with_ids(snapshot: &Snapshot) -> impl Iterator<Item = (usize, &Upstream)> {
    (snapshot.services.len() + 1..).zip(snapshot.upstreams.iter().map(|upstream| &**upstream))
}

/// The one that is asked for, or all. `None` if there is none that is called so.
fn asked_for<'a>(asked: Option<&str>, snapshot: &'a Snapshot) -> Option<Vec<(usize, &'a Upstream)>> {
    match asked {
        Some(name) => find(name, snapshot).map(|found| vec![found]),
        None => Some(with_ids(snapshot).collect()),
    }
}

/// How a server of `upstream` stands, which is so `now`.
pub(super) fn state_of(upstream: &Upstream, server: &Server, standing: &Standing, now: Instant) -> State {
    let checked = upstream.check().map(|_| server.thresholds());
    let is_starting = server.effective_weight(now) < server.weight() * WEIGHT_OF_ONE;
    State::of(standing, checked, is_starting, now)
}

/// The columns from the server's name on.
fn server_state(upstream: &Upstream, server: &Server, now: Instant) -> String {
    let standing = server.standing();
    let state = state_of(upstream, server, &standing, now);
    let target = server.target();
    let (status, result) = match (upstream.check(), &standing.last_check) {
        (None, _) => (CheckStatus::Initializing, CheckResult::Unknown),
        (Some(check), report) => {
            let result = match report.as_ref().map(|report| report.result.is_ok()) {
                None => CheckResult::Unknown,
                Some(false) => CheckResult::Failed,
                Some(true) => CheckResult::Passed,
            };
            (CheckStatus::of(report.as_ref(), &check.kind), result)
        }
    };
    format!(
        "{name} {address} {operation} {admin} {weight} {initial} {since} {status} {result} {health} {check} 0 0 0 {host} \
         {port} - {tls} 0 - - 0",
        name = server.name,
        address = target.address.ip(),
        operation = state.operation as u8,
        admin = state.admin(),
        weight = server.weight(),
        initial = server.configured_weight(),
        since = now.saturating_duration_since(standing.changed).as_secs(),
        status = status as u8,
        result = result as u8,
        health = state.health(),
        check = state.check(),
        host = server.host().unwrap_or("-"),
        port = target.address.port(),
        tls = u8::from(target.connector.is_some()),
    )
}

/// HAProxy's numbers for what a check came to.
#[derive(Copy, Clone)]
enum CheckResult {
    Unknown = 0,
    Failed = 2,
    Passed = 3,
}

const NOWHERE: &str = "Can't find backend.\n";

#[rustfmt::skip]
const CONNECTION_COLUMNS: [&str; 14] = [
    "bkname/svname", "bkid/svid", "addr", "port", "-", "purge_delay", "used_cur", "used_max", "need_est", "unsafe_nb",
    "safe_nb", "idle_lim", "idle_cur", "idle_per_thr",
];

#[rustfmt::skip]
const COLUMNS: [&str; 25] = [
    "be_id", "be_name", "srv_id", "srv_name", "srv_addr", "srv_op_state", "srv_admin_state", "srv_uweight",
    "srv_iweight", "srv_time_since_last_change", "srv_check_status", "srv_check_result", "srv_check_health",
    "srv_check_state", "srv_agent_state", "bk_f_forced_id", "srv_f_forced_id", "srv_fqdn", "srv_port", "srvrecord",
    "srv_use_ssl", "srv_check_port", "srv_check_addr", "srv_agent_addr", "srv_agent_port",
];
