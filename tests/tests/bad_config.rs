//! A bad configuration ends in a message that names the file, the line or key, and the remedy; and changes nothing.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use raincheck_tests::client::Version;
use raincheck_tests::config::{Config, Listener, quoted};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::nobody::raincheck_as_nobody;
use raincheck_tests::pki::KeyKind;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;
use raincheck_tests::{program, require};

/// The edge refuses this text with status 2, and stderr has all of these.
fn refused(site: &Site, text: &str, wanted: &[&str]) {
    let finished = Edge::refusal(&site.scratch, text);
    assert_eq!(finished.status, Some(2), "{}", finished.output());
    for part in wanted {
        assert!(finished.stderr.contains(part), "no {part:?} in: {}", finished.stderr);
    }
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}

/// The number of the first line that starts with `start`, as an error names it.
fn line(text: &str, start: &str) -> String {
    let index = text.lines().position(|line| line.starts_with(start)).expect("the line is there");
    format!("refused.toml:{}", index + 1)
}

fn some_address() -> std::net::SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

#[test]
fn an_unknown_key() {
    let site = Site::new();
    let listener = Listener::new("web", &site.certificate).set("sesion-cache", 1);
    let text = site.config(listener, some_address()).text();
    refused(&site, &text, &[&line(&text, "sesion-cache"), "sesion-cache"]);
}

#[test]
fn no_number_is_too_large_to_be_told_so() {
    let site = Site::new();
    for (key, value) in [
        ("max-connections", "9223372036854775807".to_owned()),
        ("session-cache", "99999999999999999999".to_owned()),
        ("idle-timeout", quoted("9223372036854775807d")),
        ("handshake-timeout", quoted("366d")),
    ] {
        let text = site.config(Listener::new("web", &site.certificate).set(key, value), some_address()).text();
        refused(&site, &text, &[&line(&text, key)]);
    }
    let keys = site.web(some_address()).keys("rotate", quoted("9223372036854775807d")).text();
    refused(&site, &keys, &[&line(&keys, "rotate")]);
}

#[test]
fn the_largest_numbers_there_can_be_are_served() {
    let site = Site::new();
    let app = Upstream::http();
    let listener = Listener::new("web", &site.certificate)
        .set("max-connections", 100_000_000)
        .set("session-cache", i64::MAX)
        .set("idle-timeout", quoted("365d"))
        .set("handshake-timeout", quoted("365d"));
    let config = site.config(listener, app.address()).keys("rotate", quoted("365d")).keys("chain", quoted("365d"));
    let edge = Edge::start(&site.scratch, config.clone());
    let raws = [Version::Tls12, Version::Tls13].map(|version| site.raw(version));
    raws.iter().for_each(|raw| assert!(!raw.visit(edge.address("web"), NAME).resumed));
    assert!(edge.stats("show info").contains("Maxconn: 100000000"));
    // As few as there can be, and back.
    for most in [1, 100_000_000] {
        let before = edge.log().len();
        edge.write_config(&config.text().replace("100000000", &most.to_string()));
        edge.hang_up();
        edge.expect_log(before, "reloaded");
        raws.iter().for_each(|raw| assert!(raw.visit(edge.address("web"), NAME).resumed));
    }
}

#[test]
fn no_toml_at_all() {
    let site = Site::new();
    refused(&site, "[edge\n", &["refused.toml:1"]);
}

#[test]
fn a_file_that_is_not_there() {
    let finished = raincheck_tests::program::run(
        raincheck_tests::edge::raincheck().args(["edge", "-c", "/nonexistent/raincheck.toml"]),
        b"",
    );
    assert_eq!(finished.status, Some(2));
    assert!(finished.stderr.contains("/nonexistent/raincheck.toml"), "{}", finished.stderr);
}

#[test]
fn http_mode_until_it_is_built() {
    let site = Site::new();
    let listener = Listener::new("web", &site.certificate).set("mode", quoted("http"));
    let text = site.config(listener, some_address()).text();
    refused(&site, &text, &[&line(&text, "mode"), "mode", "not built yet", "tcp"]);
}

#[test]
fn two_listeners_on_one_address() {
    let site = Site::new();
    let one = Listener::new("one", &site.certificate);
    let config = site.config(one, some_address());
    let two = Listener::new("two", &site.certificate).on(config.address("one"));
    let address = config.address("one").to_string();
    let text = config.listener(two).text();
    refused(&site, &text, &["refused.toml:", &address, "one", "two"]);
}

#[test]
fn a_certificate_that_does_not_match_its_key() {
    let site = Site::new();
    for other in [site.authority.server(&[NAME]), site.authority.server_with(&[NAME], KeyKind::Rsa)] {
        let mut mixed = site.certificate.clone();
        mixed.key = other.key;
        let text = site.config(Listener::new("web", &mixed), some_address()).text();
        let (chain, key) = (mixed.chain.display().to_string(), mixed.key.display().to_string());
        refused(&site, &text, &[&line(&text, "chain = \""), &chain, &key]);
    }
}

#[test]
fn a_certificate_that_is_not_there_or_is_none() {
    let site = Site::new();
    let mut missing = site.certificate.clone();
    missing.chain = site.scratch.join("missing.pem");
    let text = site.config(Listener::new("web", &missing), some_address()).text();
    refused(&site, &text, &[&line(&text, "chain = \""), "missing.pem"]);
    let mut none = site.certificate.clone();
    none.chain = site.scratch.write("none.pem", "no certificate\n");
    let text = site.config(Listener::new("web", &none), some_address()).text();
    refused(&site, &text, &[&line(&text, "chain = \""), "none.pem"]);
}

#[test]
fn an_upstream_nobody_defined() {
    let site = Site::new();
    let listener = Listener::new("web", &site.certificate).set("upstream", quoted("nobody"));
    let text = site.config(listener, some_address()).text();
    refused(&site, &text, &[&line(&text, "upstream"), "nobody"]);
}

#[test]
fn all_errors_are_told_at_once() {
    let site = Site::new();
    let listener = Listener::new("web", &site.certificate)
        .set("mode", quoted("http"))
        .set("min-version", quoted("1.1"))
        .set("upstream", quoted("nobody"));
    let text = site.config(listener, some_address()).keys("rotate", quoted("soon")).text();
    let wanted = ["mode =", "min-version =", "upstream =", "rotate ="].map(|start| line(&text, start));
    refused(&site, &text, &wanted.each_ref().map(String::as_str));
}

/// What a key file may be wrong in: its text, and what the message must hold besides the file's name.
fn bad_key_files() -> Vec<(&'static str, String, &'static str)> {
    let good = Key::random().line();
    let short = Key::random_of_48_bytes().line();
    let lines = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    vec![
        ("empty", String::new(), ""),
        ("of wrong size", lines(&[&good, &good_other(), &Key::of(&[7; 40]).line()]), ":3"),
        ("of mixed sizes", lines(&[&good, &short, &good_other()]), ":2"),
        ("not base64", lines(&[&good, "***", &good_other()]), ":2"),
        ("all zero", lines(&[&good, &Key::of(&[0; 80]).line(), &good_other()]), ":2"),
        ("constant", lines(&[&Key::of(&[0x31; 80]).line()]), ":1"),
        ("counting", lines(&[&Key::of(&(0..80).collect::<Vec<u8>>()).line()]), ":1"),
        ("twice the same", lines(&[&good, &good_other(), &good]), ":3"),
    ]
}

fn good_other() -> String {
    Key::random().line()
}

#[test]
fn a_bad_key_file_at_the_start() {
    let site = Site::new();
    for (what, content, wanted) in bad_key_files() {
        let path = site.scratch.write("ticket-keys", &content);
        let text = site.web(some_address()).key_file(&path).text();
        println!("{what}");
        refused(&site, &text, &[&format!("{}{wanted}", path.display())]);
    }
    let missing = site.scratch.join("missing-keys");
    let text = site.web(some_address()).key_file(&missing).text();
    refused(&site, &text, &[&missing.display().to_string()]);
    // A directory cannot be read as a file, not even by root.
    let text = site.web(some_address()).key_file(site.scratch.path()).text();
    refused(&site, &text, &[&site.scratch.path().display().to_string()]);
}

#[test]
fn a_key_file_that_may_not_be_read() {
    require!("setpriv");
    let site = Site::new();
    let app = Upstream::http();
    let keys: Vec<Key> = (0..3).map(|_| Key::random()).collect();
    let file = KeyFile::new(&site.scratch, "ticket-keys", &keys.iter().collect::<Vec<_>>());
    let path = file.path().display().to_string();
    let config = site.web(app.address()).key_file(file.path());
    shut(file.path());
    let text = site.scratch.write("refused.toml", config.text());
    let finished = program::run(raincheck_as_nobody(&site.scratch).args(["edge", "-c"]).arg(text), b"");
    assert_eq!(finished.status, Some(2), "{}", finished.output());
    let remedy = "let the user that runs raincheck read it";
    for part in [path.as_str(), "ermission denied", remedy] {
        assert!(finished.stderr.contains(part), "no {part:?} in: {}", finished.stderr);
    }

    // One in place of a good one changes nothing.
    file.replace(&keys.iter().collect::<Vec<_>>());
    let edge = Edge::start_by(raincheck_as_nobody(&site.scratch), &site.scratch, config);
    let raw = site.raw(Version::Tls13);
    assert!(!raw.visit(edge.address("web"), NAME).resumed);
    let before = edge.log().len();
    shut(file.path());
    edge.expect_log(before, &path);
    edge.expect_log(before, remedy);
    assert!(raw.visit(edge.address("web"), NAME).resumed);
    let fresh = Key::random();
    file.replace(&[&keys[1], &keys[2], &fresh, &Key::random()]);
    until("a good file again", || edge.stats("show tls-keys *").contains(&fresh.name()).then_some(()));
    assert!(raw.visit(edge.address("web"), NAME).resumed);
}

/// Leaves a file to be read by root alone.
fn shut(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
}

#[test]
fn no_error_about_a_key_shows_the_key() {
    let site = Site::new();
    let degenerate = Key::of(&[&[1, 2, 3, 4][..], &[9; 76]].concat());
    for bad in [degenerate.line(), "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=".to_owned()] {
        let path = site.scratch.write("ticket-keys", format!("{bad}\n"));
        let finished = Edge::refusal(&site.scratch, &site.web(some_address()).key_file(&path).text());
        assert!(!finished.output().contains(&bad[8..24]), "{}", finished.output());
    }
}

#[test]
fn a_bad_key_file_in_place_of_a_good_one_changes_nothing() {
    let site = Site::new();
    let app = Upstream::http();
    let keys: Vec<Key> = (0..3).map(|_| Key::random()).collect();
    let all: Vec<&Key> = keys.iter().collect();
    let file = KeyFile::new(&site.scratch, "ticket-keys", &all);
    let edge = Edge::start(&site.scratch, site.web(app.address()).key_file(file.path()));
    let raws = [Version::Tls12, Version::Tls13].map(|version| site.raw(version));
    raws.iter().for_each(|raw| assert!(!raw.visit(edge.address("web"), NAME).resumed));
    for (what, content, wanted) in bad_key_files() {
        println!("{what}");
        let before = edge.log().len();
        file.replace_by_text(&content);
        edge.expect_log(before, &format!("{}{wanted}", file.path().display()));
        raws.iter().for_each(|raw| assert!(raw.visit(edge.address("web"), NAME).resumed, "{what}"));
    }
    let before = edge.log().len();
    fs::remove_file(file.path()).unwrap();
    edge.expect_log(before, &file.path().display().to_string());
    raws.iter().for_each(|raw| assert!(raw.visit(edge.address("web"), NAME).resumed, "removed"));
    // And it still watches.
    let fresh = Key::random();
    file.replace(&[&keys[1], &keys[2], &fresh, &Key::random()]);
    until("a good file again", || edge.stats("show tls-keys *").contains(&fresh.name()).then_some(()));
    raws.iter().for_each(|raw| assert!(raw.visit(edge.address("web"), NAME).resumed, "good again"));
}

#[test]
fn a_bad_configuration_on_sighup_changes_nothing() {
    let site = Site::new();
    let app = Upstream::http();
    let config = site.web(app.address());
    let mut edge = Edge::start(&site.scratch, config.clone());
    let raw = site.raw(Version::Tls13);
    assert!(!raw.visit(edge.address("web"), NAME).resumed);
    let other = site.authority.server(&[NAME]);
    let mut mixed = other.clone();
    mixed.key = site.certificate.key.clone();
    let bad: [(&str, Config); 3] = [
        ("sesion-cache", config.clone().listener(Listener::new("more", &other).set("sesion-cache", 1))),
        ("does-not-exist", config.clone().key_file(Path::new("/does-not-exist"))),
        (mixed.chain.to_str().unwrap(), config.clone().listener(Listener::new("more", &mixed))),
    ];
    for (named, config) in bad {
        let before = edge.log().len();
        edge.write_config(&config.text());
        edge.hang_up();
        edge.expect_log(before, named);
        assert!(edge.runs());
        assert!(raw.visit(edge.address("web"), NAME).resumed, "{named}");
    }
}
