//! Who does not belong to a fleet, or writes what does not belong into its store: refused, counted and told, and the fleet
//! goes on.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use raincheck_control::etcd::{Etcd, LeaseId};
use raincheck_control::fleet::{Acknowledgement, FleetSecret, NodeKey, Registration};
use raincheck_keyring::Epoch;
use raincheck_tests::config::quoted;
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::etcd;
use raincheck_tests::fleet::{FLEET, Fleet, Schedule, key};
use raincheck_tests::namespace::{self, Namespace};
use raincheck_tests::pki::Authority;
use raincheck_tests::site::Site;
use raincheck_tests::upstream::Upstream;
use raincheck_tests::{require, require_root};

const SCHEDULE: Schedule = Schedule { rotate: Duration::from_secs(1), accept: Duration::from_secs(5) };

#[test]
fn what_a_stranger_writes_is_refused_and_the_fleet_goes_on() {
    require_root!();
    require!("etcd", "ip", "nsenter", "unshare", "kill");
    if !namespace::is_inside() {
        return Namespace::new().test("what_a_stranger_writes_is_refused_and_the_fleet_goes_on");
    }
    let site = Site::new();
    let fleet = Fleet::start(&site, SCHEDULE, 2);
    let travellers = fleet.travellers();
    fleet.rotates(&fleet.all(), 2);
    let old_ring = fleet.value("ring");
    let old_key = fleet.value("keys/b");
    let secret = FleetSecret::load(FLEET.parse().unwrap(), fleet.secret()).unwrap();
    let other = FleetSecret::new(FLEET.parse().unwrap(), b"thirty-two letters that nobody has").unwrap();
    fleet.rotates(&fleet.all(), 2);

    let lease = fleet.ask(async |etcd| etcd.grant(Duration::from_secs(60)).await.unwrap().id);
    let node = "mallory".parse().unwrap();
    let registration = |epoch, lease: LeaseId| Registration {
        node: Clone::clone(&node),
        epoch,
        lease: lease.0,
        public_key: NodeKey::generate().public().clone(),
    };
    let with_lease = |at: &str, value: Vec<u8>| fleet.ask(async |etcd| put(&etcd, at, &value, Some(lease)).await);
    let without = |at: &str, value: Vec<u8>| fleet.ask(async |etcd| put(&etcd, at, &value, None).await);
    let flipped = |mut value: Vec<u8>, at: usize| {
        value[at] ^= 1;
        value
    };

    // Registered without the fleet's secret.
    with_lease("nodes/mallory/key", registration(Epoch::NONE, lease).encode(&other));
    refused(&fleet, 1, "nodes/mallory/key: not made with this fleet's secret");
    // Another node's registration, and one for another lease.
    with_lease("nodes/mallory/key", fleet.value("nodes/b/key"));
    refused(&fleet, 2, "nodes/mallory/key: made by another node");
    with_lease("nodes/mallory/key", registration(Epoch::NONE, LeaseId(lease.0 - 1)).encode(&secret));
    refused(&fleet, 3, "nodes/mallory/key: made under another lease");
    // An acknowledgement passed off as a registration, and an edited one.
    let said =
        Acknowledgement { node: Clone::clone(&node), epoch: Epoch { generation: 9, counter: 9 }, lease: lease.0 };
    with_lease("nodes/mallory/key", said.encode(&secret));
    refused(&fleet, 4, "nodes/mallory/key: not what a node writes");
    with_lease("nodes/mallory/held", flipped(said.encode(&secret), 20));
    refused(&fleet, 5, "nodes/mallory/held: not made with this fleet's secret");
    // Nobody's data.
    without("nodes/what/is/this", b"?".to_vec());
    refused(&fleet, 6, "nodes/what/is/this: not what a node writes");
    without("keys/and this", b"?".to_vec());
    assert!(fleet.ask(async |etcd| etcd.get(&key("keys/mallory")).await.unwrap().0.is_none()));

    // An old key put back, and an edited one.
    without("keys/b", old_key.clone());
    refused(&fleet, 7, "keys/b: an envelope of epoch");
    without("keys/b", b"\x01 no envelope".to_vec());
    refused(&fleet, 8, "keys/b: not an envelope");
    // An old ring put back, an edited one, and one of another fleet: at the next rotation.
    for (value, count, said) in [
        (old_ring.clone(), 9, "gives a ring of epoch"),
        (
            flipped(old_ring.clone(), old_ring.len() - 50),
            10,
            "ring: an envelope that was not made with this fleet's secret",
        ),
        (b"\x01 no ring".to_vec(), 11, "ring: not an envelope"),
    ] {
        without("ring", value);
        refused(&fleet, count, said);
        fleet.rotates(&fleet.all(), 1);
    }
    // A leader that is none.
    without("leader", b"mallory".to_vec());
    fleet.rotates(&fleet.all(), 2);

    // No rotation has waited for any of it, and each was told once.
    let logs: String = fleet.nodes.iter().map(|node| node.edge.log()).collect();
    assert!(!logs.contains("did not acknowledge"), "{logs}");
    assert_eq!(logs.matches("nodes/mallory/key: not made with this fleet's secret").count(), 1, "{logs}");
    travellers.one_window();
    let journal = travellers.home();
    journal.expect_all_opened();
    assert!(fleet.refused().is_empty(), "{:?}: {journal}", fleet.refused());
}

#[test]
fn two_fleets_of_one_name_do_not_mix() {
    require_root!();
    require!("etcd", "ip", "nsenter", "unshare", "kill");
    if !namespace::is_inside() {
        return Namespace::new().test("two_fleets_of_one_name_do_not_mix");
    }
    let site = Site::new();
    let mut fleet = Fleet::start(&site, SCHEDULE, 2);
    let travellers = fleet.travellers();
    // The same configuration but for the secret.
    fleet.join_with_another_secret();
    let stranger = fleet.nodes.pop().unwrap();
    assert_eq!(stranger.standing(), "alone");
    let told = "/raincheck/web/ring: an envelope that was not made with this fleet's secret";
    stranger.edge.expect_log(0, told);
    assert_eq!(stranger.edge.log().matches(told).count(), 1, "{}", stranger.edge.log());
    let told = "nodes/c/key: not made with this fleet's secret";
    until("the fleet says who it is", || fleet.nodes.iter().any(|node| node.edge.log().contains(told)).then_some(()));
    // Not even when nobody else is there to lead does it make the rings.
    let before = fleet.value("ring");
    fleet.nodes.iter_mut().for_each(|node| node.edge.kill());
    let journal = travellers.home();
    assert!(journal.refused.is_empty(), "{journal}");
    let begun = Instant::now();
    until("every lease is over", || (begun.elapsed() > Duration::from_secs(7)).then_some(()));
    assert_eq!(fleet.value("ring"), before);
}

#[test]
fn a_node_that_etcd_does_not_admit_says_so() {
    require!("etcd", "kill");
    let site = Site::new();
    let server = etcd::Etcd::start_with_tls(&site.scratch, &site.authority);
    let app = Upstream::http();
    let secret = site
        .scratch
        .write("secret", [7_u8, 3].repeat(16).iter().enumerate().map(|(at, byte)| byte * at as u8).collect::<Vec<_>>());
    let start = |authority: &Authority| {
        let identity = authority.client("node");
        let settings = [
            ("endpoints", format!("[{}]", quoted(server.url()))),
            ("fleet", quoted(FLEET)),
            ("secret-file", quoted(secret.display())),
            ("ca", quoted(site.authority.file().display())),
            ("certificate", quoted(identity.chain.display())),
            ("key", quoted(identity.key.display())),
        ];
        let fleet = settings.map(|(key, value)| (key.to_owned(), value)).to_vec();
        Edge::start(&site.scratch, site.web(app.address()).keys("node", quoted("a")).fleet(fleet))
    };
    let standing = |edge: &Edge| edge.status()["keys"]["standing"].as_str().unwrap().to_owned();
    let admitted = start(&site.authority);
    assert_eq!(standing(&admitted), "supplied");
    drop(admitted);
    let stranger = start(&Authority::new(&site.scratch, "other"));
    assert_eq!(standing(&stranger), "alone");
    assert!(stranger.log().contains(&server.url()), "{}", stranger.log());
    assert_eq!(stranger.sum("raincheck_keys_standing", &[("standing", "alone")]), 1.0);
    eprintln!("{}", stranger.log());
}

#[test]
fn a_secret_of_three_bytes_is_refused_at_the_start() {
    let site = Site::new();
    let secret = site.scratch.write("secret", b"abc");
    let fleet = [
        ("endpoints", "[\"http://127.0.0.1:9\"]".to_owned()),
        ("fleet", quoted(FLEET)),
        ("secret-file", quoted(secret.display())),
    ];
    let config = site.web("127.0.0.1:9".parse().unwrap()).keys("node", quoted("a"));
    let config = config.fleet(fleet.map(|(key, value)| (key.to_owned(), value)).to_vec());
    let refusal = Edge::refusal(&site.scratch, &config.text());
    assert_eq!(refusal.status, Some(2));
    let expected = format!("{}: 3 bytes, and a fleet's secret has 32 or more; make one with", secret.display());
    assert!(refusal.stderr.contains(&expected), "{}", refusal.stderr);
}

async fn put(etcd: &Etcd, at: &str, value: &[u8], lease: Option<LeaseId>) {
    etcd.put(&key(at), value, lease).await.unwrap();
}

/// Waits until so much at least was refused, and one of the logs says what.
fn refused(fleet: &Fleet<'_>, count: u32, said: &str) {
    until(&format!("{count} refused, and told: {said}"), || {
        let told = fleet.nodes.iter().any(|node| node.edge.log().contains(said));
        (fleet.keys_refused() >= f64::from(count) && told).then_some(())
    });
}
