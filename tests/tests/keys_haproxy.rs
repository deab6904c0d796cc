//! `GET /ticket-keys` feeds HAProxy nodes that are there already, as HAProxy's documentation does it: by a shell loop.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::{Child, Command, Stdio};

use raincheck_tests::backend::haproxy::Haproxy;
use raincheck_tests::backend::{Backend, Resumption};
use raincheck_tests::client::{Version, openssl};
use raincheck_tests::config::quoted;
use raincheck_tests::deadline::until;
use raincheck_tests::edge::ask_stats;
use raincheck_tests::key_file::KeyFile;
use raincheck_tests::keys::{Config, Server, curl};
use raincheck_tests::program;
use raincheck_tests::require;
use raincheck_tests::scratch::Scratch;
use raincheck_tests::site::Site;

#[test]
fn two_haproxys_that_are_pushed_each_new_line_open_one_anothers_tickets() {
    require!("haproxy", "curl", "socat", "openssl");
    let site = Site::new();
    let config = Config::new(&site.authority)
        .keys("rotate", quoted("1s"))
        .keys("accept", quoted("30s"))
        .ticket_keys("rotate", quoted("4s"))
        .ticket_keys("allow", "[\"127.0.0.0/8\"]");
    let server = Server::start(&site.scratch, config);
    let [one, other] = ["one", "other"].map(|name| Fed::start(&site, &server, name));
    let visit = |fed: &Fed| site.visit(fed.haproxy.address(), Version::Tls12);
    let session = |name: &str| site.scratch.join(&format!("{name}.session"));
    // Under the key that sealed in the first file, however few keys the ring had.
    openssl::Connection::new(&visit(&one)).keeping(&session("first")).seen();
    assert!(openssl::Connection::new(&visit(&other)).offering(&session("first")).seen().resumed);
    for rotation in 0..4 {
        let before = one.file();
        openssl::Connection::new(&visit(&one)).keeping(&session("before")).seen();
        until("a rotation at both", || {
            let now = one.file();
            (now != before && now == other.file() && one.holds(&now) && other.holds(&now)).then_some(())
        });
        for (from, to) in [(&one, &other), (&other, &one)] {
            openssl::Connection::new(&visit(from)).keeping(&session("fresh")).seen();
            let seen = openssl::Connection::new(&visit(to)).offering(&session("fresh")).seen();
            assert!(seen.resumed, "a fresh one, rotation {rotation}");
        }
        let seen = openssl::Connection::new(&visit(&other)).offering(&session("before")).seen();
        assert!(seen.resumed, "from before rotation {rotation}");
    }
    // One that restarts begins with the file, which is what the other was pushed.
    let restarted = Fed::start(&site, &server, "restarted");
    openssl::Connection::new(&visit(&one)).keeping(&session("one")).seen();
    assert!(openssl::Connection::new(&visit(&restarted)).offering(&session("one")).seen().resumed);
}

/// A HAProxy, and the loop that feeds it.
struct Fed {
    haproxy: Haproxy,
    file: KeyFile,
    feeder: Child,
}

impl Fed {
    fn start(site: &Site, server: &Server, name: &str) -> Self {
        let url = format!("https://{}/ticket-keys", server.config().polled());
        let file = KeyFile::new(&site.scratch, name, &[]);
        let lines = program::run(curl(&site.authority, None).arg(&url), b"").succeeded().stdout;
        fs::write(file.path(), lines).unwrap();
        let haproxy = Haproxy::start_with_keys(&site.scratch, &site.certificate, Resumption::Tickets, &file);
        let feeder = feed(&site.scratch, &site.authority.file().display().to_string(), &url, &file, &haproxy);
        Self { haproxy, file, feeder }
    }

    /// What it has been pushed.
    fn file(&self) -> String {
        fs::read_to_string(self.file.path()).unwrap()
    }

    /// Whether its keys are these lines. HAProxy shows them in base64, in an order of its own.
    fn holds(&self, lines: &str) -> bool {
        let shown = ask_stats(self.haproxy.stats_socket(), &format!("show tls-keys {}", self.file.path().display()));
        lines.lines().all(|line| shown.contains(line))
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        let _ = self.feeder.kill();
        let _ = self.feeder.wait();
    }
}

/// Asks again and again, and pushes the last line when it is another one.
fn feed(scratch: &Scratch, ca: &str, url: &str, file: &KeyFile, haproxy: &Haproxy) -> Child {
    let script = r#"
        while sleep 0.1; do
            curl --silent --fail --cacert "$1" --etag-compare "$3.etag" --etag-save "$3.etag" --output "$3.new" "$2" || continue
            [ -s "$3.new" ] || continue
            if [ "$(tail -n 1 "$3.new")" != "$(tail -n 1 "$3")" ]; then
                echo "set ssl tls-key $3 $(tail -n 1 "$3.new")" | socat stdio "unix-connect:$4" >/dev/null && mv "$3.new" "$3"
            fi
        done
    "#;
    let said = fs::File::options().create(true).append(true).open(scratch.join("feeder.said")).unwrap();
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).arg("feed").args([ca, url]).arg(file.path()).arg(haproxy.stats_socket());
    command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap()
}
