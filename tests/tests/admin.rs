//! It can be asked: admin page, stats socket, access log; and none of them tells a key.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use raincheck_tests::client::{Version, openssl};
use raincheck_tests::config::quoted;
use raincheck_tests::deadline::until;
use raincheck_tests::edge::{Edge, ask_admin};
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::program;
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

const BOTH: [Version; 2] = [Version::Tls12, Version::Tls13];

struct Ground {
    edge: Edge,
    keys: Vec<Key>,
    _app: Upstream,
    // The last to go: the edge writes in its directory.
    site: Site,
}

impl Ground {
    fn new() -> Self {
        let site = Site::new();
        let app = Upstream::http();
        let keys: Vec<Key> = (0..3).map(|_| Key::random()).collect();
        let file = KeyFile::new(&site.scratch, "keys", &keys.iter().collect::<Vec<_>>());
        let edge = Edge::start(&site.scratch, site.web(app.address()).key_file(file.path()));
        Self { edge, keys, _app: app, site }
    }

    /// A full handshake and a resumed one in each version.
    fn visits(&self) {
        for version in BOTH {
            let raw = self.site.raw(version);
            for resumed in [false, true] {
                assert_eq!(raw.visit(self.edge.address("web"), NAME).resumed, resumed);
            }
        }
    }

    /// Everything it ever says.
    fn all_it_says(&self) -> String {
        let pages =
            ["/metrics", "/status", "/status.json", "/healthz", "/readyz", "/"].map(|path| self.edge.admin(path).body);
        let commands = ["show info", "show stat", "show tls-keys", "show tls-keys *", "show tls-keys #0", "help"];
        let answers = commands.map(|command| self.edge.stats(command));
        [pages.join("\n"), answers.join("\n"), self.edge.log(), self.edge.access_log()].join("\n")
    }
}

#[test]
fn health_and_readiness() {
    let ground = Ground::new();
    assert_eq!(ground.edge.admin("/healthz").status, 200);
    assert_eq!(ground.edge.admin("/readyz").status, 200);
    assert_eq!(ground.edge.admin("/nothing-here").status, 404);
    assert!(ground.edge.status().is_object());
}

#[test]
fn the_promised_metrics_are_there() {
    let ground = Ground::new();
    ground.visits();
    let edge = &ground.edge;
    let count = |labels: &[(&str, &str)]| edge.expect_handshakes(labels, 1.0);
    count(&[("listener", "web"), ("version", "TLSv1.2"), ("kind", "full"), ("reason", "not-offered")]);
    count(&[("listener", "web"), ("version", "TLSv1.2"), ("kind", "ticket"), ("reason", "")]);
    count(&[("listener", "web"), ("version", "TLSv1.3"), ("kind", "full"), ("reason", "not-offered")]);
    count(&[("listener", "web"), ("version", "TLSv1.3"), ("kind", "psk"), ("reason", "")]);
    for (state, keys) in [("next", 1.0), ("issuing", 1.0), ("retiring", 1.0)] {
        edge.expect_sum("raincheck_ticket_keys", &[("state", state)], keys);
    }
    edge.expect_sum(
        "raincheck_tickets_opened_total",
        &[("key_name", &ground.keys[1].name()), ("state", "issuing")],
        2.0,
    );
    edge.expect_sum("raincheck_tickets_opened_total", &[], 2.0);
    edge.expect_sum("raincheck_ticket_age_seconds_count", &[], 2.0);
    edge.expect_sum("raincheck_handshake_seconds_count", &[("kind", "full")], 2.0);
    edge.expect_sum("raincheck_handshake_seconds_count", &[], 4.0);
    edge.expect_sum("raincheck_connections_closed_total", &[("side", "client"), ("how", "clean")], 4.0);
    let metrics = edge.metrics();
    for process in
        ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"]
    {
        assert!(metrics.sum(process, &[]) > 0.0, "{process}");
    }
}

#[test]
fn a_strangers_key_name_is_no_label_and_is_told_elsewhere() {
    require!("openssl");
    let (ours, theirs) = (Ground::new(), Ground::new());
    let foreign = theirs.keys[1].name();
    for version in BOTH {
        let session = ours.site.scratch.join("session.pem");
        let at = |ground: &Ground| ground.site.visit(ground.edge.address("web"), version);
        openssl::Connection::new(&at(&theirs)).keeping(&session).seen();
        let seen = openssl::Connection::new(&at(&ours)).offering(&session).seen();
        assert!(!seen.resumed);
    }
    ours.edge.expect_handshakes(&[("reason", "unknown-key")], 2.0);
    let metrics = ours.edge.metrics();
    assert!(!metrics.label_values().any(|value| value.contains(&foreign)), "{metrics}");
    assert!(ours.edge.status().to_string().contains(&foreign), "{}", ours.edge.status());
    until("the log names it", || [ours.edge.log(), ours.edge.access_log()].concat().contains(&foreign).then_some(()));
}

#[test]
fn the_stats_socket_answers_in_haproxys_form() {
    let ground = Ground::new();
    ground.visits();
    let info = ground.edge.stats("show info");
    let value = |name: &str| -> f64 {
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in: {info}"))
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{name}: {info}"))
    };
    for name in [
        "SslFrontendKeyRate",
        "SslFrontendMaxKeyRate",
        "SslBackendKeyRate",
        "SslFrontendSessionReuse_pct",
        "SslCacheLookups",
    ] {
        assert!(value(name) >= 0.0);
    }
    for name in ["SslRate", "SslCacheMisses", "Uptime_sec", "CurrConns"] {
        assert!(value(name) >= 0.0);
    }
    assert_eq!(value("Pid"), f64::from(ground.edge.pid()));
    let stat = ground.edge.stats("show stat");
    let header = stat.lines().next().unwrap();
    assert!(header.starts_with("# pxname,svname,"), "{stat}");
    let row =
        stat.lines().find(|line| line.starts_with("web,FRONTEND,")).unwrap_or_else(|| panic!("no row of web: {stat}"));
    let columns: Vec<(&str, &str)> = header.trim_start_matches("# ").split(',').zip(row.split(',')).collect();
    let column =
        |name: &str| columns.iter().find(|(key, _)| *key == name).unwrap_or_else(|| panic!("no {name}: {stat}")).1;
    assert_eq!((column("stot"), column("ssl_sess"), column("ssl_reused_sess")), ("4", "4", "2"));
    assert!(ground.edge.stats("no such command").to_lowercase().contains("unknown command"));
}

#[test]
fn socat_works() {
    require!("socat");
    let ground = Ground::new();
    let config = ground.site.scratch.path();
    let socket = std::fs::read_dir(config)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "sock"))
        .unwrap();
    let target = format!("UNIX-CONNECT:{}", socket.display());
    let finished = program::run(Command::new("socat").args(["-", &target]), b"show info\n").succeeded();
    assert!(finished.stdout.contains("SslFrontendKeyRate: "), "{}", finished.output());
}

#[test]
fn show_tls_keys_tells_names_and_no_secret() {
    let ground = Ground::new();
    for command in ["show tls-keys", "show tls-keys *"] {
        let answer = ground.edge.stats(command);
        for key in &ground.keys {
            if command.ends_with('*') {
                assert!(answer.contains(&key.name()), "{command}: {answer}");
            }
            key.secrets().iter().for_each(|secret| assert!(!answer.contains(secret), "{command}: {answer}"));
        }
    }
}

#[test]
fn a_pushed_key_becomes_next_and_the_old_next_issues() {
    let ground = Ground::new();
    ground.visits();
    let [_, issuing, next] = &ground.keys[..] else { unreachable!() };
    let pushed = Key::random();
    let raws = BOTH.map(|version| ground.site.raw(version));
    raws.iter().for_each(|raw| assert!(!raw.visit(ground.edge.address("web"), NAME).resumed));
    let id = file_id(&ground.edge);
    let answer = ground.edge.stats(&format!("set ssl tls-key {id} {}", pushed.line()));
    assert!(answer.contains("TLS ticket key updated!"), "{answer}");
    ground.edge.expect_sum("raincheck_ticket_keys", &[("state", "retiring")], 2.0);
    // What the old issuing key sealed still opens, and new tickets are under the old next.
    raws.iter().for_each(|raw| assert!(raw.visit(ground.edge.address("web"), NAME).resumed));
    let opened = |key: &Key, state: &str, count: f64| {
        ground.edge.expect_sum("raincheck_tickets_opened_total", &[("key_name", &key.name()), ("state", state)], count);
    };
    opened(issuing, "retiring", 2.0);
    ground.visits();
    opened(next, "issuing", 2.0);
    assert!(ground.edge.stats("show tls-keys *").contains(&pushed.name()));
    pushed.secrets().iter().for_each(|secret| assert!(!ground.all_it_says().contains(secret)));
}

#[test]
fn a_bad_pushed_key_is_refused_and_changes_nothing() {
    let ground = Ground::new();
    let id = file_id(&ground.edge);
    let before = ground.edge.stats("show tls-keys *");
    let names = |text: &str| -> Vec<bool> { ground.keys.iter().map(|key| text.contains(&key.name())).collect() };
    for bad in [
        STANDARD.encode([1; 40]),
        STANDARD.encode([0; 80]),
        "not base64".to_owned(),
        String::new(),
        ground.keys[0].line(),
    ] {
        let answer = ground.edge.stats(&format!("set ssl tls-key {id} {bad}"));
        assert!(!answer.contains("updated"), "{bad}: {answer}");
        assert!(!answer.trim().is_empty(), "{bad}: no answer");
    }
    assert_eq!(names(&ground.edge.stats("show tls-keys *")), names(&before));
    ground.edge.expect_sum("raincheck_ticket_keys", &[], 3.0);
}

/// The ID of the keys, as `show tls-keys` lists it: `# id (file)`, then `0 (...)`.
fn file_id(edge: &Edge) -> String {
    let answer = edge.stats("show tls-keys");
    let line = answer.lines().find(|line| !line.starts_with('#') && !line.is_empty());
    line.and_then(|line| line.split_whitespace().next()).unwrap_or_else(|| panic!("no ID in: {answer}")).to_owned()
}

#[test]
fn no_key_is_ever_told() {
    let ground = Ground::new();
    ground.visits();
    ground.edge.hang_up();
    until("the access log is there", || (ground.edge.access_log().lines().count() >= 4).then_some(()));
    let said = ground.all_it_says();
    for key in &ground.keys {
        key.secrets()
            .iter()
            .for_each(|secret| assert!(!said.contains(secret), "a secret of {} in: {said}", key.name()));
    }
}

#[test]
fn the_access_log_has_a_line_for_each_connection() {
    let ground = Ground::new();
    ground.visits();
    let log = until("four lines", || {
        let log = ground.edge.access_log();
        (log.lines().count() >= 4).then_some(log)
    });
    assert_eq!(log.lines().count(), 4, "{log}");
    let with = |word: &str| log.lines().filter(|line| line.contains(word)).count();
    assert_eq!(
        (with("TLSv1.2"), with("TLSv1.3"), with("psk"), with("app.test"), with("web")),
        (2, 2, 1, 4, 4),
        "{log}"
    );
}

#[test]
fn the_access_log_can_be_turned_off() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = Edge::start(&site.scratch, site.web(app.address()).edge("access-log", quoted("off")));
    site.raw(Version::Tls13).visit(edge.address("web"), NAME);
    // The close is counted when the line would have been written.
    edge.expect_sum("raincheck_connections_closed_total", &[("side", "client")], 1.0);
    assert_eq!(edge.access_log(), "");
}

#[test]
fn neither_is_on_unless_asked_for() {
    let site = Site::new();
    let app = Upstream::http();
    let config = site.web(app.address());
    let text: String = config
        .text()
        .lines()
        .filter(|line| !line.starts_with("admin") && !line.starts_with("stats-socket"))
        .map(|line| format!("{line}\n"))
        .collect();
    let file = site.scratch.write("quiet.toml", text);
    let mut child = program::spawn(raincheck_tests::edge::raincheck().args(["edge", "-c"]).arg(file));
    until("it serves", || site.raw(Version::Tls13).try_connect(config.address("web"), NAME).ok());
    assert!(ask_admin(config.admin(), "/readyz").is_none());
    assert!(!config.stats_socket().exists());
    child.kill().unwrap();
    child.wait().unwrap();
}
