//! `source = "http"` and servers that are none of ours, or not as they should be.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use raincheck_tests::config::quoted;
use raincheck_tests::deadline::{until, within};
use raincheck_tests::edge::Edge;
use raincheck_tests::foreign::{Foreign, Says};
use raincheck_tests::key_file::Key;
use raincheck_tests::keys::{Config, Server};
use raincheck_tests::pki::Authority;
use raincheck_tests::site::Site;
use raincheck_tests::upstream::Upstream;

#[test]
fn an_answer_that_is_no_keys_changes_nothing_and_is_told_once() {
    let site = Site::new();
    let app = Upstream::http();
    let keys = [(); 4].map(|()| Key::random());
    let half = format!("{}\n{}", keys[1].line(), &keys[2].line()[..40]);
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 500\r\n\r\n{}\n", keys[1].line());
    let page = "<!doctype html><title>Sign in</title>";
    let cases = [
        (Says::answer("200 OK", "text/html; charset=utf-8", page), "answers with a web page; check the URL"),
        (Says::answer("200 OK", "text/plain", page), "line 1: not base64;"),
        (Says::answer("404 Not Found", "text/plain", "no"), "answers with status 404; check the URL's path"),
        (Says::answer("403 Forbidden", "text/plain", "no"), "answers with status 403; let this node in there"),
        (Says::answer("302 Found", "text/plain", ""), "answers with status 302; redirects are not followed"),
        (Says::Endless, "its answer is larger than"),
        (Says::answer("200 OK", "text/plain", &half), "line 2: 30 bytes;"),
        (Says::Bytes(cut.into_bytes()), "the connection ended in the middle:"),
        (Says::answer("200 OK", "text/plain", ""), "no key in it;"),
        (Says::answer("200 OK", "application/vnd.raincheck.ring", "\u{1}"), "gives a ring that is cut short"),
        (Says::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), "it does not speak HTTP/1.1:"),
        (lines_of(&[&keys[2], &keys[0], &keys[1]]), "which has retired; check that it is not a cache or a backup"),
    ];
    // Each waits for pauses between questions, so some are asked beside one another.
    std::thread::scope(|scope| {
        for cases in cases.chunks(3) {
            scope.spawn(|| says_in_turn(&site, &app, &keys, cases));
        }
    });
}

fn says_in_turn(site: &Site, app: &Upstream, keys: &[Key; 4], cases: &[(Says, &str)]) {
    let foreign = Foreign::start(lines(&keys[..3]));
    let edge = edge(site, app, &foreign);
    let held = [&keys[2], &keys[1], &keys[0]].map(Key::name);
    until("its keys", || (names(&edge) == held).then_some(()));
    for (says, expected) in cases {
        let from = edge.log().len();
        foreign.say(says.clone());
        edge.expect_log(from, expected);
        until("it has asked again", || (foreign.asked() >= 3).then_some(()));
        let log = edge.log()[from..].to_owned();
        assert_eq!(log.matches(expected).count(), 1, "{says:?}: {log}");
        assert!(log.contains(foreign.url().trim_end_matches("/keys")), "{log}");
        assert_eq!(names(&edge), held, "{says:?}");
        assert_eq!(edge.status()["keys"]["standing"], "supplied", "{says:?}");
        // Well again, and the next complaint is a new one.
        foreign.say(lines(&keys[..3]));
        until("it is asked when it is well", || (foreign.asked() >= 2).then_some(()));
    }
    foreign.say(lines(keys));
    until("its new key", || (names(&edge)[0] == keys[3].name()).then_some(()));
}

#[test]
#[ignore = "waits for most of a minute"]
fn a_server_that_says_nothing_is_given_up() {
    let site = Site::new();
    let app = Upstream::http();
    let keys = [(); 3].map(|()| Key::random());
    let foreign = Foreign::start(lines(&keys));
    let edge = edge(&site, &app, &foreign);
    foreign.say(Says::Silence);
    let told = within(Duration::from_secs(90), || edge.log().contains("no whole answer within 40s").then_some(()));
    assert!(told.is_some(), "{}", edge.log());
    assert_eq!(edge.status()["keys"]["standing"], "supplied");
}

#[test]
fn a_server_of_another_authority_is_not_believed() {
    let site = Site::new();
    let app = Upstream::http();
    let server = Server::start(&site.scratch, Config::new(&site.authority));
    let other = Authority::new(&site.scratch, "other");
    let identity = site.authority.client("a");
    let config = site.web(app.address()).key_servers(&[server.config().url()], "a", &other.file(), &identity);
    let edge = Edge::start(&site.scratch, config);
    edge.expect_log(0, "its certificate is from no CA that is trusted here; name the PEM file with its CA as `ca`");
    assert_eq!(edge.status()["keys"]["standing"], "alone");
    until("the server counts it", || {
        (server.sum("raincheck_requests_refused_total", &[("reason", "tls")]) >= 1.0).then_some(())
    });
    assert_eq!(server.sum("raincheck_nodes", &[]), 0.0);
}

fn edge(site: &Site, app: &Upstream, foreign: &Foreign) -> Edge {
    let identity = site.authority.client("a");
    let config = site.web(app.address()).key_servers(&[foreign.url()], "a", &site.authority.file(), &identity);
    Edge::start(&site.scratch, config.key_server("every", quoted("200ms")))
}

fn lines(keys: &[Key]) -> Says {
    lines_of(&keys.iter().collect::<Vec<_>>())
}

fn lines_of(keys: &[&Key]) -> Says {
    let lines: String = keys.iter().map(|key| key.line() + "\n").collect();
    Says::answer("200 OK", "text/plain", &lines)
}

/// Newest first.
fn names(edge: &Edge) -> Vec<String> {
    let status = edge.status();
    let ring = status["keys"]["ring"].as_array().expect("a ring").iter();
    ring.map(|key| key["name"].as_str().expect("a name").to_owned()).collect()
}
