//! Who gets a ring or ticket keys from a server of keys, and who does not.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use raincheck_tests::config::quoted;
use raincheck_tests::deadline::until;
use raincheck_tests::keys::{Config, Server, curl, tell};
use raincheck_tests::pki::{Authority, Identity};
use raincheck_tests::program::{self, Finished};
use raincheck_tests::require;
use raincheck_tests::site::Site;

const REFUSED: &str = "raincheck_requests_refused_total";

#[test]
fn only_a_node_with_a_certificate_and_a_name_gets_the_ring() {
    require!("curl");
    let site = Site::new();
    let server = Server::start(&site.scratch, Config::new(&site.authority));
    let url = server.config().url();
    let other = Authority::new(&site.scratch, "other");
    let good = site.authority.client("a");
    let ask = |identity: Option<&Identity>, more: &[&str]| {
        run(curl(&site.authority, identity).args(["--header", "Raincheck-Node: a"]).args(more).arg(&url))
    };
    for identity in [None, Some(&other.client("a"))] {
        let refused = ask(identity, &[]);
        assert!(refused.status != Some(0) && refused.stdout.is_empty(), "{refused:?}");
    }
    assert!(!tell(server.config().listen(), "GET /ring HTTP/1.1\r\nHost: a\r\n\r\n").contains("HTTP/1.1 200"));
    for (reason, text) in [
        ("no-certificate", "it shows no certificate;"),
        ("certificate", "its certificate is not good here;"),
        ("not-tls", "it does not speak TLS;"),
    ] {
        until(reason, || (server.sum(REFUSED, &[("reason", reason)]) == 1.0).then_some(()));
        server.expect_log(text);
    }

    let file = site.scratch.join("ring");
    ask(Some(&good), &["--include", "--output", file.to_str().unwrap()]).succeeded();
    let whole = std::fs::read(&file).unwrap();
    let end = whole.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(whole[..end].to_vec()).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("etag: \"1.2\""), "{head}");
    assert!(head.contains("content-type: application/vnd.raincheck.ring") && head.contains("cache-control: no-store"));
    assert_eq!(whole[end + 4], 1, "the format");

    let status = ["--output", "/dev/null", "--write-out", "%{http_code}"];
    for (more, expected) in [
        (&["--header", "If-None-Match: \"1.2\""][..], "304"),
        (&["--header", "If-None-Match: \"1.1\""], "200"),
        (&["--header", "If-None-Match: \"1.2\"", "--header", "Prefer: wait=1"], "304"),
        (&["--head"], "200"),
        (&["--request", "POST"], "405"),
        (&["--header", "Raincheck-Holds: many"], "400"),
    ] {
        assert_eq!(ask(Some(&good), &[&status[..], more].concat()).stdout, expected, "{more:?}");
    }
    let elsewhere = url.replace("/ring", "/ticket-keys");
    assert_eq!(run(curl(&site.authority, Some(&good)).args(status).arg(elsewhere)).stdout, "404");
    let nameless = run(curl(&site.authority, Some(&good)).arg(&url));
    assert_eq!(nameless.stdout, "a node says who it is in Raincheck-Node\n");
    let ill_named = run(curl(&site.authority, Some(&good)).args(["--header", "Raincheck-Node: a b"]).arg(&url));
    assert!(ill_named.stdout.starts_with("Raincheck-Node: not a node's name, which is 1 to 64"), "{ill_named:?}");
    assert_eq!(server.sum(REFUSED, &[("reason", "node")]), 3.0);
}

#[test]
fn whoever_is_silent_keeps_nobody_from_asking() {
    require!("curl");
    let site = Site::new();
    let config = Config::new(&site.authority).ticket_keys("allow", "[\"127.0.0.0/8\"]");
    let server = Server::start(&site.scratch, config);
    let open = |address| -> Vec<TcpStream> { (0..400).map(|_| TcpStream::connect(address).unwrap()).collect() };
    let silent = [open(server.config().listen()), open(server.config().polled())];
    let good = site.authority.client("a");
    for (url, more) in [(server.config().url(), "Raincheck-Node: a"), (lines_url(&server), "X-A: b")] {
        run(curl(&site.authority, Some(&good)).args(["--output", "/dev/null", "--header", more]).arg(url)).succeeded();
    }
    // The oldest have made room.
    let mut first = &silent[0][0];
    first.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(first.read(&mut [0]).unwrap(), 0);
}

#[test]
fn lines_for_haproxy_are_three_and_are_given_once() {
    require!("curl");
    let site = Site::new();
    let config = Config::new(&site.authority).ticket_keys("allow", "[\"127.0.0.0/8\"]");
    let server = Server::start(&site.scratch, config);
    let url = lines_url(&server);
    let ask = |more: &[&str]| run(curl(&site.authority, None).arg("--include").args(more).arg(&url)).succeeded().stdout;
    let first = ask(&[]);
    let (head, body) = first.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("cache-control: no-store"), "{head}");
    let keys: Vec<Vec<u8>> = body.lines().map(|line| STANDARD.decode(line).unwrap()).collect();
    assert_eq!(keys.iter().map(Vec::len).collect::<Vec<_>>(), [80; 3]);
    // Not the ring's own.
    let status = server.admin("/status.json").body;
    for key in &keys {
        let name: String = key[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!status.contains(&name), "{name}: {status}");
    }
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let (tag, modified) = (field("etag:"), field("last-modified:"));
    for header in [format!("If-None-Match: {tag}"), format!("If-Modified-Since: {modified}")] {
        let again = ask(&["--header", &header]);
        assert!(again.starts_with("HTTP/1.1 304 ") && !again.contains(&body[..40]), "{again}");
    }
    let condition = ["--time-cond", &modified, "--write-out", "%{http_code}"];
    assert_eq!(run(curl(&site.authority, None).args(condition).arg(&url)).stdout, "304");
    assert!(ask(&["--header", "If-None-Match: \"a\""]).starts_with("HTTP/1.1 200 "));
    assert!(ask(&["--head"]).starts_with("HTTP/1.1 200 "));
    assert!(ask(&["--request", "DELETE"]).starts_with("HTTP/1.1 405 "));
    assert_eq!(server.sum("raincheck_ticket_keys_polls_total", &[("result", "unchanged")]), 3.0);
}

#[test]
fn lines_are_for_addresses_that_are_allowed_and_for_certificates() {
    require!("curl");
    let site = Site::new();
    let pollers = Authority::new(&site.scratch, "pollers");
    let config = Config::new(&site.authority)
        .ticket_keys("allow", "[\"10.0.0.0/8\", \"2001:db8::/32\"]")
        .ticket_keys("bits", 128)
        .ticket_keys("client-ca", quoted(pollers.file().display()));
    let server = Server::start(&site.scratch, config);
    let ask = |identity: Option<&Identity>| {
        run(curl(&site.authority, identity).args(["--write-out", "%{http_code}"]).arg(lines_url(&server)))
    };
    let stranger = ask(None);
    assert!(stranger.stdout.starts_with("not admitted; show a certificate") && stranger.stdout.ends_with("403"));
    let lines = ask(Some(&pollers.client("haproxy"))).succeeded().stdout;
    let lengths: Vec<_> = lines.lines().take(3).map(|line| STANDARD.decode(line).unwrap().len()).collect();
    assert_eq!((lengths, lines.ends_with("\n200")), (vec![48; 3], true), "{lines}");
    // One that nodes have is none here.
    assert_ne!(ask(Some(&site.authority.client("a"))).status, Some(0));
    for (reason, count) in [("address", 1.0), ("certificate", 1.0), ("no-certificate", 0.0)] {
        until(reason, || (server.sum(REFUSED, &[("reason", reason)]) == count).then_some(()));
    }
    server.expect_log("its address is not in allow, and it shows no certificate");
}

#[test]
fn without_tls_lines_are_for_this_machine_alone() {
    let site = Site::new();
    let server = Server::start(&site.scratch, Config::new(&site.authority).ticket_keys("plain", true));
    let answer = tell(server.config().polled(), "GET /ticket-keys HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.lines().count() > 6, "{answer}");
}

fn lines_url(server: &Server) -> String {
    format!("https://{}/ticket-keys", server.config().polled())
}

fn run(command: &mut Command) -> Finished {
    program::run(command, b"")
}
