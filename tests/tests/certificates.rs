//! The certificate is chosen by name, and by what the client can verify.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;

use raincheck_tests::client::openssl::Connection;
use raincheck_tests::client::{Version, Visit};
use raincheck_tests::config::Listener;
use raincheck_tests::edge::Edge;
use raincheck_tests::pki::{Identity, KeyKind};
use raincheck_tests::program;
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

const BOTH: [Version; 2] = [Version::Tls12, Version::Tls13];

/// The name in a listener's second certificate.
const OTHER: &str = "other.test";

/// Whether the server showed this certificate. The client does not judge it.
fn shown(visit: &Visit, arguments: &[&str], identity: &Identity) -> bool {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &visit.address.to_string(), "-servername", &visit.name]);
    command.arg(if visit.version == Version::Tls12 { "-tls1_2" } else { "-tls1_3" }).args(arguments);
    let finished = program::run(&mut command, b"");
    let leaf = fs::read_to_string(&identity.chain).unwrap();
    let body = |text: &str| -> String { text.lines().filter(|line| !line.is_empty()).collect() };
    assert!(finished.stdout.contains("BEGIN CERTIFICATE"), "{}", finished.output());
    body(&finished.stdout).contains(&body(&leaf.replace('\r', "")))
}

#[test]
fn by_name_with_a_default() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let other = site.authority.server(&[OTHER, "*.wild.test"]);
    let listener = Listener::new("web", &site.certificate).certificate(&other);
    let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
    for version in BOTH {
        let visit = site.visit(edge.address("web"), version);
        assert!(shown(&visit, &[], &site.certificate), "{version:?}");
        assert!(shown(&visit.clone().named(OTHER), &[], &other), "{version:?}");
        assert!(shown(&visit.clone().named("Other.TEST"), &[], &other), "{version:?}");
        assert!(shown(&visit.clone().named("a.wild.test"), &[], &other), "{version:?}");
        // A name nobody has, and no name: the first certificate.
        assert!(shown(&visit.clone().named("nobody.test"), &[], &site.certificate), "{version:?}");
        let mut nameless = Command::new("openssl");
        nameless.args(["s_client", "-noservername", "-connect", &visit.address.to_string()]);
        let finished = program::run(&mut nameless, b"");
        assert!(finished.stdout.contains(fs::read_to_string(&site.certificate.chain).unwrap().lines().nth(1).unwrap()));
    }
}

#[test]
fn rsa_and_ecdsa_for_one_name() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let rsa = site.authority.server_with(&[NAME], KeyKind::Rsa);
    let ecdsa = &site.certificate;
    for (first, second) in [(ecdsa, &rsa), (&rsa, ecdsa)] {
        let listener = Listener::new("web", first).certificate(second);
        let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
        let new = site.visit(edge.address("web"), Version::Tls13);
        let old = site.visit(edge.address("web"), Version::Tls12);
        let only_rsa = ["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"];
        let only_ecdsa = ["-sigalgs", "ECDSA+SHA256"];
        for visit in [&new, &old] {
            assert!(shown(visit, &only_rsa, &rsa), "{:?}", visit.version);
            assert!(shown(visit, &only_ecdsa, ecdsa), "{:?}", visit.version);
        }
        assert!(shown(&old, &["-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], &rsa));
        assert!(shown(&old, &["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], ecdsa));
        // ECDSA is a tenth of the work.
        assert!(shown(&new, &[], ecdsa) && shown(&old, &[], ecdsa));
    }
}

#[test]
fn a_session_of_one_kind_of_key_resumes_though_there_is_another() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let rsa = site.authority.server_with(&[NAME], KeyKind::Rsa);
    let listener = Listener::new("web", &site.certificate).certificate(&rsa);
    let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
    for version in BOTH {
        let session = site.scratch.join("session.pem");
        let visit = site.visit(edge.address("web"), version);
        assert!(!Connection::new(&visit).keeping(&session).seen().resumed);
        assert!(Connection::new(&visit).offering(&session).seen().resumed, "{version:?}");
    }
}

#[test]
fn client_certificates_required_optional_and_off() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let ca = site.authority.file();
    let (good, revoked) = (site.authority.client("alice"), site.authority.client("mallory"));
    let crl = site.authority.revoke(&[&revoked]);
    let stranger = raincheck_tests::pki::Authority::new(&site.scratch, "strangers").client("eve");
    let listener = |name| Listener::new(name, &site.certificate);
    let config = site
        .config(listener("off"), app.address())
        .listener(listener("optional").client_auth(&ca, Some(&crl), "optional"))
        .listener(listener("required").client_auth(&ca, Some(&crl), "required"));
    let edge = Edge::start(&site.scratch, config);
    let cases =
        [("off", [true; 4]), ("optional", [true, true, false, false]), ("required", [false, true, false, false])];
    for version in BOTH {
        for (listener, expected) in cases {
            let visit = site.visit(edge.address(listener), version);
            let identities = [None, Some(&good), Some(&revoked), Some(&stranger)];
            let let_in = identities.map(|identity| {
                let connection = Connection::new(&visit);
                let connection = identity.into_iter().fold(connection, Connection::showing);
                connection.run().stdout.contains("HTTP/1.1 200")
            });
            assert_eq!(let_in, expected, "{listener}, {version:?}: none, good, revoked, a stranger's");
        }
    }
}

#[test]
fn a_required_certificate_that_is_missing_is_told_by_an_alert() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let listener = Listener::new("web", &site.certificate).client_auth(&site.authority.file(), None, "required");
    let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
    // In TLS 1.3 the client has already sent its request when it is refused: the alert has to survive that.
    for (version, alert) in [(Version::Tls13, "certificate required"), (Version::Tls12, "alert")] {
        for _ in 0..10 {
            let finished = Connection::new(&site.visit(edge.address("web"), version)).run();
            assert!(finished.stderr.contains(alert), "{version:?}: {}", finished.output());
        }
    }
}

#[test]
fn alpn_is_chosen_in_the_listeners_order() {
    require!("openssl");
    let site = Site::new();
    let app = Upstream::http();
    let listener = Listener::new("web", &site.certificate).set("alpn", "[\"h2\", \"http/1.1\"]");
    let edge = Edge::start(&site.scratch, site.config(listener, app.address()));
    for version in BOTH {
        let visit = site.visit(edge.address("web"), version);
        let chosen = |offer: &str| Connection::new(&visit).with(&["-alpn", offer]).run().output();
        assert!(chosen("http/1.1,h2").contains("ALPN protocol: h2"), "{version:?}");
        assert!(chosen("http/1.1").contains("ALPN protocol: http/1.1"), "{version:?}");
        assert!(chosen("spdy/3").contains("alert no application protocol"), "{version:?}");
    }
}
