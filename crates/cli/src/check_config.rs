//! `raincheck check-config`

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use raincheck_control::KeySource;
use raincheck_control::agent::Outlet;
use raincheck_control::serve::Serve;
use raincheck_control::sink::{FileFault, SinkError};
use raincheck_control::source::etcd::EtcdSource;
use raincheck_control::source::file::KeyFile;
use raincheck_control::source::http::HttpSource;
use raincheck_edge::config::duration::show;
use raincheck_edge::config::{
    AccessLog, Balance, Check, CheckKind, ClientAuthMode, Config, Listener, MinVersion, ProxyVersion, Renewal, Server,
    Upstream, UpstreamKind, UpstreamTls,
};
use raincheck_keyring::{KeySize, Schedule};

use crate::failure::Failure;
use crate::secrecy;
use crate::stderr::say;

/// Check a configuration file and all the files it names, and say what it comes to
#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    /// The configuration
    file: PathBuf,
}

impl CheckConfig {
    pub(crate) fn run(self) -> Result<(), Failure> {
        secrecy::try_to_keep_memory_here();
        let config = Config::load(&self.file)?;
        let file = config.keys.source.check(&config.keys.schedule)?;
        for warning in &config.warnings {
            say(format_args!("warning: {warning}"));
        }
        if let Some(KeyFile { in_memory: false, .. }) = &file {
            let path = config.keys.source.place().unwrap_or_default();
            say(format_args!(
                "warning: {path}: on a disk, where ticket keys outlive their time; move it to tmpfs, such as /run"
            ));
        }
        check_sinks(&config.outlets)?;
        let summary = summary(&self.file, &config, file.as_ref());
        std::io::stdout().write_all(summary.as_bytes())?;
        Ok(())
    }
}

/// A directory may come with its product, so one that is not there is warned of. One on a disk stays one: an agent would refuse
/// it again and again.
fn check_sinks(outlets: &[Outlet]) -> Result<(), Failure> {
    let mut on_disk = Vec::new();
    for Outlet { name, sink, .. } in outlets {
        match sink.check() {
            Ok(()) => {}
            Err(error @ SinkError::File { fault: FileFault::OnDisk, .. }) => {
                on_disk.push(format!("sink {name}: {error}"))
            }
            Err(error) => say(format_args!("warning: sink {name}: {error}")),
        }
    }
    if on_disk.is_empty() { Ok(()) } else { Err(Failure::Usage(anyhow::anyhow!(on_disk.join("\n")))) }
}

fn summary(path: &Path, config: &Config, file: Option<&KeyFile>) -> String {
    let mut lines = if config.listeners.is_empty() { Vec::new() } else { edge_lines(config) };
    let schedule = &config.keys.schedule;
    let (source, window) = match (&config.keys.source, file) {
        (KeySource::File(path), Some(file)) => keys_from_file(path, file, schedule),
        (KeySource::Http(source), _) => keys_from_server(source, schedule),
        (KeySource::Etcd(source), _) => keys_of_fleet(source, schedule),
        (KeySource::Local | KeySource::File(_), _) => local_keys(schedule, config.serve.is_some()),
    };
    lines.push(("ticket keys".to_owned(), source));
    lines.push(("ticket window".to_owned(), window));
    lines.extend(config.serve.iter().flat_map(|serve| serve_lines(serve, schedule)));
    if !config.outlets.is_empty() {
        lines.push(("agent admin".to_owned(), address(config.agent_admin)));
    }
    lines.extend(config.outlets.iter().map(|outlet| sink_line(outlet, schedule)));
    lines.extend(config.listeners.iter().map(|listener| listener_line(listener, &config.upstreams)));
    lines.extend(config.upstreams.iter().map(upstream_line));
    let lines = lines.into_iter().map(|(name, value)| format!("  {name}: {value}\n"));
    format!("{}: in order\n{}", path.display(), lines.collect::<String>())
}

fn edge_lines(config: &Config) -> Vec<(String, String)> {
    vec![
        ("workers".to_owned(), config.workers.to_string()),
        ("admin".to_owned(), address(config.admin)),
        ("stats socket".to_owned(), config.stats_socket.as_ref().map_or_else(none, |path| path.display().to_string())),
        ("access log".to_owned(), access_log(config.access_log).to_owned()),
    ]
}

fn address(address: Option<SocketAddr>) -> String {
    address.map_or_else(none, |address| address.to_string())
}

fn none() -> String {
    "none".to_owned()
}

/// What `raincheck keys serve` does.
fn serve_lines(serve: &Serve, schedule: &Schedule) -> Vec<(String, String)> {
    let mut lines = vec![
        ("keys for nodes".to_owned(), format!("{}; client certificates required", listed(&serve.listen))),
        ("keys admin".to_owned(), address(serve.admin)),
    ];
    if let Some(ticket_keys) = &serve.ticket_keys {
        let transport = if ticket_keys.tls.is_some() { "" } else { " in plain HTTP" };
        let certificates = ticket_keys.by_certificate.then(|| "client certificates".to_owned());
        let admitted: Vec<_> = ticket_keys.allow.iter().map(ToString::to_string).chain(certificates).collect();
        let bits = 8 * ticket_keys.size.cipher_len();
        let [least, most] = ticket_keys.slots.accept(schedule.rotate);
        // The one that opens has sealed before, for one rotation.
        let every = show(least);
        let value = format!(
            "{}{transport}; for {}; three of {bits} bits, a new one every {every}; a ticket opens {every} to {}",
            listed(&ticket_keys.listen),
            listed(&admitted),
            show(most)
        );
        lines.push(("keys for HAProxy".to_owned(), value));
    }
    lines
}

fn listed(of: &[impl ToString]) -> String {
    let texts: Vec<String> = of.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

fn access_log(log: AccessLog) -> &'static str {
    match log {
        AccessLog::Stdout => "stdout",
        AccessLog::Stderr => "stderr",
        AccessLog::Off => "off",
    }
}

fn local_keys(schedule: &Schedule, are_served: bool) -> (String, String) {
    let others = if are_served { "" } else { "no other node has them, and " };
    let source = format!(
        "made here, a new one every {}, {} retiring ones kept; {others}a restart loses them",
        show(schedule.rotate),
        schedule.retained()
    );
    let window = format!("a ticket opens {}", at_most(schedule));
    (source, window)
}

fn keys_from_server(source: &HttpSource, schedule: &Schedule) -> (String, String) {
    let window = format!("a ticket opens as long as they have its key, and {}", at_most(schedule));
    (format!("from {}, as node {}", listed(&source.urls), source.node), window)
}

fn keys_of_fleet(source: &EtcdSource, schedule: &Schedule) -> (String, String) {
    let from = format!(
        "made by the nodes of fleet {} together, as node {}, in generation {}, through etcd at {}; a new one every {}, \
         {} retiring ones kept",
        source.fleet,
        source.node,
        source.generation,
        listed(&source.endpoints),
        show(schedule.rotate),
        schedule.retained()
    );
    (from, format!("a ticket opens {}", at_most(schedule)))
}

/// What a product comes to: how long its tickets open, and what else may end them.
fn sink_line(outlet: &Outlet, schedule: &Schedule) -> (String, String) {
    let [least, most] = outlet.slots.accept(schedule.rotate).map(show);
    let mut value = format!(
        "{} holds {} keys, each for {}; a ticket opens {least} to {most} after it was sealed",
        outlet.sink.name(),
        outlet.slots.count(),
        show(outlet.slots.rotate(schedule.rotate))
    );
    for limit in outlet.sink.limits() {
        value += &format!("; {limit}");
    }
    (format!("sink {}", outlet.name), value)
}

/// How long a ticket opens is up to whoever writes the file: until its key's line is gone.
fn keys_from_file(path: &Path, file: &KeyFile, schedule: &Schedule) -> (String, String) {
    let count = file.keys.len();
    let bits = match file.keys.first().map(|key| key.size()) {
        Some(KeySize::Bits128) => 128,
        _ => 256,
    };
    let states = match count {
        1 => "issuing, none next".to_owned(),
        2 => "1 issuing, 1 next".to_owned(),
        _ => format!("{} retiring, 1 issuing, 1 next", count - 2),
    };
    let path = path.display();
    let source = format!("{path}, with {count} of {bits} bits ({states}); read again when it changes");
    let mut window = format!("a ticket opens as long as its key's line lasts, and {}", at_most(schedule));
    if let Some((least, most)) = window_of_lines(count, schedule) {
        let [least, most, rotate, accept] = [least, most, schedule.rotate, schedule.accept].map(show);
        let enough = schedule.retained() + 2;
        window += &format!(
            "; with as many lines as now, and a rotation every {rotate}, that is {least} to {most}; \
             {enough} lines are enough for {accept}"
        );
    }
    (source, window)
}

fn at_most(schedule: &Schedule) -> String {
    let (accept, chain) = (show(schedule.accept), show(schedule.chain));
    format!("at most {accept} after it was sealed and {chain} after the first full handshake")
}

/// The least and the most a ticket opens in a file that keeps this many lines, if the least is less than is accepted.
///
/// A ticket sealed right before a rotation has its key retired by it, and the key's line goes as many rotations later as
/// there are retiring lines; one sealed right after a rotation has one rotation more.
fn window_of_lines(count: usize, schedule: &Schedule) -> Option<(Duration, Duration)> {
    let rotations = u32::try_from(count.saturating_sub(2)).unwrap_or(u32::MAX);
    let least = schedule.rotate.saturating_mul(rotations);
    let most = schedule.rotate.saturating_mul(rotations.saturating_add(1));
    (least < schedule.accept).then(|| (least, most.min(schedule.accept)))
}

fn listener_line(listener: &Listener, upstreams: &[Upstream]) -> (String, String) {
    let addresses: Vec<String> = listener.bind.iter().map(ToString::to_string).collect();
    let mut value = format!(
        "{} to {}; {}; certificates for {}",
        addresses.join(", "),
        upstreams[listener.upstream].name,
        versions(listener.min_version),
        listener.certificates.names().join(", ")
    );
    match listener.client_auth.as_ref().map(|client_auth| client_auth.mode) {
        Some(ClientAuthMode::Required) => value += "; client certificates required",
        Some(ClientAuthMode::Optional) => value += "; client certificates optional",
        None => {}
    }
    if listener.accept_proxy {
        value += "; PROXY protocol expected";
    }
    if listener.tickets == 0 {
        value += "; no tickets";
    }
    if listener.session_cache == 0 {
        value += "; no session IDs";
    }
    if listener.renewal == Renewal::Inline {
        value += "; TLS 1.2 tickets renewed inline";
    }
    (format!("listener {}", listener.name), value)
}

fn upstream_line(upstream: &Upstream) -> (String, String) {
    let mut value = match upstream.kind {
        UpstreamKind::Builtin => "answered by the edge itself".to_owned(),
        UpstreamKind::Servers => {
            let servers: Vec<String> = upstream.servers.iter().map(shown_server).collect();
            servers.join(", ")
        }
    };
    match upstream.balance {
        Balance::LeastConnections => {}
        Balance::RoundRobin => value += "; in turn",
        Balance::RandomTwo => value += "; the better one of two picked at random",
        Balance::SourceHash => value += "; by the client's address",
    }
    match upstream.send_proxy {
        Some(ProxyVersion::V1) => value += "; with PROXY protocol v1",
        Some(ProxyVersion::V2) => value += "; with PROXY protocol v2",
        None => {}
    }
    if let Some(tls) = &upstream.tls {
        value += &format!("; {}", shown_tls(tls));
    }
    if let Some(check) = &upstream.check {
        value += &format!("; {}", shown_check(check));
    }
    (format!("upstream {}", upstream.name), value)
}

fn shown_server(server: &Server) -> String {
    let mut shown = server.name.clone();
    if server.weight != 1 {
        shown += &format!(" (weight {})", server.weight);
    }
    if server.backup {
        shown += " (backup)";
    }
    shown
}

fn shown_tls(tls: &UpstreamTls) -> String {
    let mut shown = versions(tls.min_version).to_owned();
    if let Some(name) = &tls.server_name {
        shown += &format!(" as {}", name.to_str());
    }
    if tls.identity.is_some() {
        shown += ", with a client certificate";
    }
    if tls.sessions == 0 {
        shown += ", every handshake full";
    }
    shown
}

fn shown_check(check: &Check) -> String {
    let every = show(check.every);
    let what = match &check.kind {
        CheckKind::Tcp => "by connecting".to_owned(),
        CheckKind::Tls => "by a TLS handshake".to_owned(),
        CheckKind::Http(http) => format!("by {} {}", http.method, http.path),
    };
    let connection = if check.keep_alive { " on a connection that is kept" } else { "" };
    format!("checked every {every} {what}{connection}, down after {}, up after {}", check.fall, check.rise)
}

fn versions(min: MinVersion) -> &'static str {
    match min {
        MinVersion::Tls12 => "TLS 1.2 and 1.3",
        MinVersion::Tls13 => "TLS 1.3",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_tickets_open_follows_from_the_lines_kept() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let schedule = Schedule::new(hours(1), hours(18), hours(24)).expect("a sound schedule");
        let cases = [
            (1, Some((0, 1))),
            (2, Some((0, 1))),
            (3, Some((1, 2))),
            (4, Some((2, 3))),
            (19, Some((17, 18))),
            (20, None),
            (22, None),
        ];
        for (count, expected) in cases {
            let expected = expected.map(|(least, most)| (hours(least), hours(most)));
            assert_eq!(window_of_lines(count, &schedule), expected, "{count}");
        }
    }
}
