//! What is in the edge's memory, ticket keys among it, is nowhere else: not in a core dump, and not in swap.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use raincheck_tests::client::Version;
use raincheck_tests::edge::{Edge, raincheck};
use raincheck_tests::nobody::raincheck_as_nobody;
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

/// `command`, run by way of another that becomes it.
fn by_way_of(wrapper: &[&str], command: &Command) -> Command {
    let mut whole = Command::new(wrapper[0]);
    whole.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args());
    whole
}

/// A line of `/proc/PID/status`, behind its name.
fn status(edge: &Edge, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", edge.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in: {status}")).trim().to_owned()
}

fn kilobytes(edge: &Edge, name: &str) -> u64 {
    status(edge, name).strip_suffix(" kB").unwrap().parse().unwrap()
}

/// A limit of the process: soft and hard, `None` where there is none.
fn limit(edge: &Edge, name: &str) -> [Option<u64>; 2] {
    let limits = fs::read_to_string(format!("/proc/{}/limits", edge.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let mut values = line.split_whitespace().map(|value| value.parse().ok());
    [values.next().unwrap(), values.next().unwrap()]
}

#[test]
fn there_is_no_core_dump_though_the_system_would_make_one() {
    require!("sh");
    let site = Site::new();
    let app = Upstream::http();
    // As much as the hard limit allows.
    let mut command = by_way_of(&["sh", "-c", r#"ulimit -S -c "$(ulimit -H -c)"; exec "$0" "$@""#], &raincheck());
    command.current_dir(site.scratch.path());
    let mut edge = Edge::start_by(command, &site.scratch, site.web(app.address()));
    let [soft, hard] = limit(&edge, "Max core file size");
    assert_eq!(soft, Some(hard.unwrap_or(1).min(1)));
    edge.abort();
    let ended = edge.ended();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false), "{ended:?}");
}

#[test]
fn all_memory_is_locked_where_nothing_limits_it() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    // What came after the start is locked as well.
    assert!(!site.raw(Version::Tls13).visit(edge.address("web"), NAME).resumed);
    let [limit, _] = limit(&edge, "Max locked memory");
    let may_lock_anything = u64::from_str_radix(&status(&edge, "CapEff"), 16).unwrap() & CAP_IPC_LOCK != 0;
    let (locked, all) = (kilobytes(&edge, "VmLck"), kilobytes(&edge, "VmSize"));
    if limit.is_none() || may_lock_anything {
        assert!(locked > all / 10 * 9, "{locked} of {all} kB");
    } else {
        assert_eq!(locked, 0, "of {all} kB");
    }
}

#[test]
fn under_a_limit_no_memory_is_locked_and_swap_is_warned_of() {
    require!("setpriv", "prlimit");
    let site = Site::new();
    let app = Upstream::http();
    let command = by_way_of(&["prlimit", "--memlock=8388608:8388608"], &raincheck_as_nobody(&site.scratch));
    let edge = Edge::start_by(command, &site.scratch, site.web(app.address()));
    assert_eq!(kilobytes(&edge, "VmLck"), 0);
    let machine_swaps = fs::read_to_string("/proc/swaps").unwrap().lines().count() > 1;
    assert_eq!(edge.log().contains("ticket keys may reach swap"), machine_swaps, "{}", edge.log());
    assert!(!site.raw(Version::Tls13).visit(edge.address("web"), NAME).resumed);
}

/// capabilities(7), as a bit.
const CAP_IPC_LOCK: u64 = 1 << 14;
