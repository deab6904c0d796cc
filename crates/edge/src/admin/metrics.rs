//! What `/metrics` says.

use std::time::Instant;

use raincheck_control::Standing;
use raincheck_control::admin::prometheus::{Exposition, Family};
use raincheck_control::admin::{describe_ring, process};
use raincheck_keyring::KeyState;
use raincheck_tls::{Kind, Reason};

use super::observed::Observed;
use crate::counters::{Failure, How, Purpose, Side};
use crate::server::Snapshot;
use crate::service::Service;
use crate::upstream::balance::WEIGHT_OF_ONE;
use crate::upstream::{Server, Wanted};

/// All metrics, in Prometheus' text format.
pub(super) fn render(observed: &Observed) -> String {
    let snapshot = observed.snapshot();
    let mut page = Exposition::default();
    handshakes(&mut page, &snapshot);
    tickets(&mut page, &snapshot);
    connections(&mut page, &snapshot);
    upstreams(&mut page, &snapshot);
    edge(&mut page, &snapshot);
    process::describe(&mut page, observed.started_at());
    page.finish()
}

fn handshakes(page: &mut Exposition, snapshot: &Snapshot) {
    let mut all = page.counter("raincheck_handshakes_total", "Handshakes by version, kind, and reason where full.");
    for service in &snapshot.services {
        for (version, kind, reason, count) in service.counters.handshakes() {
            // What is usual is there from the start, so that a rate over it has a zero to begin with. Of the rest only
            // what occurred is, or each listener would make two dozen series of nothing.
            let is_usual = match kind {
                Kind::Full => reason == Some(Reason::NotOffered),
                Kind::SessionId | Kind::Ticket => version == "TLSv1.2",
                Kind::Psk => version == "TLSv1.3",
            };
            if is_usual || count > 0 {
                let reason = reason.map_or("", Reason::as_str);
                let labels = [("listener", service.name.as_str()), ("version", version), ("kind", kind.as_str())];
                all.sample(&[&labels[..], &[("reason", reason)]].concat(), count);
            }
        }
    }
    let mut failures = page.counter("raincheck_handshake_failures_total", "Handshakes that came to nothing.");
    for service in &snapshot.services {
        for failure in Failure::ALL {
            let labels = [("listener", service.name.as_str()), ("reason", failure.as_str())];
            failures.sample(&labels, service.counters.failures(failure));
        }
    }
    let mut time = page.histogram("raincheck_handshake_seconds", "Time from the beginning to the end of a handshake.");
    for service in &snapshot.services {
        let listener = ("listener", service.name.as_str());
        time.buckets(&[listener, ("kind", "full")], service.counters.full_seconds.snapshot());
        time.buckets(&[listener, ("kind", "resumed")], service.counters.resumed_seconds.snapshot());
    }
    per_listener(page.counter("raincheck_session_cache_lookups_total", "Sessions looked for by ID."), snapshot, |of| {
        of.sessions.lookups_and_misses().0
    });
    per_listener(page.counter("raincheck_session_cache_misses_total", "Those of them not found."), snapshot, |of| {
        of.sessions.lookups_and_misses().1
    });
}

fn tickets(page: &mut Exposition, snapshot: &Snapshot) {
    let ring = snapshot.keys.ring();
    describe_ring(page, &ring);
    let standing = *snapshot.keys.standing().borrow();
    let mut standings =
        page.gauge("raincheck_keys_standing", "How the node stands with its source of keys: 1 for one.");
    for one in [Standing::Waiting, Standing::Supplied, Standing::Alone] {
        standings.sample(&[("standing", one.as_str())], u64::from(one == standing));
    }
    page.counter(
        "raincheck_keys_refused_total",
        "What a source brought as keys, or as the word of a node, and was neither.",
    )
    .sample(&[], snapshot.keys.refused());
    // Labels only for names this node has held: a stranger who makes up names makes up no series.
    let held = snapshot.tickets.held();
    let mut opened = page.counter("raincheck_tickets_opened_total", "Tickets that opened, by the key they name.");
    for (name, key) in &held {
        let current = ring.find(*name).map(|entry| entry.state);
        let name = name.to_string();
        for state in KeyState::ALL {
            let count = key.opened_as(state);
            if count > 0 || current == Some(state) {
                opened.sample(&[("key_name", &name), ("state", state.as_str())], count);
            }
        }
    }
    let mut refused = page.counter(
        "raincheck_tickets_refused_total",
        "Tickets refused because the key they name, which this node once had, is gone.",
    );
    for (name, key) in held.iter().filter(|(name, key)| key.refused_unknown > 0 || ring.find(*name).is_none()) {
        let reason = Reason::UnknownKey.as_str();
        refused.sample(&[("key_name", &name.to_string()), ("reason", reason)], key.refused_unknown);
    }
    page.counter(
        "raincheck_tickets_foreign_total",
        "Tickets under keys this node never had; the names seen most are in /status.json.",
    )
    .sample(&[], snapshot.tickets.foreign().0);
    page.histogram("raincheck_ticket_age_seconds", "Time since the ticket, or session, that resumed was made.")
        .buckets(&[], snapshot.tickets.age_seconds.snapshot());
}

fn connections(page: &mut Exposition, snapshot: &Snapshot) {
    per_listener(page.counter("raincheck_connections_total", "Connections taken from clients."), snapshot, |of| {
        of.counters.connections.value()
    });
    per_listener(page.gauge("raincheck_connections_open", "Connections open now."), snapshot, |of| {
        of.counters.open.value() as u64
    });
    per_listener(page.gauge("raincheck_connections_max", "Connections there is room for."), snapshot, |of| {
        of.max_connections as u64
    });
    let mut closed = page.counter("raincheck_connections_closed_total", "Sides of connections, by how they ended.");
    for service in &snapshot.services {
        for (side, how) in Side::ALL.into_iter().flat_map(|side| How::ALL.map(|how| (side, how))) {
            let labels = [("listener", service.name.as_str()), ("side", side.as_str()), ("how", how.as_str())];
            closed.sample(&labels, service.counters.closed_so(side, how));
        }
    }
    let mut bytes = page.counter("raincheck_bytes_total", "Application bytes from clients (in) and to them (out).");
    for service in &snapshot.services {
        let listener = ("listener", service.name.as_str());
        bytes.sample(&[listener, ("direction", "in")], service.counters.bytes_in.value());
        bytes.sample(&[listener, ("direction", "out")], service.counters.bytes_out.value());
    }
    let name = "raincheck_connections_without_server_total";
    per_listener(page.counter(name, "Connections no server could be reached for."), snapshot, |of| {
        of.counters.without_server()
    });
}

fn upstreams(page: &mut Exposition, snapshot: &Snapshot) {
    let family = page.counter("raincheck_upstream_connections_total", "Connections made to a server.");
    per_server(family, snapshot, |server| server.counters.connections.value());
    let family = page.counter("raincheck_upstream_connection_failures_total", "Connections a server did not accept.");
    per_server(family, snapshot, |server| server.counters.failures.value());
    let family = page.gauge("raincheck_upstream_connections_open", "Connections open to a server now.");
    per_server(family, snapshot, |server| server.counters.open.value() as u64);
    let up = "raincheck_upstream_server_up";
    let family = page.gauge(up, "1; 0 for a server that its checks took down, or an operator.");
    per_server(family, snapshot, |server| {
        let standing = server.standing();
        u64::from(standing.health.is_up() && standing.wanted != Wanted::Maintenance)
    });
    let mut weights =
        page.gauge("raincheck_upstream_server_weight", "Its weight for new connections; 0: it takes none.");
    let now = Instant::now();
    each_server(snapshot, |server, labels| {
        weights.sample(&labels, f64::from(server.share(now, false)) / f64::from(WEIGHT_OF_ONE));
    });
    checks(page, snapshot);
    upstream_handshakes(page, snapshot);
}

fn checks(page: &mut Exposition, snapshot: &Snapshot) {
    let mut checks = page.counter("raincheck_upstream_checks_total", "Checks of servers that are checked.");
    for upstream in snapshot.upstreams.iter().filter(|upstream| upstream.check().is_some()) {
        for server in upstream.servers() {
            let labels = [("upstream", upstream.name()), ("server", &server.name)];
            checks.sample(&[&labels[..], &[("result", "passed")]].concat(), server.counters.checks_passed.value());
            checks.sample(&[&labels[..], &[("result", "failed")]].concat(), server.counters.checks_failed.value());
        }
    }
}

/// Of servers over TLS.
fn upstream_handshakes(page: &mut Exposition, snapshot: &Snapshot) {
    let name = "raincheck_upstream_handshakes_total";
    let mut handshakes = page.counter(name, "Handshakes with a server, by purpose and kind.");
    each_purpose(snapshot, |server, purpose, labels| {
        for kind in Kind::ALL {
            let count = server.counters.handshakes(purpose, kind);
            // How a server resumes is its own choice, so of the resumed kinds only what occurred is there.
            if kind == Kind::Full || count > 0 {
                handshakes.sample(&[&labels[..], &[("kind", kind.as_str())]].concat(), count);
            }
        }
    });
    let name = "raincheck_upstream_sessions_refused_total";
    let mut refused = page.counter(name, "Handshakes that were full although a session was offered.");
    each_purpose(snapshot, |server, purpose, labels| {
        refused.sample(&labels, server.counters.refused(purpose));
    });
    let name = "raincheck_upstream_handshake_failures_total";
    let mut failures = page.counter(name, "Handshakes with a server that came to nothing.");
    each_purpose(snapshot, |server, purpose, labels| {
        failures.sample(&labels, server.counters.failed_handshakes(purpose));
    });
    let mut sessions = page.gauge("raincheck_upstream_sessions", "Sessions there are to offer to a server.");
    each_server(snapshot, |server, labels| {
        if let Some(connector) = &server.target().connector {
            sessions.sample(&labels, connector.sessions().len());
        }
    });
}

fn edge(page: &mut Exposition, snapshot: &Snapshot) {
    // All listeners write to one log.
    let log = snapshot.services.iter().find_map(|service| service.access_log.as_ref());
    page.counter("raincheck_access_log_dropped_total", "Batches of access log lines lost to a slow reader.")
        .sample(&[], log.map_or(0, |log| log.dropped()));
    page.gauge("raincheck_workers", "Threads that serve.").sample(&[], snapshot.workers);
    page.gauge("raincheck_build_info", "Always 1; the version is the label.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
}

fn per_listener(mut family: Family<'_>, snapshot: &Snapshot, value: impl Fn(&Service) -> u64) {
    for service in &snapshot.services {
        family.sample(&[("listener", &service.name)], value(service));
    }
}

fn per_server(mut family: Family<'_>, snapshot: &Snapshot, value: impl Fn(&Server) -> u64) {
    each_server(snapshot, |server, labels| {
        family.sample(&labels, value(server));
    });
}

fn each_server<'a>(snapshot: &'a Snapshot, mut f: impl FnMut(&'a Server, [(&'a str, &'a str); 2])) {
    for upstream in &snapshot.upstreams {
        for server in upstream.servers() {
            f(server, [("upstream", upstream.name()), ("server", &server.name)]);
        }
    }
}

/// Each server over TLS, with each purpose there is to speak to it.
fn each_purpose<'a>(snapshot: &'a Snapshot, mut f: impl FnMut(&'a Server, Purpose, [(&'a str, &'a str); 3])) {
    each_server(snapshot, |server, [upstream, name]| {
        if server.target().connector.is_some() {
            for purpose in Purpose::ALL {
                f(server, purpose, [upstream, name, ("purpose", purpose.as_str())]);
            }
        }
    });
}
