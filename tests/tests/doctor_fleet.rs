//! `raincheck doctor fleet` with fleets of real servers.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use raincheck_tests::address;
use raincheck_tests::backend::bad::{self, Fault};
use raincheck_tests::backend::gnutls::Gnutls;
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::java::{Api, Jvm};
use raincheck_tests::backend::nginx::Nginx;
use raincheck_tests::backend::openssl::OpenSsl;
use raincheck_tests::backend::{Backend, Resumption};
use raincheck_tests::client::Version;
use raincheck_tests::deadline::until;
use raincheck_tests::doctor_fleet::{FleetReport, command, report};
use raincheck_tests::edge::Edge;
use raincheck_tests::java::Release;
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::program;
use raincheck_tests::require;
use raincheck_tests::site::Site;
use raincheck_tests::upstream::Upstream;

const NOT_SHARED: (&str, &str) = ("keys-not-shared", "problem");

#[test]
fn eight_edges_with_two_key_files_are_two_groups() {
    let site = Site::new();
    let app = Upstream::http();
    let files = [key_file(&site, "one"), key_file(&site, "two")];
    let edges: Vec<Edge> = (0..8).map(|index| edge(&site, &app, &files[index % 2])).collect();
    let nodes: Vec<SocketAddr> = edges.iter().map(|edge| edge.address("web")).collect();
    let report = report(&site, &nodes);
    assert_eq!(report.findings(), [NOT_SHARED], "{:#}", report.json["findings"]);
    let every_other = |from: usize| nodes.iter().copied().skip(from).step_by(2).collect::<Vec<_>>();
    assert_eq!(report.groups(), [every_other(0), every_other(1)]);
    for (issuer, &given_by) in nodes.iter().enumerate() {
        for (asked, &node) in nodes.iter().enumerate() {
            let expected = if issuer % 2 == asked % 2 { "resumed" } else { "refused other-key" };
            assert_eq!(report.result("psk", given_by, node), expected, "{issuer} at {asked}");
            assert_eq!(report.result("ticket", given_by, node), expected, "{issuer} at {asked}");
        }
    }
    assert_eq!(report.status, Some(1));
}

#[test]
fn eight_edges_with_one_key_file_are_as_they_should_be() {
    let site = Site::new();
    let app = Upstream::http();
    let file = key_file(&site, "keys");
    let edges: Vec<Edge> = (0..8).map(|_| edge(&site, &app, &file)).collect();
    let nodes: Vec<SocketAddr> = edges.iter().map(|edge| edge.address("web")).collect();
    let report = report(&site, &nodes);
    assert_eq!(report.findings(), [], "{:#}", report.json["findings"]);
    assert_eq!(report.groups(), [nodes]);
    assert_eq!(report.status, Some(0));
}

#[test]
fn nginx_is_told_by_key_and_by_certificate() {
    require!("nginx");
    let site = Site::new();
    let key = Key::random();
    for resumption in [Resumption::Tls13, Resumption::Tickets] {
        let nginx = |keys: &[&Key]| Nginx::start_with_keys(&site.scratch, &site.certificate, resumption, keys);
        let shared = [nginx(&[&key]), nginx(&[&key])];
        let own = nginx(&[]);
        let other_certificate = site.authority.server(&["app.test"]);
        let other = Nginx::start_with_keys(&site.scratch, &other_certificate, resumption, &[&key]);
        let [a, b] = [&shared[0], &shared[1]].map(Backend::address);
        let (own, other) = (own.address(), other.address());
        let way = if resumption == Resumption::Tls13 { "psk" } else { "ticket" };

        let healthy = report(&site, &[a, b]);
        assert_eq!((healthy.findings(), healthy.groups()), (vec![], vec![vec![a, b]]));

        let report = report(&site, &[a, b, own, other]);
        assert_eq!(report.findings(), [NOT_SHARED], "{:#}", report.json["findings"]);
        assert_eq!(report.groups(), [vec![a, b], vec![own], vec![other]]);
        assert_eq!(report.result(way, a, own), "refused other-key");
        assert_eq!(report.result(way, a, other), "refused other-certificate");
        assert_eq!(report.result(way, other, b), "refused other-certificate");
    }
}

#[test]
fn haproxy_shares_by_its_key_file() {
    require!("haproxy");
    let site = Site::new();
    let keys = key_file(&site, "keys");
    for resumption in [Resumption::Tls13, Resumption::Tickets] {
        let haproxy = || Haproxy::start_with_keys(&site.scratch, &site.certificate, resumption, &keys);
        let shared = [haproxy(), haproxy()];
        let own = Haproxy::start(&site.scratch, &site.certificate, resumption);
        let [a, b] = [&shared[0], &shared[1]].map(Backend::address);

        let healthy = report(&site, &[a, b]);
        assert_eq!((healthy.findings(), healthy.groups()), (vec![], vec![vec![a, b]]));

        let report = report(&site, &[a, own.address(), b]);
        assert_eq!(report.findings(), [NOT_SHARED], "{:#}", report.json["findings"]);
        assert_eq!(report.groups(), [vec![a, b], vec![own.address()]]);
    }
}

#[test]
fn a_node_that_is_no_use_is_told_of_and_the_others_are_asked() {
    let site = Site::new();
    let app = Upstream::http();
    let file = key_file(&site, "keys");
    let edges = [(); 2].map(|()| edge(&site, &app, &file));
    let foreign = bad::start(Fault::Garbage, &site.certificate);
    let silent = bad::start(Fault::Silent, &site.certificate);
    let [a, b] = [&edges[0], &edges[1]].map(|edge| edge.address("web"));
    let (closed, plain, silent) = (address::unused(), foreign.address(), silent.address());
    let report = report(&site, &[closed, a, plain, silent, b]);
    assert_eq!(report.findings(), [], "{:#}", report.json["findings"]);
    assert_eq!(report.groups(), [[a, b]]);
    let failure = |node| report.failure(node).unwrap_or_default();
    assert!(failure(closed).starts_with("cannot connect: "), "{}", failure(closed));
    assert!(failure(plain).starts_with("the server does not speak TLS here"), "{}", failure(plain));
    assert_eq!(failure(silent), "the server took too long before it had answered the ClientHello");
    assert_eq!(report.result("psk", a, silent), "not-asked");
    assert_eq!(report.failure(a), None);
    assert_eq!(report.status, Some(1), "not all could be asked");
}

#[test]
fn a_node_that_breaks_off_every_other_connection_is_not_taken_for_one_that_refuses() {
    let site = Site::new();
    let app = Upstream::http();
    let file = key_file(&site, "keys");
    let edges = [(); 2].map(|()| edge(&site, &app, &file));
    let count = AtomicUsize::new(0);
    let every_other = move || match count.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => Fault::None,
        _ => Fault::EndsInServerHello,
    };
    let flaky = bad::start_as(every_other, &site.certificate);
    let [a, b] = [&edges[0], &edges[1]].map(|edge| edge.address("web"));
    let report = report(&site, &[a, flaky.address(), b]);
    assert!(report.findings().contains(&("handshake-failures", "note")), "{:#}", report.json["findings"]);
    assert!(report.groups().contains(&vec![a, b]), "{:#}", report.json["groups"]);
    let cells = report.json["table"].as_array().unwrap().iter();
    let of_flaky = cells.filter(|cell| cell["asked"] == flaky.address().to_string());
    let results: Vec<&str> = of_flaky.map(|cell| cell["result"].as_str().unwrap()).collect();
    assert!(results.contains(&"unknown") && !results.contains(&"at-times"), "{results:?}");
}

#[test]
fn servers_of_all_kinds_resume_their_own_and_no_other() {
    require!("openssl", "gnutls-serv", "nginx", "haproxy", "java", "javac");
    let site = Site::new();
    let app = Upstream::http();
    let jvm = Jvm::new(Release::Java17);
    let java = jvm.serve(&site.scratch, &site.certificate, &[(Api::Engine, Version::Tls13)]);
    let edge = edge(&site, &app, &key_file(&site, "keys"));
    let servers: [&dyn Backend; 5] = [
        &OpenSsl::start(&site.scratch, &site.certificate, Resumption::Tls13),
        &Gnutls::start(&site.scratch, &site.certificate, Resumption::Tls13),
        &Nginx::start(&site.scratch, &site.certificate, Resumption::Tls13),
        &Haproxy::start(&site.scratch, &site.certificate, Resumption::Tls13),
        &java[0],
    ];
    let nodes: Vec<SocketAddr> = servers.iter().map(|server| server.address()).chain([edge.address("web")]).collect();
    let report = report(&site, &nodes);
    assert!(report.findings().contains(&NOT_SHARED), "{:#}", report.json["findings"]);
    assert_eq!(report.groups(), nodes.iter().map(|&node| vec![node]).collect::<Vec<_>>());
    for &issuer in &nodes {
        for &asked in &nodes {
            let result = report.result("psk", issuer, asked);
            assert_eq!(result == "resumed", issuer == asked, "{issuer} at {asked}: {result}");
            assert!(result.starts_with("re"), "{issuer} at {asked}: {result}");
        }
    }
}

#[test]
fn a_node_without_tls13_is_no_node_without_keys() {
    require!("nginx");
    let site = Site::new();
    let key = Key::random();
    let nginx = |resumption| Nginx::start_with_keys(&site.scratch, &site.certificate, resumption, &[&key]);
    let (new, old) = ([nginx(Resumption::Tls13), nginx(Resumption::Tls13)], nginx(Resumption::Tickets));
    let nodes = [new[0].address(), new[1].address(), old.address()];
    let report = report(&site, &nodes);
    assert_eq!(report.findings(), [("version-changed", "problem")], "{:#}", report.json["findings"]);
    assert_eq!(report.groups(), [&nodes[..2], &nodes[2..]]);
    assert_eq!(report.result("psk", nodes[0], nodes[2]), "not-asked");
    assert_eq!(report.result("ticket", nodes[2], nodes[2]), "resumed");
}

#[test]
fn session_ids_are_a_note_beside_tickets_and_a_problem_without() {
    require!("nginx");
    let site = Site::new();
    let app = Upstream::http();
    let file = key_file(&site, "keys");
    let edges = [(); 2].map(|()| edge(&site, &app, &file));
    let nginx = || Nginx::start(&site.scratch, &site.certificate, Resumption::SessionIds);
    let by_id = [nginx(), nginx()];
    let [a, b] = [&edges[0], &edges[1]].map(|edge| edge.address("web"));
    let [c, d] = [&by_id[0], &by_id[1]].map(Backend::address);

    let mixed = report(&site, &[a, b, c]);
    let note = ("keys-not-shared", "note");
    assert!(mixed.findings().contains(&note) && !mixed.findings().contains(&NOT_SHARED), "{:?}", mixed.findings());
    assert_eq!(mixed.groups(), [vec![a, b], vec![c]]);
    assert_eq!(mixed.result("session-id", c, c), "resumed");
    assert_eq!(mixed.result("session-id", c, a), "refused unknown");

    let alone = report(&site, &[c, d]);
    assert_eq!(alone.findings(), [NOT_SHARED], "{:#}", alone.json["findings"]);
}

#[test]
fn a_key_that_comes_late_is_seen_to_come() {
    let site = Site::new();
    let app = Upstream::http();
    let keys = [(); 4].map(|()| Key::random());
    let [old, old_next, new, new_next] = &keys;
    let ahead = KeyFile::new(&site.scratch, "ahead", &[old, old_next, new, new_next]);
    let behind = KeyFile::new(&site.scratch, "behind", &[old, old_next]);
    let edges = [edge(&site, &app, &ahead), edge(&site, &app, &behind)];
    let nodes = [edges[0].address("web"), edges[1].address("web")];

    // It stays behind.
    let stays = report(&site, &nodes);
    assert_eq!(stays.findings(), [("rotation-out-of-step", "problem")], "{:#}", stays.json["findings"]);
    assert_eq!(stays.result("psk", nodes[0], nodes[1]), "refused other-key");
    assert_eq!(stays.result("psk", nodes[1], nodes[0]), "resumed");

    // It catches up between the first time and the second.
    let refused = || edges[1].handshakes(&[("reason", "unknown-key")]);
    let before = refused();
    let doctor = program::spawn(&mut command(&site, &nodes, &["--wait", "8s", "--json"]));
    until("both tickets are refused", || (refused() >= before + 2.0).then_some(()));
    behind.replace(&[old, old_next, new, new_next]);
    let late = FleetReport::of(program::finish(doctor, "raincheck doctor fleet"));
    assert_eq!(late.findings(), [("rotation-out-of-step", "problem")], "{:#}", late.json["findings"]);
    assert_eq!(late.json["findings"][0]["certainty"], "seen");
    assert_eq!(late.result("psk", nodes[0], nodes[1]), "resumed-later");
    assert_eq!(late.groups(), [nodes]);
    assert!(late.evidence("rotation-out-of-step").contains("resumed them when it was asked again"));

    // And in step there is nothing to find.
    assert_eq!(report(&site, &nodes).findings(), []);
}

fn edge(site: &Site, app: &Upstream, keys: &KeyFile) -> Edge {
    Edge::start(&site.scratch, site.web(app.address()).key_file(keys.path()))
}

fn key_file(site: &Site, name: &str) -> KeyFile {
    KeyFile::new(&site.scratch, name, &[&Key::random(), &Key::random(), &Key::random()])
}
