//! `raincheck edge` and nothing else, and with flags alone. The ports are fixed: each test has a network of its own.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Child, Command};

use raincheck_tests::deadline::until;
use raincheck_tests::edge::raincheck;
use raincheck_tests::namespace::Namespace;
use raincheck_tests::program;
use raincheck_tests::scratch::Scratch;
use raincheck_tests::site::Site;
use raincheck_tests::upstream::Upstream;
use raincheck_tests::{require, require_root};
use serde_json::Value;

/// An edge without arguments in a network of its own.
struct Alone {
    namespace: Namespace,
    child: Child,
}

impl Alone {
    fn start() -> Self {
        Self::start_in(Namespace::new(), &[])
    }

    fn start_in(namespace: Namespace, arguments: &[&str]) -> Self {
        let binary = raincheck().get_program().to_owned();
        let child = program::spawn(namespace.command(binary).arg("edge").args(arguments));
        let mut alone = Self { namespace, child };
        until("it is ready", || {
            assert!(alone.child.try_wait().unwrap().is_none(), "the edge ended");
            (alone.curl(&["--fail", "http://127.0.0.1:9900/readyz"]).status == Some(0)).then_some(())
        });
        alone
    }

    fn curl(&self, arguments: &[&str]) -> program::Finished {
        program::run(
            self.namespace.command("curl").args(["--silent", "--show-error", "--insecure"]).args(arguments),
            b"",
        )
    }

    /// What the built-in upstream answered to `openssl s_client`.
    fn openssl(&self, arguments: &[&str], session: &[&Path]) -> Value {
        let mut command = self.namespace.command("openssl");
        command.args(["s_client", "-quiet", "-connect", "127.0.0.1:8443", "-servername", "localhost"]).args(arguments);
        for (flag, path) in ["-sess_out", "-sess_in"].iter().zip(session) {
            command.arg(flag).arg(path);
        }
        let finished = program::run(&mut command, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let (_, body) = finished.stdout.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{}", finished.output()));
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_tells_how_each_connection_was_resumed() {
    require_root!();
    require!("openssl", "curl", "ip", "nsenter", "unshare");
    let alone = Alone::start();
    let scratch = Scratch::new();
    for (arguments, version, kind) in [
        (&["-tls1_3"][..], "TLSv1.3", "psk"),
        (&["-tls1_2"][..], "TLSv1.2", "ticket"),
        (&["-tls1_2", "-no_ticket"][..], "TLSv1.2", "session-id"),
    ] {
        let session = scratch.join("session.pem");
        let full = alone.openssl(arguments, &[&session]);
        let null = Value::Null;
        let expected = [&version.into(), &"full".into(), &null, &null, &"not-offered".into()];
        assert_eq!(["version", "kind", "key_name", "age", "reason"].map(|key| full.get(key).expect(key)), expected);
        let resumed = alone.openssl(arguments, &[&session, &session]);
        assert_eq!((&resumed["version"], &resumed["kind"]), (&version.into(), &kind.into()), "{resumed}");
        assert_eq!(resumed["reason"], Value::Null, "{resumed}");
        assert!(resumed["age"].as_f64().is_some_and(|age| (0.0..60.0).contains(&age)), "{resumed}");
        let name = resumed["key_name"].as_str();
        let is_name = |name: &str| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(if kind == "session-id" { name.is_none() } else { name.is_some_and(is_name) }, "{resumed}");
    }
}

#[test]
fn it_tells_why_a_ticket_was_refused() {
    require_root!();
    require!("openssl", "curl", "ip", "nsenter", "unshare");
    let scratch = Scratch::new();
    let session = scratch.join("session.pem");
    let first = Alone::start();
    first.openssl(&["-tls1_2"], &[&session]);
    let name = first.openssl(&["-tls1_2"], &[&session, &session])["key_name"].clone();
    drop(first);
    // Another ring: nobody kept the key.
    let refused = Alone::start().openssl(&["-tls1_2"], &[&session, &session]);
    assert_eq!(
        (&refused["kind"], &refused["reason"], &refused["key_name"]),
        (&"full".into(), &"unknown-key".into(), &name)
    );
}

#[test]
fn curl_gets_an_answer_to_each_request() {
    require_root!();
    require!("curl", "ip", "nsenter", "unshare");
    let alone = Alone::start();
    let finished =
        alone.curl(&["https://127.0.0.1:8443/one", "https://localhost:8443/two", "--data", "x=1"]).succeeded();
    assert_eq!(finished.stdout.matches("\"kind\"").count(), 2, "{}", finished.output());
    let admin = alone.curl(&["http://127.0.0.1:9900/metrics"]).succeeded();
    assert!(admin.stdout.contains("raincheck_handshakes_total"));
}

#[test]
fn a_second_one_is_refused() {
    require_root!();
    require!("curl", "ip", "nsenter", "unshare");
    let alone = Alone::start();
    let second = program::run(alone.namespace.command(raincheck().get_program()).arg("edge"), b"");
    assert!(matches!(second.status, Some(1 | 2)), "{}", second.output());
    assert!(
        second.stderr.contains("127.0.0.1:8443") || second.stderr.contains("127.0.0.1:9900"),
        "{}",
        second.output()
    );
    assert!(alone.curl(&["https://127.0.0.1:8443/"]).stdout.contains("\"kind\""));
}

#[test]
fn flags_put_it_in_front_of_a_service() {
    use raincheck_tests::address;
    use raincheck_tests::client::Version;
    use raincheck_tests::edge::{Edge, ask_stats};
    use raincheck_tests::key_file::{Key, KeyFile};
    // Addresses are given here, so this one needs no network of its own.
    let site = Site::new();
    let app = Upstream::http();
    let keys = KeyFile::new(&site.scratch, "keys", &[&Key::random(), &Key::random(), &Key::random()]);
    let (one, two, admin) = (address::unused(), address::unused(), address::unused());
    let socket = site.scratch.join("flags.sock");
    let arguments = [
        "--listen".to_owned(),
        one.to_string(),
        "--listen".to_owned(),
        two.to_string(),
        "--to".to_owned(),
        app.address().to_string(),
        "--cert".to_owned(),
        site.certificate.chain.display().to_string(),
        "--key".to_owned(),
        site.certificate.key.display().to_string(),
        "--ticket-keys".to_owned(),
        keys.path().display().to_string(),
        "--admin".to_owned(),
        admin.to_string(),
        "--stats-socket".to_owned(),
        socket.display().to_string(),
        "--workers".to_owned(),
        "1".to_owned(),
    ];
    let edge = Edge::spawn(&site.scratch, &arguments, admin);
    for version in [Version::Tls12, Version::Tls13] {
        let raw = site.raw(version);
        assert!(!raw.visit(one, "app.test").resumed);
        assert!(raw.visit(two, "app.test").resumed);
    }
    assert!(ask_stats(&socket, "show info").contains("Pid: "));
    drop(edge);
    let usage = program::run(
        raincheck().args(["edge", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", "--cert", "only-half.pem"]),
        b"",
    );
    assert_eq!(usage.status, Some(2), "{}", usage.output());
    assert!(usage.stderr.contains("--key"), "{}", usage.output());
    let help = program::run(Command::new(raincheck().get_program()).args(["edge", "--help"]), b"").succeeded();
    for flag in ["--listen", "--to", "--cert", "--key", "--ticket-keys", "--admin", "--stats-socket", "--workers"] {
        assert!(help.stdout.contains(flag), "{flag}");
    }
}
