use super::*;

#[test]
fn what_is_left_out_has_the_defaults_of_the_design() {
    let config = Place::new().load(SOUND).expect("a sound file");
    let [upstream] = &config.upstreams[..] else { panic!("one upstream") };
    assert_eq!((upstream.name.as_str(), upstream.kind), ("app", UpstreamKind::Servers));
    assert_eq!((upstream.balance, upstream.send_proxy), (Balance::LeastConnections, None));
    assert_eq!(upstream.servers, [server("127.0.0.1:80")]);
    assert_eq!((upstream.connect_timeout, upstream.slow_start), (seconds(5), Duration::ZERO));
    assert_eq!((upstream.eject_after, upstream.eject_for, upstream.resolve_every), (3, seconds(10), seconds(10)));
    assert!(upstream.tls.is_none() && upstream.check.is_none());
}

#[test]
fn what_is_left_out_of_tls_has_the_defaults_of_the_design() {
    let tls = tls("ca = \"site.pem\"");
    assert_eq!(tls.server_name, None);
    assert!(tls.identity.is_none());
    assert_eq!((tls.alpn, tls.min_version, tls.sessions), (Vec::<Vec<u8>>::new(), MinVersion::Tls12, 16));
}

#[test]
fn what_is_left_out_of_a_check_has_the_defaults_of_the_design() {
    let expect = Expect { status: vec![200..=399], body: None };
    let http = HttpCheck { method: "GET".into(), path: "/".into(), host: None, expect };
    let plain = Check {
        kind: CheckKind::Http(http),
        every: seconds(2),
        fast_every: Duration::from_millis(500),
        timeout: seconds(2),
        rise: 2,
        fall: 3,
        keep_alive: false,
    };
    assert_eq!(check("kind = \"http\""), plain);
    // Over plain TCP or TLS, whatever is tried.
    assert_eq!(check("kind = \"tcp\""), Check { kind: CheckKind::Tcp, ..plain.clone() });
    assert_eq!(check("kind = \"tls\"\n[upstream.tls]\nca = \"site.pem\""), Check { kind: CheckKind::Tls, ..plain });
}

#[test]
fn what_depends_on_how_often_a_check_is_made() {
    let cases = [
        ("every = \"8s\"", 2_000, 8_000),
        ("every = \"1m\"", 15_000, 10_000),
        ("every = \"1m\"\ntimeout = \"30s\"", 15_000, 30_000),
        ("every = \"1s\"\nfast-every = \"1s\"", 1_000, 1_000),
    ];
    for (lines, fast_every, timeout) in cases {
        let check = check(&format!("kind = \"tcp\"\n{lines}"));
        let expected = (Duration::from_millis(fast_every), Duration::from_millis(timeout));
        assert_eq!((check.fast_every, check.timeout), expected, "{lines}");
    }
}

#[test]
fn everything_that_can_be_said_is_read() {
    let text = upstream(
        r#"balance = "source-hash"
send-proxy = "v2"
connect-timeout = "1s"
slow-start = "30s"
eject-after = 0
eject-for = "1m"
resolve-every = "5s"
[upstream.tls]
ca = "site.pem"
verify = "full"
server-name = "app.internal"
certificate = "site.pem"
key = "site.key"
alpn = ["h2", "http/1.1"]
min-version = "1.3"
sessions = 0
[upstream.check]
kind = "http"
method = "OPTIONS"
path = "/healthz?deep=1"
host = "app.internal:8443"
status = ["200", "300-399"]
body = "in order"
every = "5s"
fast-every = "1s"
timeout = "3s"
rise = 1
fall = 1000
keep-alive = true"#,
    );
    let place = Place::new();
    let config = place.load(&text).expect("a sound file");
    assert_eq!(config.warnings, [""; 0]);
    let [upstream] = &config.upstreams[..] else { panic!("one upstream") };
    assert_eq!((upstream.balance, upstream.send_proxy), (Balance::SourceHash, Some(ProxyVersion::V2)));
    assert_eq!((upstream.connect_timeout, upstream.slow_start), (seconds(1), seconds(30)));
    assert_eq!((upstream.eject_after, upstream.eject_for, upstream.resolve_every), (0, seconds(60), seconds(5)));

    let tls = upstream.tls.as_ref().expect("TLS");
    assert_eq!(tls.server_name, ServerName::try_from("app.internal").ok());
    assert_eq!(tls.identity.as_ref().map(|identity| identity.cert.len()), Some(1));
    assert_eq!(tls.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert_eq!((tls.min_version, tls.sessions), (MinVersion::Tls13, 0));

    let expect = Expect { status: vec![200..=200, 300..=399], body: Some("in order".into()) };
    let host = Some("app.internal:8443".into());
    let http = HttpCheck { method: "OPTIONS".into(), path: "/healthz?deep=1".into(), host, expect };
    let check = Check {
        kind: CheckKind::Http(http),
        every: seconds(5),
        fast_every: seconds(1),
        timeout: seconds(3),
        rise: 1,
        fall: 1000,
        keep_alive: true,
    };
    assert_eq!(upstream.check, Some(check));
}

#[test]
fn servers_are_strings_or_tables_as_one_likes() {
    let in_line =
        r#"["127.0.0.1:80", { address = "localhost:81", weight = 256 }, { address = "[::1]:82", backup = true }]"#;
    let in_tables = SOUND.replace("servers = [\"127.0.0.1:80\"]\n", "#\n").replace(
        "[[listener]]",
        "[[upstream.servers]]\naddress = \"127.0.0.1:80\"\n[[upstream.servers]]\naddress = \"localhost:81\"\n\
         weight = 256\n[[upstream.servers]]\naddress = \"[::1]:82\"\nbackup = true\n[[listener]]",
    );
    let expected = [
        server("127.0.0.1:80"),
        Server {
            name: "localhost:81".into(),
            address: ([127, 0, 0, 1], 81).into(),
            host: Some("localhost".into()),
            weight: 256,
            backup: false,
        },
        Server { backup: true, ..server("[::1]:82") },
    ];
    for text in [servers(in_line), in_tables] {
        let config = Place::new().load(&text).expect("a sound file");
        assert_eq!(config.upstreams[0].servers, expected);
    }
}

#[test]
fn each_balance_has_a_word() {
    let cases = [
        ("least-connections", Balance::LeastConnections),
        ("round-robin", Balance::RoundRobin),
        ("random-two", Balance::RandomTwo),
        ("source-hash", Balance::SourceHash),
    ];
    for (word, expected) in cases {
        let config = Place::new().load(&upstream(&format!("balance = \"{word}\""))).expect("a sound file");
        assert_eq!(config.upstreams[0].balance, expected);
    }
}

#[test]
fn the_digest_follows_what_is_believed_and_shown_and_nothing_else() {
    let place = Place::new();
    let digest = |lines: &str| place.load(&upstream(&format!("[upstream.tls]\n{lines}"))).map(digest_of).expect(lines);
    let plain = digest("ca = \"site.pem\"");
    assert_eq!(plain, digest("ca = \"site.pem\"\nsessions = 1\nserver-name = \"a.example\"\nmin-version = \"1.3\""));
    assert_ne!(plain, digest("ca = \"expired.pem\""));
    assert_ne!(plain, digest("verify = \"none\""));
    assert_ne!(plain, digest("ca = \"site.pem\"\ncertificate = \"site.pem\"\nkey = \"site.key\""));
}

#[test]
fn each_mistake_is_named_with_its_line_key_and_remedy() {
    let after = |text: &str| format!("{SOUND}{text}");
    let tls = |line: &str| upstream(&format!("[upstream.tls]\nca = \"site.pem\"\n{line}"));
    let tls_alone = |lines: &str| upstream(&format!("[upstream.tls]\n{lines}"));
    let tcp = |line: &str| upstream(&format!("[upstream.check]\nkind = \"tcp\"\n{line}"));
    let http = |line: &str| upstream(&format!("[upstream.check]\nkind = \"http\"\n{line}"));
    let long = format!("body = \"{}\"", "a".repeat(65537));
    let cases = [
        // The upstream.
        (after("[[upstream]]\nname = \"app\"\nservers = [\"127.0.0.1:80\"]"), "13: upstream.name: `app` is the name"),
        (upstream("balance = \"luck\""), "4: upstream.balance: `luck` is none of its values; "),
        (upstream("balanse = \"round-robin\""), "4: upstream.balanse: unknown key `balanse`; did you mean `balance`?"),
        (upstream("send-proxy = \"v3\""), "4: upstream.send-proxy: `v3` is none of its values; write \"v1\" or \"v2\""),
        (upstream("connect-timeout = \"0s\""), "4: upstream.connect-timeout: zero, so every connection"),
        (
            upstream("connect-timeout = 5"),
            "4: upstream.connect-timeout: integer `5` where a string in quotes is needed",
        ),
        (upstream("slow-start = \"slow\""), "4: upstream.slow-start: `slow` is no duration; "),
        (
            upstream("eject-after = -1"),
            "4: upstream.eject-after: integer `-1` where a whole number, 0 or more is needed",
        ),
        (
            upstream("eject-after = 4294967296"),
            "4: upstream.eject-after: 4294967296 is too many; 4294967295 is the most",
        ),
        (upstream("eject-for = \"0s\""), "4: upstream.eject-for: zero, which is no time at all; "),
        (upstream("resolve-every = \"0s\""), "4: upstream.resolve-every: zero, which is no time at all; "),
        (upstream("tls = true"), "4: upstream.tls: boolean `true` where a table is needed"),
        (upstream("check = \"http\""), "4: upstream.check: string \"http\" where a table is needed"),
        // Servers.
        (SOUND.replace("servers = [\"127.0.0.1:80\"]", "#"), "1: upstream.servers: missing; "),
        (servers("[]"), "3: upstream.servers: empty; "),
        (servers("\"127.0.0.1:80\""), "3: upstream.servers: string \"127.0.0.1:80\" where an array is needed"),
        (servers("[80]"), "3: upstream.servers: integer `80` where a string in quotes or a table is needed"),
        (
            servers("[[\"127.0.0.1:80\"]]"),
            "3: upstream.servers: an array where a string in quotes or a table is needed",
        ),
        (servers("[\"127.0.0.1\"]"), "3: upstream.servers: `127.0.0.1` has no port; "),
        (servers("[\"127.1:80\"]"), "3: upstream.servers: `127.1` is neither a DNS name nor an IP address; "),
        (servers("[\"none.invalid:80\"]"), "3: upstream.servers: cannot look up `none.invalid:80`"),
        (servers("[{ address = \"127.0.0.1\" }]"), "3: upstream.servers: `127.0.0.1` has no port; "),
        (servers("[\n\"127.0.0.1:80\",\n{ weight = 2 }]"), "5: upstream.servers.address: missing; "),
        (
            servers("[\n\"127.0.0.1:80\",\n{ address = \"127.0.0.1:81\", wieght = 2 }]"),
            "5: upstream.servers.wieght: unknown key `wieght`; did you mean `weight`?",
        ),
        (
            servers("[{ adress = \"127.0.0.1:80\", address = \"127.0.0.1:80\" }]"),
            "3: upstream.servers.adress: unknown key `adress`; did you mean `address`?",
        ),
        (servers("[{ address = 80 }]"), "3: upstream.servers.address: integer `80` where a string in quotes is needed"),
        (
            servers("[{ address = \"127.0.0.1:80\", weight = \"2\" }]"),
            "3: upstream.servers.weight: string \"2\" where a whole number, 0 or more is needed",
        ),
        (
            servers("[{ address = \"127.0.0.1:80\", weight = 257 }]"),
            "3: upstream.servers.weight: 257 is too many; 256 is the most",
        ),
        (
            servers("[{ address = \"127.0.0.1:80\", backup = 1 }]"),
            "3: upstream.servers.backup: integer `1` where true or false is needed",
        ),
        (
            servers("[\n\"127.0.0.1:80\",\n{ address = \"127.0.0.1:80\" }]"),
            "5: upstream.servers: `127.0.0.1:80` is listed already; ",
        ),
        // TLS.
        (tls("cert = \"site.pem\""), "6: upstream.tls.cert: unknown key `cert`; "),
        (tls_alone("ca = 1"), "5: upstream.tls.ca: integer `1` where a string in quotes is needed"),
        (tls_alone("ca = \"none.pem\""), "5: upstream.tls.ca: DIR/none.pem: cannot be read: No such file"),
        (tls_alone("ca = \"site.key\""), "5: upstream.tls.ca: DIR/site.key: no certificate of a CA in it; "),
        (tls("verify = \"none\""), "5: upstream.tls.ca: would not be used, because verify is \"none\"; "),
        (tls("verify = \"off\""), "6: upstream.tls.verify: `off` is none of its values; write \"full\" or \"none\""),
        (tls("server-name = \"a b\""), "6: upstream.tls.server-name: `a b` is neither a DNS name nor an IP address; "),
        (tls("certificate = \"site.pem\""), "4: upstream.tls.key: missing; "),
        (tls("key = \"site.key\""), "4: upstream.tls.certificate: missing; "),
        (tls("certificate = 1\nkey = \"site.key\""), "6: upstream.tls.certificate: integer `1` where a string"),
        (
            tls("certificate = \"site.pem\"\nkey = \"other.key\""),
            "6: upstream.tls.certificate: DIR/site.pem: the first certificate does not belong to the key in DIR/other.key; ",
        ),
        (tls("alpn = [\"\"]"), "6: upstream.tls.alpn: a protocol's name has 1 to 255 bytes; "),
        (tls("min-version = \"1.1\""), "6: upstream.tls.min-version: `1.1` is none of its values; "),
        (tls("sessions = 1025"), "6: upstream.tls.sessions: 1025 is too many; 1024 is the most"),
        // Checks.
        (
            upstream("[upstream.check]"),
            "4: upstream.check.kind: missing; write what is tried: \"tcp\", \"tls\" or \"http\"",
        ),
        (upstream("[upstream.check]\nkind = \"ping\""), "5: upstream.check.kind: `ping` is none of its values; "),
        (
            upstream("[upstream.check]\nkind = \"tls\""),
            "5: upstream.check.kind: the servers are not spoken to by TLS; add [upstream.tls], or write kind = \"tcp\"",
        ),
        (upstream("tls = true\n[upstream.check]\nkind = \"tls\""), "4: upstream.tls: boolean `true` where a table"),
        (tcp("port = 80"), "6: upstream.check.port: unknown key `port`; "),
        (tcp("every = \"0s\""), "6: upstream.check.every: zero, which is no time at all; "),
        (tcp("fast-every = \"0s\""), "6: upstream.check.fast-every: zero, which is no time at all; "),
        (tcp("fast-every = \"3s\""), "6: upstream.check.fast-every: longer than every, "),
        (tcp("timeout = \"0s\""), "6: upstream.check.timeout: zero, so every connection"),
        (tcp("rise = 0"), "6: upstream.check.rise: 0 is too few; 1 is the least"),
        (tcp("fall = 1001"), "6: upstream.check.fall: 1001 is too many; 1000 is the most"),
        // What only HTTP has.
        (tcp("method = \"GET\""), "6: upstream.check.method: would not be used; remove it, or write kind = \"http\""),
        (tcp("path = \"/\""), "6: upstream.check.path: would not be used; "),
        (tcp("host = \"a\""), "6: upstream.check.host: would not be used; "),
        (tcp("status = [\"200\"]"), "6: upstream.check.status: would not be used; "),
        (tcp("body = \"a\""), "6: upstream.check.body: would not be used; "),
        (tcp("keep-alive = false"), "6: upstream.check.keep-alive: would not be used; "),
        (
            upstream("[upstream.tls]\nca = \"site.pem\"\n[upstream.check]\nkind = \"tls\"\npath = \"/\""),
            "8: upstream.check.path: would not be used; ",
        ),
        (http("method = \"get\""), "6: upstream.check.method: `get` is no method; write one in capitals"),
        (http("method = \"\""), "6: upstream.check.method: `` is no method; "),
        (http("method = \"GET /\""), "6: upstream.check.method: `GET /` is no method; "),
        (http("path = \"healthz\""), "6: upstream.check.path: `healthz` is no path; begin it with /"),
        (http("path = \"/a b\""), "6: upstream.check.path: `/a b` is no path; "),
        (http("path = \"/\\r\\nHost: x\""), "6: upstream.check.path: `/\\r\\nHost: x` is no path; "),
        (http("host = \"\""), "6: upstream.check.host: `` is no host; "),
        (http("host = \"http://a/\""), "6: upstream.check.host: `http://a/` is no host; "),
        (http("status = []"), "6: upstream.check.status: empty; list at least one"),
        (http("status = [200]"), "6: upstream.check.status: integer `200` where a string in quotes is needed"),
        (http("status = \"200\""), "6: upstream.check.status: string \"200\" where an array is needed"),
        (http("status = [\"2xx\"]"), "6: upstream.check.status: `2xx` is no status; write one, such as \"200\""),
        (http("status = [\"+20\"]"), "6: upstream.check.status: `+20` is no status; "),
        (http("status = [\"099\"]"), "6: upstream.check.status: `099` is no status; "),
        (http("status = [\"600\"]"), "6: upstream.check.status: `600` is no status; "),
        (http("status = [\"200-\"]"), "6: upstream.check.status: `200-` is no status; "),
        (http("status = [\"299-200\"]"), "6: upstream.check.status: `299-200` is no status; "),
        (http("body = \"\""), "6: upstream.check.body: empty, and so in every answer; "),
        (http(&long), "6: upstream.check.body: longer than 64 KiB"),
        (http("method = \"HEAD\"\nbody = \"a\""), "7: upstream.check.body: an answer to HEAD has none; "),
    ];
    assert_each_is_named(&cases);
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_their_lines() {
    let text = r#"
[[listener]]
name = "web"
bind = ["127.0.0.1:443"]
upstream = "app"
[[listener.certificate]]
chain = "site.pem"
key = "site.key"
[[upstream]]
name = "app"
servers = [
  "127.0.0.1",
  { address = "127.0.0.1:80", backup = "no", weight = 300 },
  { weihgt = 1, adress = "127.0.0.1:80" },
  "127.0.0.1:80",
]
balance = "fair"
eject-for = "0s"
[upstream.tls]
ca = "none.pem"
verfy = "none"
key = "site.key"
sessions = 5000
[upstream.check]
path = "healthz"
status = ["ok", "200-99"]
rise = 0
every = "1s"
fast-every = "2s"
"#;
    let place = Place::new();
    let errors = place.load(text).expect_err("many mistakes");
    let lines: Vec<String> =
        place.shown(&errors).lines().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "12 upstream.servers",
        "13 upstream.servers.backup",
        "13 upstream.servers.weight",
        "14 upstream.servers.adress",
        "14 upstream.servers.weihgt",
        "14 upstream.servers.address",
        "15 upstream.servers",
        "17 upstream.balance",
        "18 upstream.eject-for",
        "19 upstream.tls.certificate",
        "20 upstream.tls.ca",
        "21 upstream.tls.verfy",
        "23 upstream.tls.sessions",
        "24 upstream.check.kind",
        "25 upstream.check.path",
        "26 upstream.check.status",
        "26 upstream.check.status",
        "27 upstream.check.rise",
        "29 upstream.check.fast-every",
    ]
    .map(|place| format!("DIR/raincheck.toml:{place}"));
    assert_eq!(lines, expected);
}

#[test]
fn what_is_odd_but_can_be_done_is_a_warning() {
    let nobody = "3: upstream.servers: each of them is a backup or has weight 0; ";
    let cases = [
        (
            upstream("[upstream.tls]\nverify = \"none\""),
            "5: upstream.tls.verify: the servers of `app` are believed whatever certificate they show, ",
        ),
        (
            upstream("[upstream.tls]\nca = \"site.pem\"\ncertificate = \"expired.pem\"\nkey = \"expired.key\""),
            "6: upstream.tls.certificate: DIR/expired.pem: the certificate expired on",
        ),
        (
            servers("[{ address = \"127.0.0.1:80\", weight = 0 }, { address = \"127.0.0.1:81\", backup = true }]"),
            nobody,
        ),
    ];
    assert_each_is_a_warning(&cases);
}

/// A sound file with these lines in its upstream; the first of them is line 4.
fn upstream(lines: &str) -> String {
    SOUND.replace("[[listener]]\n", &format!("{lines}\n[[listener]]\n"))
}

/// A sound file but for its upstream's servers, in line 3.
fn servers(array: &str) -> String {
    SOUND.replace("[\"127.0.0.1:80\"]", array)
}

fn tls(lines: &str) -> UpstreamTls {
    let config = Place::new().load(&upstream(&format!("[upstream.tls]\n{lines}"))).expect("a sound file");
    config.upstreams[0].tls.clone().expect("TLS")
}

fn digest_of(config: Config) -> [u8; 32] {
    config.upstreams[0].tls.as_ref().expect("TLS").digest
}

fn check(lines: &str) -> Check {
    let config = Place::new().load(&upstream(&format!("[upstream.check]\n{lines}"))).expect("a sound file");
    config.upstreams[0].check.clone().expect("a check")
}

/// One of whom nothing is said but its address.
fn server(address: &str) -> Server {
    let name = address.to_owned();
    Server { name, address: address.parse().expect("an address"), host: None, weight: 1, backup: false }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
