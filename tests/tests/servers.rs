//! Servers can be asked about, and told: the stats socket, the metrics and the status of what stands behind an edge.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use raincheck_tests::address;
use raincheck_tests::backend::nginx::Nginx;
use raincheck_tests::backend::openssl::OpenSsl;
use raincheck_tests::backend::{Backend, Resumption};
use raincheck_tests::client::Version;
use raincheck_tests::config::{self, Config, Listener, quoted};
use raincheck_tests::deadline::until;
use raincheck_tests::edge::Edge;
use raincheck_tests::raw::{Connection, Raw};
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::upstream::Upstream;

/// Two servers that send back what they get, behind an edge.
struct Ground {
    edge: Edge,
    servers: [Upstream; 2],
    client: Raw,
    // The last to go: the edge writes in its directory.
    _site: Site,
}

impl Ground {
    fn new() -> Self {
        let site = Site::new();
        let servers = [(); 2].map(|()| Upstream::echo());
        let upstream = config::Upstream::new("app", &servers.each_ref().map(Upstream::address));
        let edge = Edge::start(&site.scratch, site_config(&site, upstream));
        Self { edge, servers, client: site.raw(Version::Tls13), _site: site }
    }

    /// How the stats socket calls a server.
    fn name(&self, server: usize) -> String {
        named(self.servers[server].address())
    }

    /// A command that is carried out, which is answered with silence.
    fn tell(&self, command: &str) {
        assert_eq!(self.edge.stats(command), "\n", "{command}");
    }

    /// A connection that has been to its server and back.
    fn connect(&self) -> Connection {
        let mut connection = self.client.connect(self.edge.address("web"), NAME);
        echoes(&mut connection);
        connection
    }

    /// How many connections each server has had.
    fn connections(&self) -> [usize; 2] {
        self.servers.each_ref().map(|server| server.received().len())
    }

    /// Opens a connection to each server.
    fn connect_to_each(&self) -> [Connection; 2] {
        let open = [self.connect(), self.connect()];
        assert_eq!(self.connections(), [1, 1]);
        open
    }

    /// The row of a server in `show stat`.
    fn row(&self, server: usize) -> Row {
        Row::of(&self.edge, "app", &self.servers[server].address().to_string())
    }
}

/// One row of `show stat`, with the names of its columns.
struct Row {
    columns: Vec<(String, String)>,
}

impl Row {
    fn of(edge: &Edge, upstream: &str, server: &str) -> Self {
        let stat = edge.stats("show stat");
        let mut lines = stat.lines();
        let names = lines.next().unwrap().trim_start_matches("# ").split(',');
        let row = lines.find(|line| line.starts_with(&format!("{upstream},{server},")));
        let row = row.unwrap_or_else(|| panic!("no row of {server}: {stat}"));
        Self { columns: names.zip(row.split(',')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    fn column(&self, name: &str) -> &str {
        &self.columns.iter().find(|(column, _)| column == name).unwrap_or_else(|| panic!("no column {name}")).1
    }
}

/// How the columns of `show servers conn` begin.
const CONNECTIONS: &str = "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb \
                           idle_lim idle_cur idle_per_thr[";

fn site_config(site: &Site, upstream: config::Upstream) -> Config {
    Config::new(&site.scratch).listener(Listener::new("web", &site.certificate)).upstream(upstream)
}

/// An upstream over TLS that is checked ten times a second, or more often.
fn checked(servers: &[SocketAddr], kind: &str) -> config::Upstream {
    config::Upstream::new("app", servers)
        .set("tls", "{ verify = \"none\", server-name = \"app.test\" }")
        .set("check", format!("{{ kind = {}, every = \"100ms\", timeout = \"5s\" }}", quoted(kind)))
}

fn named(server: SocketAddr) -> String {
    format!("app/{server}")
}

fn echoes(connection: &mut Connection) {
    connection.write(b"ping");
    assert_eq!(connection.read(4), b"ping");
}

/// A figure of `show info`.
fn info(edge: &Edge, name: &str) -> u64 {
    let info = edge.stats("show info");
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in: {info}")).parse().unwrap()
}

/// Of a server's line in `show servers state`: its operational state, what an operator wants, its weight, and the
/// configured one.
fn state(edge: &Edge, server: SocketAddr) -> [u32; 4] {
    let answer = edge.stats("show servers state app");
    let mut lines = answer.lines();
    assert_eq!(lines.next(), Some("1"), "{answer}");
    let names: Vec<&str> = lines.next().unwrap().trim_start_matches("# ").split(' ').collect();
    let line = lines.find(|line| line.split(' ').nth(3) == Some(&server.to_string()));
    let line = line.unwrap_or_else(|| panic!("no line of {server}: {answer}"));
    let columns: Vec<&str> = line.split(' ').collect();
    assert_eq!(columns.len(), names.len(), "{answer}");
    ["srv_op_state", "srv_admin_state", "srv_uweight", "srv_iweight"]
        .map(|name| columns[names.iter().position(|column| *column == name).unwrap()].parse().unwrap())
}

#[test]
fn a_server_that_is_drained_keeps_its_connections_and_gets_no_more() {
    gets_no_more("state drain", "state ready", [2, 8, 1, 1], "DRAIN");
}

#[test]
fn a_server_of_weight_0_keeps_its_connections_and_gets_no_more() {
    gets_no_more("weight 0", "weight 100%", [2, 0, 0, 1], "no check");
}

#[test]
fn a_server_in_maintenance_keeps_its_connections_and_gets_no_more() {
    gets_no_more("state maint", "state ready", [0, 1, 1, 1], "MAINT");
}

/// After `set server` with `out` the first server gets no new connections, and after `back` it does; in between it
/// stands so in `show servers state`, and has that status.
fn gets_no_more(out: &str, back: &str, out_state: [u32; 4], status: &str) {
    let ground = Ground::new();
    let mut open = ground.connect_to_each();
    assert_eq!(state(&ground.edge, ground.servers[0].address()), [2, 0, 1, 1]);
    assert_eq!(ground.row(0).column("status"), "no check");

    ground.tell(&format!("set server {} {out}", ground.name(0)));
    let more: Vec<Connection> = (0..4).map(|_| ground.connect()).collect();
    assert_eq!(ground.connections(), [1, 5]);
    open.iter_mut().for_each(echoes);
    assert_eq!(state(&ground.edge, ground.servers[0].address()), out_state);
    assert_eq!(state(&ground.edge, ground.servers[1].address()), [2, 0, 1, 1]);
    assert_eq!(ground.row(0).column("status"), status);
    let backend = Row::of(&ground.edge, "app", "BACKEND");
    assert_eq!((backend.column("status"), backend.column("act"), backend.column("algo")), ("UP", "1", "leastconn"));
    let server = ground.servers[0].address().to_string();
    ground.edge.expect_sum("raincheck_upstream_server_weight", &[("server", &server)], 0.0);

    // It has the fewest connections, so it is the first to get more.
    ground.tell(&format!("set server {} {back}", ground.name(0)));
    drop((more, ground.connect()));
    assert_eq!(ground.connections(), [2, 5]);
    assert_eq!(state(&ground.edge, ground.servers[0].address()), [2, 0, 1, 1]);
}

#[test]
fn an_upstream_without_a_server_to_connect_to_is_down() {
    let ground = Ground::new();
    let status = || Row::of(&ground.edge, "app", "BACKEND").column("status").to_owned();
    assert_eq!(status(), "UP");
    for server in [0, 1] {
        ground.tell(&format!("disable server {}", ground.name(server)));
    }
    assert_eq!(status(), "DOWN");
    ground.tell(&format!("enable server {}", ground.name(1)));
    assert_eq!(status(), "UP");
    ground.connect();
    assert_eq!(ground.connections(), [0, 1]);
}

#[test]
fn a_server_that_is_ejected_gets_no_more_though_it_is_not_down() {
    let site = Site::new();
    let (server, nobody) = (Upstream::echo(), address::unused());
    let upstream =
        config::Upstream::new("app", &[nobody, server.address()]).set("eject-after", 1).set("eject-for", quoted("1h"));
    let edge = Edge::start(&site.scratch, site_config(&site, upstream));
    let client = site.raw(Version::Tls13);
    // The first or the second is sent to nobody first.
    let open = [(); 2].map(|()| client.connect(edge.address("web"), NAME));
    edge.expect_sum("raincheck_upstream_connection_failures_total", &[], 1.0);
    assert_eq!(state(&edge, nobody), [3, 0, 1, 1]);
    assert_eq!(state(&edge, server.address()), [2, 0, 1, 1]);
    assert_eq!(Row::of(&edge, "app", &nobody.to_string()).column("status"), "NOLB");
    assert_eq!(Row::of(&edge, "app", "BACKEND").column("act"), "1");
    edge.expect_sum("raincheck_upstream_server_up", &[], 2.0);
    edge.expect_sum("raincheck_upstream_server_weight", &[], 1.0);
    assert_eq!(edge.status()["upstreams"][0]["servers"][0]["state"], "ejected");
    drop(open);
}

#[test]
fn connections_are_shown_by_server() {
    let ground = Ground::new();
    let [first, second] = ground.connect_to_each();
    let line = |server: usize, used: usize| {
        let (name, address) = (ground.name(server), ground.servers[server].address());
        format!("{name} 2/{} {} {} - 0 {used} 1 {used} 0 0 0 0", server + 1, address.ip(), address.port())
    };
    // Each connection is to one of them.
    let shows = |used: [usize; 2]| {
        let answer = ground.edge.stats("show servers conn #2");
        let lines: Vec<&str> = answer.lines().collect();
        assert!(lines.len() == 4 && lines[0].starts_with(CONNECTIONS), "{answer}");
        lines[1].starts_with(&line(0, used[0])) && lines[2].starts_with(&line(1, used[1]))
    };
    assert!(shows([1, 1]));
    drop(second);
    until("one of them has none", || (shows([1, 0]) || shows([0, 1])).then_some(()));
    assert_eq!(ground.edge.stats("show servers conn"), ground.edge.stats("show servers conn app"));
    drop(first);
}

#[test]
fn the_rate_of_a_server_is_that_of_its_connections() {
    let ground = Ground::new();
    let open = ground.connect_to_each();
    let rates = |row: &Row| ["rate", "rate_max"].map(|name| row.column(name).parse::<u64>().unwrap());
    let [now, most] = rates(&ground.row(0));
    assert!(now <= 1 && most == 1, "{now}, at most {most}");
    // They may have come in two seconds.
    let [_, most] = rates(&Row::of(&ground.edge, "app", "BACKEND"));
    assert!((1..=2).contains(&most), "{most}");
    until("the second is over", || (rates(&ground.row(0)) == [0, 1]).then_some(()));
    until("it is so of both", || (rates(&Row::of(&ground.edge, "app", "BACKEND")) == [0, most]).then_some(()));
    drop(open);
}

/// The answers are those of HAProxy 2.6 to the same commands.
#[test]
fn commands_for_servers_are_answered_as_haproxy_does() {
    let ground = Ground::new();
    let server = ground.name(0);
    let ask = |command: &str| ground.edge.stats(&command.replace("{}", &server));
    let cases = [
        ("get weight {}", "1 (initial 1)\n\n"),
        ("set weight {} 200%", "\n"),
        ("get weight {}", "2 (initial 1)\n\n"),
        ("set weight {} 257", "Absolute weight can only be between 0 and 256 inclusive.\n\n"),
        ("set weight {}", "Require <weight> or <weight%>.\n\n"),
        ("get weight {}", "2 (initial 1)\n\n"),
        ("set server {} state", "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n\n"),
        ("set server {} nonsense", "usage: set server <backend>/<server> state | weight\n\n"),
        ("set server app/nobody state drain", "No such server.\n\n"),
        ("set server nowhere/nobody state drain", "No such backend.\n\n"),
        ("set server app state drain", "Require 'backend/server'.\n\n"),
        ("get weight #2/#1", "2 (initial 1)\n\n"),
        ("get weight app/#1", "2 (initial 1)\n\n"),
        ("get weight #2/#2", "1 (initial 1)\n\n"),
        ("disable server #2/#2", "\n"),
        ("get weight #2/#3", "No such server.\n\n"),
        ("get weight #1/#1", "No such backend.\n\n"),
        ("get weight 2/1", "No such backend.\n\n"),
        ("enable server", "Require 'backend/server'.\n\n"),
        ("get weight app/", "Require 'backend/server'.\n\n"),
        ("show backend", "# name\napp\n\n"),
        ("show servers state nowhere", "Can't find backend.\n\n"),
        ("show servers conn nowhere", "Can't find backend.\n\n"),
        ("show servers state #1", "Can't find backend.\n\n"),
    ];
    for (command, answer) in cases {
        assert_eq!(ask(command), answer, "{command}");
    }
    // Its version, the names of its columns, two servers, and an empty line.
    assert_eq!(ask("show servers state #2").lines().count(), 5);
    assert_eq!(ground.row(1).column("status"), "MAINT");
}

#[test]
fn the_key_rate_is_that_of_full_handshakes() {
    require!("nginx", "kill");
    let site = Site::new();
    let nginx = Nginx::start(&site.scratch, &site.certificate, Resumption::Tls13);
    let server = nginx.address().to_string();
    let resuming = Edge::start(&site.scratch, site_config(&site, checked(&[nginx.address()], "http")));
    let without = checked(&[nginx.address()], "http").set("tls", "{ verify = \"none\", sessions = 0 }");
    let full = Edge::start(&site.scratch, site_config(&site, without));

    let of_checks = |kind: &'static str| [("purpose", "check"), ("kind", kind)];
    let handshakes = |edge: &Edge, kind| edge.sum("raincheck_upstream_handshakes_total", &of_checks(kind));
    until("full handshakes show", || (info(&full, "SslBackendKeyRate") >= 5).then_some(()));
    until("they show in the highest", || (info(&full, "SslBackendMaxKeyRate") >= 5).then_some(()));
    until("checks resume", || (handshakes(&resuming, "psk") >= 20.0).then_some(()));
    assert_eq!(handshakes(&resuming, "full"), 1.0);
    until("the first one is forgotten", || (info(&resuming, "SslBackendKeyRate") == 0).then_some(()));
    assert!(info(&resuming, "SslBackendMaxKeyRate") <= 1);
    assert_eq!(handshakes(&full, "psk"), 0.0);

    let by = |edge: &Edge, metric: &str| edge.sum(metric, &[("upstream", "app"), ("server", &server)]);
    assert!(by(&resuming, "raincheck_upstream_sessions") >= 1.0);
    assert_eq!(by(&full, "raincheck_upstream_sessions"), 0.0);
    assert_eq!(by(&resuming, "raincheck_upstream_sessions_refused_total"), 0.0);
    assert_eq!(by(&resuming, "raincheck_upstream_handshake_failures_total"), 0.0);
    assert_eq!(by(&resuming, "raincheck_upstream_server_up"), 1.0);

    let row = Row::of(&resuming, "app", &server);
    let figures = ["status", "check_status", "check_code", "check_health", "ssl_failed_handshake", "chkfail", "act"];
    assert_eq!(figures.map(|name| row.column(name)), ["UP", "L7OK", "200", "4", "0", "0", "1"]);
    let number = |name: &str| row.column(name).parse::<u64>().unwrap();
    assert_eq!(number("ssl_sess") - number("ssl_reused_sess"), 1);
}

#[test]
fn a_server_says_what_its_checks_found() {
    require!("openssl");
    let site = Site::new();
    let good = OpenSsl::start(&site.scratch, &site.certificate, Resumption::Tls13);
    let plain = Upstream::closing_first(b"220 no TLS here\r\n");
    let nobody = address::unused();
    let upstream = checked(&[good.address(), plain.address(), nobody], "tls");
    let edge = Edge::start(&site.scratch, site_config(&site, upstream));
    let row = |server: SocketAddr| Row::of(&edge, "app", &server.to_string());
    let settled = |server: SocketAddr, status: &str| {
        until(&format!("{server} is {status}"), || (row(server).column("check_status") == status).then_some(()));
    };
    settled(good.address(), "L6OK");
    settled(plain.address(), "L6RSP");
    settled(nobody, "L4CON");
    for server in [plain.address(), nobody] {
        let failed = [("server", &*server.to_string()), ("result", "failed")];
        until("it failed again", || (edge.sum("raincheck_upstream_checks_total", &failed) >= 2.0).then_some(()));
        let row = row(server);
        assert_eq!((row.column("status"), row.column("chkfail"), row.column("chkdown")), ("DOWN", "1", "1"));
        assert_eq!((row.column("check_code"), row.column("check_health")), ("", "0"));
        edge.expect_sum("raincheck_upstream_server_up", &[("server", &server.to_string())], 0.0);
        let checks = [("server", &*server.to_string()), ("result", "passed")];
        assert_eq!(edge.sum("raincheck_upstream_checks_total", &checks), 0.0);
    }
    assert!(row(nobody).column("last_chk").contains("refused"), "{}", row(nobody).column("last_chk"));
    assert_eq!(state(&edge, nobody), [0, 0, 1, 1]);
    let backend = Row::of(&edge, "app", "BACKEND");
    assert_eq!((backend.column("status"), backend.column("act")), ("UP", "1"));

    let status = edge.status();
    let servers = status["upstreams"][0]["servers"].as_array().unwrap().clone();
    let of = |server: SocketAddr| servers.iter().find(|of| of["name"] == server.to_string()).unwrap();
    assert_eq!(of(good.address())["state"], "up");
    assert_eq!(of(nobody)["state"], "down");
    let last = |server| &of(server)["checks"]["last"];
    assert!(last(nobody)["reason"].as_str().unwrap().contains("refused"), "{status}");
    assert_eq!(last(good.address())["reason"], serde_json::Value::Null);
    assert!(of(good.address())["tls"]["handshakes"]["check"]["full"].as_u64() >= Some(1), "{status}");
}
