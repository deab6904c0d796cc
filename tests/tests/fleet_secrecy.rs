//! Where a fleet's keys are not.
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use raincheck_tests::fleet::{Fleet, Schedule};
use raincheck_tests::member::Member;
use raincheck_tests::namespace::{self, Namespace};
use raincheck_tests::search::{Search, TRACE};
use raincheck_tests::site::Site;
use raincheck_tests::{require, require_root};

const SCHEDULE: Schedule = Schedule { rotate: Duration::from_secs(1), accept: Duration::from_secs(5) };

/// A node in this process sees every key. None of them is in a file: in etcd's, in a log, in whatever else there is; nor in
/// anything that an edge ever wrote to a file, a pipe or a socket.
#[test]
fn no_key_of_a_fleet_is_ever_written() {
    require_root!();
    require!("etcd", "strace", "ip", "nsenter", "unshare", "kill");
    if !namespace::is_inside() {
        return Namespace::new().test("no_key_of_a_fleet_is_ever_written");
    }
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 0);
    for node in ["a", "b", "c"] {
        let trace = site.scratch.join(&format!("{node}.{TRACE}"));
        fleet.join(|command| traced(&command, trace.as_os_str()));
    }
    let member = Member::join(&fleet, SCHEDULE, "member");
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 8);
    // Another makes rings too.
    let leader = fleet.expect_leader();
    fleet.nodes[leader].edge.kill();
    fleet.rotates(&fleet.others(leader), 2);
    travellers.one_window();
    let journal = travellers.home();
    assert!(journal.total() > 100, "{journal}");
    let keys = member.seen();
    assert!(keys.len() > 8, "{keys:?}");
    for node in &mut fleet.nodes {
        if node.edge.runs() {
            node.edge.abort();
            let ended = node.edge.ended();
            assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
        }
    }
    fleet.cluster.kill();

    let (mut secrets, mut names) = (Search::new(), Search::new());
    for (name, bytes) in &keys {
        let (cipher, mac) = bytes.split_at(32);
        secrets.all_of(&format!("cipher key {name}"), cipher);
        secrets.all_of(&format!("MAC key {name}"), mac);
        names.this("a name", name.to_string().as_bytes());
    }
    let (found, files) = secrets.below(site.scratch.path());
    assert!(found.is_empty(), "{found:?}");
    // Names are in the logs, so the traces had them too: what was looked through is what was written.
    let (named, _) = names.below(site.scratch.path());
    let in_trace = |node: &str| named.iter().any(|(path, _)| path.ends_with(format!("{node}.{TRACE}")));
    assert!(files > 10 && ["a", "b", "c"].into_iter().all(in_trace), "{files} {named:?}");
}

/// The same command with every write noted, whole.
fn traced(command: &Command, file: &OsStr) -> Command {
    let mut traced = Command::new("strace");
    // As a grandchild (-D): the process that is started is the edge.
    traced.args(["-D", "-f", "-qq", "-xx", "-s", "1048576"]);
    traced.args(["-e", "trace=write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendmmsg", "-o"]).arg(file);
    traced.arg(command.get_program()).args(command.get_args());
    traced
}
