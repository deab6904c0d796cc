//! `raincheck doctor server` against the servers people run: each verdict with a healthy twin, so that no check can only ever
//! say yes.
#![allow(clippy::unwrap_used)]

use raincheck_tests::backend::gnutls::Gnutls;
use raincheck_tests::backend::go::Go;
use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::java::{Api, Jvm};
use raincheck_tests::backend::nginx::Nginx;
use raincheck_tests::backend::openssl::OpenSsl;
use raincheck_tests::backend::{Backend, Resumption};
use raincheck_tests::client::Version;
use raincheck_tests::deadline::until;
use raincheck_tests::doctor::{DoctorServer, Report};
use raincheck_tests::edge::Edge;
use raincheck_tests::java::{BOUNCY_CASTLE, Release};
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::require;
use raincheck_tests::site::Site;
use raincheck_tests::upstream::Upstream;

#[test]
fn an_edge_is_healthy() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let report = DoctorServer::new(&site, edge.address("web")).with(&["--intrusive"]).report();
    assert_eq!(report.json["findings"].as_array().unwrap().len(), 0, "{report:?}");
    assert_eq!((report.resumes(), report.status), (["yes"; 3], Some(0)));
    for way in ["psk", "ticket", "session-id"] {
        let after = &report.way(way)["after"];
        assert_eq!((&after["truncated"], &after["reset"]), (&"yes".into(), &"yes".into()), "{way}: {after}");
    }
}

#[test]
fn java_11_forgets_a_session_that_ended_unclean() {
    require!("javac", Release::Java11.program(), BOUNCY_CASTLE);
    let report = java(Jvm::new(Release::Java11), Api::Engine, Version::Tls12);
    assert_eq!((report.problems(), report.status), (vec!["unclean-close-invalidates"], Some(1)), "{report:?}");
    let after = &report.way("session-id")["after"];
    assert_eq!(*after, serde_json::json!({ "clean": "yes", "truncated": "refused", "reset": "refused" }));
}

#[test]
fn java_11_with_ssl_socket_forgets_after_a_reset_alone() {
    require!("javac", Release::Java11.program(), BOUNCY_CASTLE);
    let report = java(Jvm::new(Release::Java11), Api::Socket, Version::Tls12);
    assert_eq!(report.problems(), ["unclean-close-invalidates"], "{report:?}");
    let after = &report.way("session-id")["after"];
    assert_eq!(*after, serde_json::json!({ "clean": "yes", "truncated": "yes", "reset": "refused" }));
}

#[test]
fn java_17_that_requires_close_notify_forgets_after_a_fin() {
    require!("javac", "java");
    let strict = Jvm::new(Release::Java17).without_tickets().strict();
    for (version, way) in [(Version::Tls12, "session-id"), (Version::Tls13, "psk")] {
        let report = java(strict, Api::Socket, version);
        assert_eq!(report.problems(), ["unclean-close-invalidates"], "{report:?}");
        let after = &report.way(way)["after"];
        assert_eq!(*after, serde_json::json!({ "clean": "yes", "truncated": "refused", "reset": "yes" }));
    }
}

#[test]
fn java_17_by_default_is_healthy() {
    require!("javac", "java");
    for (machine, version) in [
        (Jvm::new(Release::Java17), Version::Tls12),
        (Jvm::new(Release::Java17).without_tickets(), Version::Tls12),
        (Jvm::new(Release::Java17), Version::Tls13),
    ] {
        let report = java(machine, Api::Engine, version);
        assert_eq!((report.problems(), report.status), (vec![], Some(0)), "{report:?}");
        // Where it has tickets in TLS 1.2, a new one comes inside every resumption.
        let renews = report.way("ticket")["resumes"] == "yes";
        assert_eq!(report.notes().contains(&"inline-renewal"), renews, "{report:?}");
    }
}

#[test]
fn openssl_sends_its_tickets_unasked_and_resumes() {
    require!("openssl");
    let site = Site::new();
    for resumption in [Resumption::Tls13, Resumption::Tickets, Resumption::SessionIds] {
        let server = OpenSsl::start(&site.scratch, &site.certificate, resumption);
        let report = DoctorServer::new(&site, server.address()).report();
        assert_eq!((report.problems(), report.status), (vec![], Some(0)), "{report:?}");
        assert_eq!(report.notes().contains(&"eager-tickets"), resumption == Resumption::Tls13, "{report:?}");
        assert!(report.resumes().contains(&"yes"), "{report:?}");
    }
}

#[test]
fn gnutls_is_healthy() {
    require!("gnutls-serv");
    let site = Site::new();
    for resumption in [Resumption::Tls13, Resumption::Tickets, Resumption::SessionIds] {
        let server = Gnutls::start(&site.scratch, &site.certificate, resumption);
        let report = DoctorServer::new(&site, server.address()).report();
        assert_eq!((report.problems(), report.status), (vec![], Some(0)), "{report:?}");
        assert!(report.resumes().contains(&"yes"), "{report:?}");
    }
}

#[test]
fn haproxy_with_keys_of_its_own_is_healthy() {
    require!("haproxy");
    let site = Site::new();
    let keys: Vec<Key> = (0..3).map(|_| Key::random()).collect();
    let file = KeyFile::new(&site.scratch, "keys", &keys.iter().collect::<Vec<_>>());
    for (resumption, way) in [(Resumption::Tickets, "ticket"), (Resumption::Tls13, "psk")] {
        let server = Haproxy::start_with_keys(&site.scratch, &site.certificate, resumption, &file);
        let report = DoctorServer::new(&site, server.address()).report();
        assert_eq!((report.problems(), report.status), (vec![], Some(0)), "{report:?}");
        // Of three, the second seals.
        assert_eq!(report.way(way)["key_names"], serde_json::json!([keys[1].name()]), "{report:?}");
    }
}

#[test]
fn a_key_that_nginx_drops_is_seen_and_one_that_it_keeps_is_not() {
    require!("nginx", "kill");
    let site = Site::new();
    for (resumption, kept) in [(Resumption::Tickets, false), (Resumption::Tickets, true), (Resumption::Tls13, false)] {
        let [old, new] = [Key::random(), Key::random()];
        let mut nginx = Nginx::start_with_keys(&site.scratch, &site.certificate, resumption, &[&old]);
        let watching = DoctorServer::new(&site, nginx.address()).watch();
        let resumed = nginx.resumed();
        until("the doctor has offered an old ticket", || (nginx.resumed() > resumed + 1).then_some(()));
        let keys = if kept { vec![&new, &old] } else { vec![&new] };
        nginx.replace_keys(&keys);
        if kept {
            watching.says("tickets are now sealed under another key");
            let resumed = nginx.resumed();
            until("the doctor has offered older tickets", || (nginx.resumed() > resumed + 3).then_some(()));
        } else {
            watching.says("a session is refused");
        }
        let report = watching.interrupt();
        let expected: &[&str] = if kept { &[] } else { &["key-rotated-away"] };
        assert_eq!(report.problems(), expected, "{resumption:?}, {kept}: {report:?}");
        assert_eq!(report.notes().contains(&"inline-renewal"), kept, "{report:?}");
        if !kept {
            let evidence = report.finding("key-rotated-away")["evidence"].to_string();
            assert!(evidence.contains(&old.name()), "{evidence}");
        }
    }
}

#[test]
fn go_is_healthy() {
    require!("go");
    let site = Site::new();
    let server = Go::start(&site.scratch, &site.certificate);
    let report = DoctorServer::new(&site, server.address()).report();
    assert_eq!((report.problems(), report.status), (vec![], Some(0)), "{report:?}");
    // Its session IDs are the client's own random bytes.
    assert_eq!(report.resumes(), ["yes", "yes", "not-offered"], "{report:?}");
    // It sends its tickets with its first flight, where every client reads.
    assert!(!report.notes().contains(&"eager-tickets"), "{report:?}");
}

#[test]
fn a_ticket_key_of_zeros_is_found_and_a_random_one_is_not() {
    require!("nginx", "kill");
    let site = Site::new();
    for resumption in [Resumption::Tickets, Resumption::Tls13] {
        for (key, expected) in [(Key::of(&[0; 48]), &["weak-ticket-key"][..]), (Key::random_of_48_bytes(), &[])] {
            let nginx = Nginx::start_with_keys(&site.scratch, &site.certificate, resumption, &[&key]);
            let report = DoctorServer::new(&site, nginx.address()).report();
            assert_eq!(report.problems(), expected, "{resumption:?}: {report:?}");
        }
    }
}

#[test]
fn openssl_without_tickets_offers_nothing_in_tls_1_3_and_loses_nothing() {
    require!("openssl");
    let site = Site::new();
    let server = OpenSsl::start_with(&site.scratch, &site.certificate, Resumption::Tls13, &["-num_tickets", "0"]);
    let report = DoctorServer::new(&site, server.address()).with(&["--intrusive"]).report();
    assert_eq!((report.problems(), report.status), (vec!["no-resumption-offered"], Some(1)), "{report:?}");
    assert_eq!(report.way("psk")["resumes"], "not-offered");
    assert_eq!(report.json["addresses"][0]["write_only"]["unasked"], 0, "{report:?}");
}

#[test]
fn a_client_of_openssl_that_only_writes_loses_data() {
    require!("openssl");
    let site = Site::new();
    let server = OpenSsl::start(&site.scratch, &site.certificate, Resumption::Tls13);
    let report = DoctorServer::new(&site, server.address()).with(&["--intrusive"]).report();
    assert_eq!((report.problems(), report.status), (vec!["write-only-data-lost"], Some(1)), "{report:?}");
    // In TLS 1.2 tickets are part of the handshake.
    let server = OpenSsl::start(&site.scratch, &site.certificate, Resumption::Tickets);
    let report = DoctorServer::new(&site, server.address()).with(&["--intrusive"]).report();
    assert_eq!((report.problems(), report.status), (vec![], Some(0)), "{report:?}");
}

#[test]
fn a_door_of_nginx_that_opens_with_a_ticket_of_another_is_found() {
    require!("nginx", "kill");
    let site = Site::new();
    let certificate = site.authority.server(&["app.test", "guarded.test"]);
    let client = site.authority.client("client");
    let nginx =
        Nginx::start_guarding(&site.scratch, &certificate, Resumption::Tls13, "guarded.test", &site.authority.file());
    // From inside and from outside.
    for doctor in [
        DoctorServer::named(&site, nginx.address(), "guarded.test").showing(&client),
        DoctorServer::named(&site, nginx.address(), "app.test"),
    ] {
        let report = doctor.report();
        assert_eq!(report.problems(), ["policy-not-bound"], "{report:?}");
    }
    let nginx = Nginx::start(&site.scratch, &certificate, Resumption::Tls13);
    let report = DoctorServer::new(&site, nginx.address()).report();
    assert_eq!(report.problems(), Vec::<&str>::new(), "{report:?}");
    assert!(report.notes().contains(&"policy-not-bound"), "{report:?}");
}

fn java(machine: Jvm, api: Api, version: Version) -> Report {
    let site = Site::new();
    let servers = machine.serve(&site.scratch, &site.certificate, &[(api, version)]);
    DoctorServer::new(&site, servers[0].address()).report()
}
