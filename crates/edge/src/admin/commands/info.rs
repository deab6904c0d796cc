//! `show info`

use std::fmt::{Display, Write as _};
use std::time::Duration;

use raincheck_control::admin::process;

use crate::admin::observed::{Observed, Phase, totals};
use crate::admin::rates::Totals;
use crate::server::Snapshot;

/// The figures HAProxy has and we have too, under its names and in its order.
pub(super) fn render(observed: &Observed, snapshot: &Snapshot) -> String {
    let all = snapshot.services.iter().map(|service| totals(service)).fold(Totals::default(), Totals::plus);
    let open: usize = snapshot.services.iter().map(|service| service.counters.open.value()).sum();
    let room: usize = snapshot.services.iter().map(|service| service.max_connections).sum();
    let listeners = match observed.phase() {
        Phase::Draining => 0,
        Phase::Starting | Phase::Ready => snapshot.services.iter().map(|service| service.bind.len()).sum(),
    };
    let cache = snapshot.services.iter().map(|service| service.sessions.lookups_and_misses());
    let (lookups, misses) = cache.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    let log = snapshot.services.iter().find_map(|service| service.access_log.as_ref());
    let bytes_out: u64 = snapshot.services.iter().map(|service| service.counters.bytes_out.value()).sum();
    let rates = observed.rates(snapshot);
    let upstream_rates = observed.upstream_rates(snapshot);
    let uptime = observed.uptime();

    let mut text = String::new();
    let mut line = |name: &str, value: &dyn Display| {
        let _ = writeln!(text, "{name}: {value}");
    };
    line("Name", &"raincheck");
    line("Version", &env!("CARGO_PKG_VERSION"));
    line("Nbthread", &snapshot.workers);
    line("Nbproc", &1);
    line("Process_num", &1);
    line("Pid", &std::process::id());
    line("Uptime", &in_days(uptime));
    line("Uptime_sec", &uptime.as_secs());
    if let Some(most) = process::most_descriptors() {
        line("Ulimit-n", &most);
    }
    line("Maxconn", &room);
    line("Hard_maxconn", &room);
    line("CurrConns", &open);
    line("CumConns", &all.connections);
    line("CumReq", &all.connections); // in HAProxy's TCP mode, too, a connection is a request
    line("MaxSslConns", &0); // no limit of their own
    line("CurrSslConns", &open);
    line("CumSslConns", &all.connections);
    line("ConnRate", &rates.now.connections);
    line("ConnRateLimit", &0);
    line("MaxConnRate", &rates.highest.connections);
    line("SessRate", &rates.now.connections);
    line("SessRateLimit", &0);
    line("MaxSessRate", &rates.highest.connections);
    line("SslRate", &rates.now.handshakes);
    line("SslRateLimit", &0);
    line("MaxSslRate", &rates.highest.handshakes);
    line("SslFrontendKeyRate", &rates.now.full);
    line("SslFrontendMaxKeyRate", &rates.highest.full);
    line("SslFrontendSessionReuse_pct", &rates.reuse_percent());
    line("SslBackendKeyRate", &upstream_rates.now.full);
    line("SslBackendMaxKeyRate", &upstream_rates.highest.full);
    line("SslCacheLookups", &lookups);
    line("SslCacheMisses", &misses);
    if let Some(name) = process::host_name() {
        line("node", &name);
    }
    line("Stopping", &u8::from(observed.phase() == Phase::Draining));
    line("Jobs", &(open + listeners));
    line("Listeners", &listeners);
    line("DroppedLogs", &log.map_or(0, |log| log.dropped()));
    line("TotalBytesOut", &bytes_out);
    line("BytesOutRate", &rates.now.bytes_out);
    line("Build info", &env!("CARGO_PKG_VERSION"));
    line("Start_time_sec", &observed.started_at().as_secs());
    text
}

/// `0d 1h02m03s`
fn in_days(uptime: Duration) -> String {
    let seconds = uptime.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    format!("{}d {}h{:02}m{:02}s", hours / 24, hours % 24, minutes % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_written_as_haproxys() {
        for (seconds, text) in [(1, "0d 0h00m01s"), (3723, "0d 1h02m03s"), (90061, "1d 1h01m01s")] {
            assert_eq!(in_days(Duration::from_secs(seconds)), text);
        }
    }
}
