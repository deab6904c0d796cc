//! A server of keys, and the nodes that ask it.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use raincheck_tests::client::Version;
use raincheck_tests::config::quoted;
use raincheck_tests::deadline::{until, within};
use raincheck_tests::edge::{Edge, ask_admin};
use raincheck_tests::keys::{Config, Server, keys_command, tell};
use raincheck_tests::pki::Authority;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;
use serde_json::Value;

const ROTATE: Duration = Duration::from_secs(1);

#[test]
fn a_new_key_is_at_every_node_within_a_second_and_tickets_of_one_resume_at_the_other() {
    let site = Site::new();
    let app = Upstream::http();
    let server = Server::start(&site.scratch, every_second(&site).keys("rotation-patience", quoted("10s")));
    let (a, b) = (edge(&site, &app, "a", &[server.config()]), edge(&site, &app, "b", &[server.config()]));
    until("both acknowledge", || (nodes_with(&server, "lacking", false) == ["a", "b"]).then_some(()));
    let mut delays = Vec::new();
    let mut last = counter(&server.status());
    for rotation in 0..10 {
        until("a rotation", || (counter(&server.status()) > last).then_some(()));
        let made = Instant::now();
        last = counter(&server.status());
        until("the ring at both", || (counter(&a.status()) >= last && counter(&b.status()) >= last).then_some(()));
        delays.push(made.elapsed());
        assert!(delays[rotation] < Duration::from_secs(1), "{delays:?}");
        for version in [Version::Tls12, Version::Tls13] {
            let raw = site.raw(version);
            for (from, to) in [(&a, &b), (&b, &a)] {
                raw.visit(from.address("web"), NAME);
                assert!(raw.visit(to.address("web"), NAME).resumed, "{version:?} at rotation {rotation}");
            }
        }
    }
    println!("from a rotation seen at the server to the ring seen at both nodes: {delays:?}");
    assert_eq!(server.sum("raincheck_rotations_without_nodes_total", &[]), 0.0);
    assert_eq!(server.sum("raincheck_nodes", &[("state", "registered")]), 2.0);
    assert!(server.sum("raincheck_rotations_total", &[]) >= 10.0);

    // What operators see of it, at the server and at a node.
    let shown = server.command("show").succeeded().stdout;
    assert!(shown.contains(", primary, made there, a new key every 1s\n") && shown.contains("\na "), "{shown}");
    assert!(shown.contains("  issuing  ") && shown.contains("has the next key"), "{shown}");
    let shown = keys_command("show", a.config().admin(), &[]).succeeded().stdout;
    assert!(shown.contains(&format!("from {}\n", server.config().url())) && !shown.contains("node"), "{shown}");
    let json = keys_command("show", server.config().admin(), &["--json"]).succeeded().stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["role"], &json["nodes"][1]["name"]), (&"primary".into(), &"b".into()));
    assert!(json["ring"].as_array().unwrap().len() >= 12, "{json}");
    let refused = keys_command("promote", a.config().admin(), &[]);
    assert!(refused.status == Some(1) && refused.stderr.contains("is no server of keys"), "{refused:?}");
    let nobody = keys_command("show", app.address(), &[]);
    assert!(nobody.status == Some(1) && nobody.stderr.contains("does not answer as raincheck's"), "{nobody:?}");
    assert!(server.terminate().success());
}

#[test]
fn a_frozen_node_holds_a_rotation_up_until_patience_is_over() {
    let site = Site::new();
    let app = Upstream::http();
    let patience = Duration::from_secs(4);
    let server = Server::start(&site.scratch, every_second(&site).keys("rotation-patience", quoted("4s")));
    let (a, b) = (edge(&site, &app, "a", &[server.config()]), edge(&site, &app, "b", &[server.config()]));
    until("both acknowledge", || (nodes_with(&server, "lacking", false) == ["a", "b"]).then_some(()));
    b.freeze();
    let (since, held_up) = until("b lacks a ring", || {
        (nodes_with(&server, "lacking", true) == ["b"]).then(|| (Instant::now(), counter(&server.status())))
    });
    until("a rotation without it", || (counter(&server.status()) > held_up).then_some(()));
    // Looked at a little late each time.
    let took = since.elapsed();
    assert!(took > patience, "{took:?}");
    server.expect_log("; without b that did not acknowledge the next key in time");
    assert!(!server.log().contains("without a"), "{}", server.log());
    assert_eq!(server.sum("raincheck_rotations_without_nodes_total", &[]), 1.0);
    b.thaw();
    until("b has it all again", || {
        (nodes_with(&server, "lacking", true).is_empty() && counter(&server.status()) > held_up + 3).then_some(())
    });
    let raw = site.raw(Version::Tls13);
    raw.visit(a.address("web"), NAME);
    assert!(raw.visit(b.address("web"), NAME).resumed);
}

#[test]
fn a_node_that_is_there_before_its_server_goes_alone_and_comes_back() {
    let site = Site::new();
    let app = Upstream::http();
    let config = every_second(&site);
    let edge_config = edge_config(&site, &app, "a", &[&config]);
    let admin = edge_config.admin();
    let is_over = AtomicBool::new(false);
    let (edge, statuses) = thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut statuses = Vec::new();
            while !is_over.load(Ordering::SeqCst) {
                statuses.extend(ask_admin(admin, "/readyz").map(|answer| answer.status));
                statuses.dedup();
                thread::sleep(Duration::from_millis(20));
            }
            statuses
        });
        let edge = Edge::start(&site.scratch, edge_config);
        is_over.store(true, Ordering::SeqCst);
        (edge, looks.join().unwrap())
    });
    assert_eq!(statuses.first(), Some(&503), "{statuses:?}");
    assert_eq!(edge.status()["keys"]["standing"], "alone");
    let shown = keys_command("show", admin, &[]).succeeded().stdout;
    assert!(shown.contains("its own and open nowhere else"), "{shown}");
    // Resumption is its own then.
    let raw = site.raw(Version::Tls13);
    raw.visit(edge.address("web"), NAME);
    assert!(raw.visit(edge.address("web"), NAME).resumed);
    let server = Server::start(&site.scratch, config);
    until("the ring is the server's", || {
        let keys = &edge.status()["keys"];
        (keys["standing"] == "supplied" && keys["epoch"] == *server.epoch()).then_some(())
    });
    // Its own keys are gone: that is the worst that happens.
    assert!(!raw.visit(edge.address("web"), NAME).resumed);
    assert!(raw.visit(edge.address("web"), NAME).resumed);
}

#[test]
fn a_standby_makes_no_key_until_it_is_promoted_and_the_old_primary_none_after_that() {
    let site = Site::new();
    let app = Upstream::http();
    let primary = Server::start(&site.scratch, every_second(&site));
    let following = every_second(&site).following(&primary.config().url(), "standby", &site.authority);
    let standby = Server::start(&site.scratch, following);
    let both = [primary.config(), standby.config()].map(Clone::clone);
    let (a, b) = (edge(&site, &app, "a", &both.each_ref()), edge(&site, &app, "b", &both.each_ref()));
    until("all acknowledge", || (nodes_with(&primary, "lacking", false) == ["a", "b", "standby"]).then_some(()));
    assert_eq!((standby.status()["role"].as_str(), standby.admin("/readyz").status), (Some("standby"), 200));

    let primary = primary.kill();
    until("the nodes ask the standby", || {
        let nodes = standby.status()["nodes"].as_array().map(Vec::len);
        (nodes == Some(2)).then_some(())
    });
    let epoch = standby.epoch();
    let made = within(3 * ROTATE, || (standby.epoch() != epoch).then_some(()));
    assert_eq!(made, None, "a standby that makes keys");
    let raw = site.raw(Version::Tls13);
    raw.visit(a.address("web"), NAME);
    assert!(raw.visit(b.address("web"), NAME).resumed, "under the keys of the one that is gone");

    let admin = standby.config().admin();
    let no_header = tell(admin, "POST /promote HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(no_header.starts_with("HTTP/1.1 403 "), "{no_header}");
    let of_browser =
        tell(admin, "POST /promote HTTP/1.1\r\nHost: a\r\nRaincheck-Promote: yes\r\nOrigin: http://a\r\n\r\n");
    assert!(of_browser.starts_with("HTTP/1.1 403 "), "{of_browser}");
    let by_get = tell(admin, "GET /promote HTTP/1.1\r\nHost: a\r\nRaincheck-Promote: yes\r\n\r\n");
    assert!(by_get.starts_with("HTTP/1.1 405 "), "{by_get}");
    assert_eq!(standby.status()["role"], "standby");

    let promoted = standby.command("promote").succeeded();
    assert!(promoted.stderr.contains("makes the keys from now on"), "{promoted:?}");
    let again = standby.command("promote");
    assert!(again.status == Some(1) && again.stderr.contains("it makes the keys already"), "{again:?}");
    until("the nodes follow, and keys rotate", || {
        let is_there =
            |edge: &Edge| generation(&edge.status()) == 2 && counter(&edge.status()) > counter_of(&epoch) + 3;
        (is_there(&a) && is_there(&b)).then_some(())
    });
    assert!(raw.visit(b.address("web"), NAME).resumed, "a ticket from before");

    // The old one does not know, and has a ring of its own, until it is told.
    let primary = Server::start(&site.scratch, primary);
    until("the old primary stops", || (primary.status()["role"] == "superseded").then_some(()));
    let stopped = primary.epoch();
    assert!(stopped.starts_with("1."), "{stopped}");
    assert_eq!(primary.admin("/readyz").status, 503);
    assert!(primary.command("show").succeeded().stdout.contains("until another server was promoted"));
    let fresh = edge(&site, &app, "fresh", &both.each_ref());
    assert_eq!(generation(&fresh.status()), 2, "a node that asks the old primary first");
    drop(standby);
    until("the nodes ask the old primary", || a.log().contains("answers with status 503").then_some(()));
    assert_eq!(generation(&a.status()), 2);
    assert!(raw.visit(a.address("web"), NAME).resumed);
    assert_eq!(primary.epoch(), stopped);
}

#[test]
fn a_server_that_was_started_anew_is_not_refused_as_older() {
    let site = Site::new();
    let app = Upstream::http();
    let server = Server::start(&site.scratch, every_second(&site));
    let a = edge(&site, &app, "a", &[server.config()]);
    until("some rotations", || (counter(&a.status()) > 4).then_some(()));
    let server = Server::start(&site.scratch, server.kill());
    server.expect_log("made here before a restart: this ring is epoch 1.");
    until("its ring is at the node", || {
        let at_node = &a.status()["keys"]["ring"][0]["name"];
        (*at_node == server.status()["keys"]["ring"][0]["name"]).then_some(())
    });
    assert!(counter(&a.status()) > 4 && !a.log().contains("an older ring is never taken"), "{}", a.log());
    let raw = site.raw(Version::Tls13);
    raw.visit(a.address("web"), NAME);
    assert!(raw.visit(a.address("web"), NAME).resumed);
}

#[test]
fn a_standby_whose_primary_is_not_there_gives_nobody_a_key() {
    let site = Site::new();
    let absent = Config::new(&site.authority);
    let following = every_second(&site).following(&absent.url(), "standby", &site.authority);
    let standby = Server::start(&site.scratch, following.ticket_keys("plain", true));
    let poll = "GET /ticket-keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // A page in a browser of this machine, whose name was made to lead here.
    let rebound = tell(standby.config().polled(), &poll.replace("localhost", "evil.test"));
    assert!(rebound.starts_with("HTTP/1.1 403 "), "{rebound}");
    for _ in 0..2 {
        let answer = tell(standby.config().polled(), poll);
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1\r\n"), "{answer}");
        assert_eq!(standby.admin("/readyz").status, 503);
        until("it is alone", || (standby.status()["keys"]["standing"] == "alone").then_some(()));
    }
    let refused = standby.command("promote");
    assert!(refused.stderr.contains("it has never had a ring of the server it follows"), "{refused:?}");
}

#[test]
fn a_reload_takes_certificates_and_schedule_as_one_step_or_not_at_all() {
    let site = Site::new();
    let app = Upstream::http();
    let config = every_second(&site);
    let mut server = Server::start(&site.scratch, config.clone());
    let a = edge(&site, &app, "a", &[&config]);
    let mut broken = config.clone().keys("rotate", quoted("1h"));
    broken = broken.ticket_keys("bits", 512);
    server.reload(broken);
    server.expect_log("reload failed, nothing has changed: ");
    let before = server.epoch();
    until("keys rotate as before", || (server.epoch() != before).then_some(()));

    let other = Authority::new(&site.scratch, "other");
    server.reload(config.client_ca(&other).keys("rotate", quoted("1h")));
    server.expect_log("\nreloaded\n");
    // At once, and not when the node has waited for as long as it would have.
    let refused = within(Duration::from_secs(10), || {
        (server.sum("raincheck_requests_refused_total", &[("reason", "certificate")]) > 0.0).then_some(())
    });
    assert!(refused.is_some(), "the node's certificate is not good any more");
    server.expect_log(": its certificate is not good here;");
    until("the node says so", || a.log().contains("it ended TLS by the alert").then_some(()));
}

/// Who of the server's nodes is that, or is not.
fn nodes_with(server: &Server, what: &str, is: bool) -> Vec<String> {
    let status = server.status();
    let nodes = status["nodes"].as_array().expect("nodes").iter();
    nodes.filter(|node| node[what] == is).map(|node| node["name"].as_str().expect("a name").to_owned()).collect()
}

fn counter(status: &Value) -> u64 {
    counter_of(status["keys"]["epoch"].as_str().expect("an epoch"))
}

fn counter_of(epoch: &str) -> u64 {
    epoch.split_once('.').expect("two numbers").1.parse().expect("a number")
}

fn generation(status: &Value) -> u64 {
    let epoch = status["keys"]["epoch"].as_str().expect("an epoch");
    epoch.split_once('.').expect("two numbers").0.parse().expect("a number")
}

/// A server that makes a key each second.
fn every_second(site: &Site) -> Config {
    Config::new(&site.authority).keys("rotate", quoted("1s")).keys("accept", quoted("30s"))
}

/// A ready edge called `node` that asks these servers.
fn edge(site: &Site, app: &Upstream, node: &str, servers: &[&Config]) -> Edge {
    Edge::start(&site.scratch, edge_config(site, app, node, servers))
}

fn edge_config(site: &Site, app: &Upstream, node: &str, servers: &[&Config]) -> raincheck_tests::config::Config {
    let urls: Vec<String> = servers.iter().map(|server| server.url()).collect();
    let identity = site.authority.client(node);
    let config = site.web(app.address()).key_servers(&urls, node, &site.authority.file(), &identity);
    config.key_server("every", quoted("1s")).keys("rotate", quoted("1s")).keys("accept", quoted("30s"))
}
