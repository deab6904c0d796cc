//! A fleet of hundreds, most of whom are words in etcd.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use raincheck_control::etcd::{Op, Txn};
use raincheck_control::fleet::{Acknowledgement, FleetSecret, NodeKey, Registration};
use raincheck_keyring::{Epoch, NodeName};
use raincheck_tests::deadline::until;
use raincheck_tests::fleet::{FLEET, Fleet, Schedule, key};
use raincheck_tests::namespace::{self, Namespace};
use raincheck_tests::site::Site;
use raincheck_tests::{require, require_root};

/// Nobody acknowledges, so each rotation waits for as long as it may: four seconds in all.
const SCHEDULE: Schedule = Schedule { rotate: Duration::from_secs(2), accept: Duration::from_secs(5) };
const NODES: usize = 300;

#[test]
fn the_one_that_leads_hundreds_answers_all_the_while() {
    require_root!();
    require!("etcd", "ip", "nsenter", "unshare", "kill");
    if !namespace::is_inside() {
        return Namespace::new().test("the_one_that_leads_hundreds_answers_all_the_while");
    }
    let site = Site::new();
    let fleet = Fleet::start(&site, SCHEDULE, 1);
    let secret = FleetSecret::load(FLEET.parse().unwrap(), fleet.secret()).unwrap();
    let public_key = NodeKey::generate().public().clone();
    let register = |epoch: Epoch| {
        fleet.ask(async |etcd| {
            let lease = etcd.grant(Duration::from_secs(120)).await.unwrap().id;
            let nodes: Vec<NodeName> = (0..NODES).map(|number| format!("node-{number}").parse().unwrap()).collect();
            for nodes in nodes.chunks(50) {
                let said = nodes.iter().flat_map(|node| {
                    let (node, lease) = (node.clone(), lease.0);
                    let acknowledged = Acknowledgement { node: node.clone(), epoch, lease };
                    let registered = Registration { node, epoch: Epoch::NONE, lease, public_key: public_key.clone() };
                    let name = &registered.node;
                    [
                        (format!("nodes/{name}/key"), registered.encode(&secret)),
                        (format!("nodes/{name}/held"), acknowledged.encode(&secret)),
                    ]
                });
                let success = said.map(|(at, value)| Op::Put { key: key(&at), value, lease: Some(lease) }).collect();
                etcd.txn(&Txn { success, ..Txn::default() }).await.unwrap();
            }
        });
    };
    register(fleet.nodes[0].epoch());
    let wrapped = |epoch: Epoch| {
        let (keys, _) = fleet.ask(async |etcd| etcd.range_prefix(&key("keys/")).await.unwrap());
        keys.iter().filter(|found| found.value[1..17] == epoch.to_bytes()).count()
    };
    let mut slowest = Duration::ZERO;
    let mut took = Vec::new();
    for _ in 0..3 {
        let newest = fleet.nodes[0].epoch();
        let epoch = until("a rotation", || Some(fleet.nodes[0].epoch()).filter(|epoch| *epoch > newest));
        let begun = Instant::now();
        until("the key of every node", || {
            // Asked like this, all the while.
            for _ in 0..10 {
                let asked = Instant::now();
                assert_eq!(fleet.nodes[0].edge.admin("/metrics").status, 200);
                slowest = slowest.max(asked.elapsed());
            }
            (wrapped(epoch) >= NODES).then_some(())
        });
        took.push(begun.elapsed());
    }
    eprintln!("{NODES} keys in {took:?} after a rotation; the slowest answer took {slowest:?}");
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
}
