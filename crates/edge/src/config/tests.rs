use std::fs;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

mod sink;
mod upstream;

/// A sound file; what follows it begins at line 12.
const SOUND: &str = r#"[[upstream]]
name = "app"
servers = ["127.0.0.1:80"]
[[listener]]
name = "web"
bind = ["127.0.0.1:443"]
upstream = "app"
[[listener.certificate]]
chain = "site.pem"
key = "site.key"

"#;

#[test]
fn what_is_left_out_has_the_defaults_of_the_design() {
    let config = Place::new().load(SOUND).expect("a sound file");
    assert!(config.workers >= 1);
    assert_eq!((config.admin, config.stats_socket, config.access_log), (None, None, AccessLog::Stdout));
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let schedule = Schedule::new(hours(1), hours(18), hours(24)).unwrap();
    assert_eq!(config.keys, Keys { source: KeySource::Local, schedule });
    let [listener] = &config.listeners[..] else { panic!("one listener") };
    assert_eq!(listener.alpn, Vec::<Vec<u8>>::new());
    assert_eq!((listener.min_version, listener.renewal), (MinVersion::Tls12, Renewal::Never));
    assert_eq!((listener.tickets, listener.tickets_on_resumption), (2, 1));
    assert_eq!((listener.session_cache, listener.max_connections), (20_000, 100_000));
    assert!(!listener.accept_proxy && listener.client_auth.is_none());
    assert_eq!(listener.handshake_timeout, Duration::from_secs(10));
    assert_eq!(listener.idle_timeout, Duration::from_secs(300));
    assert_eq!(listener.certificates.names(), ["a.example"]);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn everything_that_can_be_said_is_read() {
    let place = Place::new();
    let config = place
        .load(
            r#"
[edge]
workers = 2
admin = "127.0.0.1:9900"
stats-socket = "stats.sock"
access-log = "off"
[keys]
source = "file"
rotate = "30m"
accept = "2h"
chain = "12h"
[keys.file]
path = "/run/keys"
[[listener]]
name = "web"
bind = ["127.0.0.1:443", "[::1]:443"]
mode = "tcp"
upstream = "second"
alpn = ["h2", "http/1.1"]
min-version = "1.3"
tickets = 4
tickets-on-resumption = 0
session-cache = 0
accept-proxy = true
max-connections = 10
handshake-timeout = "2s"
idle-timeout = "1h30m"
tls12-renewal = "inline"
[[listener.certificate]]
chain = "site.pem"
key = "site.key"
[listener.client-auth]
ca = "site.pem"
mode = "optional"
[[listener]]
name = "other"
bind = ["127.0.0.1:444"]
upstream = "app"
tickets = 0
[[listener.certificate]]
chain = "site.pem"
key = "site.key"
[[upstream]]
name = "app"
servers = ["127.0.0.1:80"]
[[upstream]]
name = "second"
servers = ["127.0.0.1:81"]
"#,
        )
        .expect("a sound file");
    assert_eq!(config.workers, 2);
    assert_eq!(config.admin, Some(([127, 0, 0, 1], 9900).into()));
    assert_eq!(config.stats_socket, Some(place.directory.path().join("stats.sock")));
    assert_eq!(config.access_log, AccessLog::Off);
    assert_eq!(config.keys.source, KeySource::File("/run/keys".into()));
    assert_eq!(config.keys.schedule.retained(), 6);
    let [web, other] = &config.listeners[..] else { panic!("two listeners") };
    assert_eq!((web.upstream, other.upstream), (1, 0));
    assert_eq!(web.bind.len(), 2);
    assert_eq!(web.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert_eq!((web.min_version, web.renewal), (MinVersion::Tls13, Renewal::Inline));
    assert_eq!((web.tickets, web.tickets_on_resumption, web.session_cache), (4, 0, 0));
    assert_eq!((other.tickets, other.tickets_on_resumption), (0, 0));
    assert!(web.accept_proxy);
    assert_eq!(web.max_connections, 10);
    assert_eq!((web.handshake_timeout, web.idle_timeout), (Duration::from_secs(2), Duration::from_secs(5400)));
    let client_auth = web.client_auth.as_ref().expect("client authentication");
    assert_eq!((client_auth.mode, client_auth.ca_digests.len()), (ClientAuthMode::Optional, 1));
}

#[test]
fn keys_come_from_a_server_or_several() {
    let place = Place::new();
    let keys = |url: &str| {
        let text = format!(
            "{}[keys]\nsource = \"http\"\nnode = \"edge-1\"\nrotation-patience = \"10m\"\n[keys.http]\nurl = {url}\n\
             ca = \"ca.pem\"\ncertificate = \"node.pem\"\nkey = \"node.key\"\n",
            SOUND
        );
        place.load(&text).expect("a sound file").keys
    };
    let one = keys("\"https://a.test:9443/ring\"");
    let KeySource::Http(source) = &one.source else { panic!("{one:?}") };
    assert_eq!((source.node.as_str(), source.every), ("edge-1", Duration::from_secs(60)));
    assert_eq!(source.trust.ca, Some(place.directory.path().join("ca.pem")));
    assert_eq!(
        source.trust.certificate,
        Some(["node.pem", "node.key"].map(|name| place.directory.path().join(name)).into())
    );
    assert_eq!(one.schedule.patience, Duration::from_secs(600));
    let both = keys("[\"https://a.test/ring\", \"https://b.test/ring\"]");
    assert_eq!(both.source.place().as_deref(), Some("https://a.test/ring, https://b.test/ring"));
}

#[test]
fn each_mistake_is_named_with_its_line_key_and_remedy() {
    let listener = |line: &str| SOUND.replace("upstream = \"app\"\n", &format!("upstream = \"app\"\n{line}\n"));
    let after = |text: &str| format!("{SOUND}{text}");
    let without = |line: &str| SOUND.replace(line, "#");
    let cases = [
        // Keys and types.
        (listener("tikets = 3"), "8: listener.tikets: unknown key `tikets`; did you mean `tickets`?"),
        (after("[edge]\nzzz = 1"), "13: edge.zzz: unknown key `zzz`; known here: workers, admin"),
        (after("[egde]\nworkers = 1"), "12: egde: unknown key `egde`; did you mean `edge`?"),
        (
            listener("tickets = \"two\""),
            "8: listener.tickets: string \"two\" where a whole number, 0 or more is needed",
        ),
        (listener("tickets = -1"), "8: listener.tickets: integer `-1` where a whole number, 0 or more is needed"),
        (listener("accept-proxy = 1"), "8: listener.accept-proxy: integer `1` where true or false is needed"),
        (without("bind = [\"127.0.0.1:443\"]"), "4: listener.bind: missing; "),
        (
            SOUND.replace("[\"127.0.0.1:443\"]", "\"127.0.0.1:443\""),
            "6: listener.bind: string \"127.0.0.1:443\" where an array is needed",
        ),
        (
            SOUND.replace("[\"127.0.0.1:443\"]", "[443]"),
            "6: listener.bind: integer `443` where a string in quotes is needed",
        ),
        ("[listener]\nname = \"web\"".into(), "1: listener: a table where an array is needed"),
        ("[edge\n".into(), "1: not TOML: "),
        (after("[edge]\nworkers = 1\nworkers = 2"), "14: not TOML: duplicate key"),
        // Edge.
        (after("[edge]\nworkers = 0"), "13: edge.workers: 0 is too few; 1 is the least"),
        (after("[edge]\nadmin = \"9900\""), "13: edge.admin: `9900` is no address to listen on; write IP:PORT"),
        (
            after("[edge]\naccess-log = \"file\""),
            "13: edge.access-log: `file` is none of its values; write \"stdout\", \"stderr\" or \"off\"",
        ),
        // Keys.
        (
            after("[keys]\nsource = \"disk\""),
            "13: keys.source: `disk` is none of its values; write \"local\", \"file\"",
        ),
        (after("[keys]\nsource = \"etcd\""), "13: keys.etcd: missing; "),
        (
            after("[keys]\nsource = \"etcd\"\n[keys.etcd]\nfleet = \"a\"\nsecret-file = \"s\""),
            "14: keys.etcd.endpoints: missing; ",
        ),
        (
            after(
                "[keys]\nsource = \"etcd\"\n[keys.etcd]\nfleet = \"a b\"\nsecret-file = \"s\"\nendpoints = [\"http://a\"]",
            ),
            "15: keys.etcd.fleet: `a b` is not a fleet's name",
        ),
        (
            after(
                "[keys]\nsource = \"etcd\"\n[keys.etcd]\nfleet = \"a\"\nsecret-file = \"s\"\nendpoints = [\"a:2379\"]",
            ),
            "17: keys.etcd.endpoints: not",
        ),
        (after("[keys.http]\nurl = \"x\""), "12: keys.http: would not be used; add source = \"http\""),
        (after("[keys]\nsource = \"http\""), "13: keys.http: missing; "),
        (after("[keys]\nsource = \"http\"\n[keys.http]"), "14: keys.http.url: missing; "),
        (after("[keys]\nsource = \"http\"\n[keys.http]\nurl = \"x\""), "15: keys.http.url: not a URL; "),
        (after("[keys]\nsource = \"http\"\n[keys.http]\nurl = []"), "15: keys.http.url: empty; "),
        (after("[keys]\nsource = \"http\"\n[keys.http]\nurl = 5"), "15: keys.http.url: integer `5` where "),
        (
            after("[keys]\nsource = \"http\"\nnode = \"a b\"\n[keys.http]\nurl = \"https://x/ring\""),
            "14: keys.node: `a b` is not a node's name",
        ),
        (
            after("[keys]\nsource = \"http\"\n[keys.http]\nurl = \"https://x/ring\"\nkey = \"k\""),
            "14: keys.http.certificate: missing; ",
        ),
        (after("[keys.etcd]\nfleet = \"x\""), "12: keys.etcd: would not be used; "),
        (after("[keys]\nrotation-patience = \"1\""), "13: keys.rotation-patience: `1` is no duration; "),
        (after("[keys]\nsource = \"file\""), "13: keys.file: missing; "),
        (after("[keys]\nsource = \"file\"\n[keys.file]"), "14: keys.file.path: missing; "),
        (after("[keys.file]\npath = \"x\""), "12: keys.file: would not be used; add source = \"file\""),
        (after("[keys]\nrotate = \"1\""), "13: keys.rotate: `1` is no duration; "),
        (after("[keys]\nrotate = \"500ms\""), "13: keys.rotate: rotate is 500ms, which no fleet can follow; "),
        (after("[keys]\naccept = \"0s\""), "13: keys.accept: accept is zero"),
        (after("[keys]\naccept = \"8d\""), "13: keys.accept: accept is "),
        (after("[keys]\nchain = \"0h\""), "13: keys.chain: chain is zero"),
        // Listeners.
        (String::new(), " there is no [[listener]] in it; "),
        (SOUND.replace("\"web\"", "\"we b\""), "5: listener.name: `we b` is no name; "),
        (without("name = \"web\""), "4: listener.name: missing; "),
        (SOUND.replace("[\"127.0.0.1:443\"]", "[]"), "6: listener.bind: empty; "),
        (SOUND.replace("127.0.0.1:443", "*:443"), "6: listener.bind: `*:443` is no address to listen on; "),
        (listener("mode = \"http\""), "8: listener.mode: not built yet; "),
        (listener("mode = \"udp\""), "8: listener.mode: `udp` is none of its values; write \"tcp\" or \"http\""),
        (
            SOUND.replace("upstream = \"app\"", "upstream = \"apq\""),
            "7: listener.upstream: there is no [[upstream]] called `apq`; did you mean `app`?",
        ),
        (
            SOUND.replace("upstream = \"app\"", "upstream = \"zzz\""),
            "7: listener.upstream: there is no [[upstream]] called `zzz`; add one, or name one of \"app\"",
        ),
        (without("upstream = \"app\""), "4: listener.upstream: missing; "),
        (listener("alpn = [\"\"]"), "8: listener.alpn: a protocol's name has 1 to 255 bytes; "),
        (
            listener("min-version = \"1.1\""),
            "8: listener.min-version: `1.1` is none of its values; write \"1.2\" or \"1.3\"",
        ),
        (listener("tickets = 256"), "8: listener.tickets: 256 is too many; 255 is the most"),
        (listener("max-connections = 0"), "8: listener.max-connections: 0 is too few; "),
        (
            listener("max-connections = 9223372036854775807"),
            "8: listener.max-connections: 9223372036854775807 is too many; 100000000 is the most",
        ),
        (listener("handshake-timeout = \"soon\""), "8: listener.handshake-timeout: `soon` is no duration; "),
        (listener("idle-timeout = \"0s\""), "8: listener.idle-timeout: zero, "),
        (listener("tls12-renewal = \"always\""), "8: listener.tls12-renewal: `always` is none of its values; "),
        (
            without("[[listener.certificate]]\nchain = \"site.pem\"\nkey = \"site.key\""),
            "4: listener.certificate: missing; ",
        ),
        (without("key = \"site.key\""), "8: listener.certificate.key: missing; "),
        (without("chain = \"site.pem\""), "8: listener.certificate.chain: missing; "),
        (SOUND.replace("site.key", "none.key"), "9: listener.certificate: DIR/none.key: cannot be read: No such file"),
        (
            SOUND.replace("site.key", "other.key"),
            "9: listener.certificate: DIR/site.pem: the first certificate does not belong to the key in DIR/other.key; ",
        ),
        (after("[listener.client-auth]\nmode = \"required\""), "12: listener.client-auth.ca: missing; "),
        (
            after("[listener.client-auth]\nca = \"site.key\""),
            "13: listener.client-auth: DIR/site.key: no certificate of a CA in it; ",
        ),
        (
            after("[listener.client-auth]\nca = \"site.pem\"\nmode = \"on\""),
            "14: listener.client-auth.mode: `on` is none of its values; ",
        ),
        // Addresses.
        (
            second_listener("127.0.0.1:443"),
            "14: listener.bind: listener `other` asks for 127.0.0.1:443, and listener `web` has 127.0.0.1:443; ",
        ),
        (
            second_listener("0.0.0.0:443"),
            "14: listener.bind: listener `other` asks for 0.0.0.0:443, and listener `web` has 127.0.0.1:443; ",
        ),
        (
            after("[edge]\nadmin = \"127.0.0.1:443\""),
            "13: edge.admin: the admin address asks for 127.0.0.1:443, and listener `web` has 127.0.0.1:443; ",
        ),
        (
            second_listener("127.0.0.1:444").replace("\"other\"", "\"web\""),
            "13: listener.name: `web` is the name of another one; ",
        ),
    ];
    assert_each_is_named(&cases);
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_their_lines() {
    let text = r#"
[edge]
workers = "many"
wrkers = 1
[keys]
rotate = "hourly"
[[listener]]
nam = "web"
bind = ["localhost:443", 5]
upstream = "app"
[[listener.certificate]]
chain = "none.pem"
key = "site.key"
[[listener]]
name = "other"
mode = "http"
[[upstream]]
name = "ap"
servers = ["127.0.0.1"]
tls = true
"#;
    let place = Place::new();
    let errors = place.load(text).expect_err("many mistakes");
    let lines: Vec<String> =
        place.shown(&errors).lines().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "3: edge.workers",
        "4: edge.wrkers",
        "6: keys.rotate",
        "7: listener.name",
        "8: listener.nam",
        "9: listener.bind",
        "10: listener.upstream",
        "12: listener.certificate",
        "14: listener.bind",
        "14: listener.upstream",
        "14: listener.certificate",
        "16: listener.mode",
        "19: upstream.servers",
        "20: upstream.tls",
    ]
    .map(|place| format!("DIR/raincheck.toml:{}", place.replace(": ", " ")));
    assert_eq!(lines, expected);
}

#[test]
fn a_file_that_cannot_be_read() {
    let errors = Config::load(Path::new("/no/such/raincheck.toml")).expect_err("no file");
    assert!(errors.to_string().starts_with("/no/such/raincheck.toml: cannot be read: No such file"), "{errors}");
}

#[test]
fn what_is_odd_but_can_be_done_is_a_warning() {
    let cases = [
        (
            format!("{SOUND}[[upstream]]\nname = \"idle\"\nservers = [\"127.0.0.1:81\"]"),
            "12: upstream: no listener uses `idle`",
        ),
        (format!("{SOUND}[keys]\nsource = \"local\"\n[keys.file]\npath = \"x\""), "14: keys.file: not used, because"),
        (
            SOUND.replace("site.", "expired."),
            "9: listener.certificate.chain: DIR/expired.pem: the certificate expired on",
        ),
    ];
    assert_each_is_a_warning(&cases);
}

#[test]
fn no_flags_at_all_are_a_demonstration_on_localhost() {
    let config = Config::from_flags(&EdgeFlags::default()).expect("nothing to be wrong");
    assert_eq!(config.admin, Some(([127, 0, 0, 1], 9900).into()));
    assert_eq!(config.keys.source, KeySource::Local);
    let [listener] = &config.listeners[..] else { panic!("one listener") };
    assert_eq!(listener.bind, [([127, 0, 0, 1], 8443).into()]);
    assert_eq!(listener.certificates.names(), ["localhost"]);
    assert_eq!(config.upstreams[listener.upstream].kind, UpstreamKind::Builtin);
    assert!(config.warnings[0].contains("throw-away"), "{:?}", config.warnings);
}

#[test]
fn flags_stand_for_a_file() {
    let place = Place::new();
    let flags = EdgeFlags {
        listen: vec![([127, 0, 0, 1], 444).into(), ([127, 0, 0, 1], 445).into()],
        to: vec!["127.0.0.1:80".into(), "127.0.0.1:81".into()],
        cert: Some(place.directory.path().join("site.pem")),
        key: Some(place.directory.path().join("site.key")),
        ticket_keys: Some("keys".into()),
        stats_socket: Some("stats.sock".into()),
        workers: Some(3),
        ..EdgeFlags::default()
    };
    let config = Config::from_flags(&flags).expect("sound flags");
    assert_eq!((config.workers, config.admin), (3, None));
    assert_eq!(config.stats_socket, flags.stats_socket);
    assert_eq!(config.keys.source, KeySource::File("keys".into()));
    let [listener] = &config.listeners[..] else { panic!("one listener") };
    assert_eq!(listener.bind, flags.listen);
    assert_eq!(listener.certificates.names(), ["a.example"]);
    assert_eq!(config.upstreams[listener.upstream].servers.len(), 2);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn flags_override_a_file_and_add_to_it() {
    let place = Place::new();
    let path = place.write("raincheck.toml", &format!("{SOUND}[edge]\nworkers = 1\nadmin = \"127.0.0.1:9900\""));
    let flags = EdgeFlags { config: Some(path), workers: Some(2), ..EdgeFlags::default() };
    let config = Config::from_flags(&flags).expect("a sound file");
    assert_eq!((config.workers, config.admin, config.listeners.len()), (2, Some(([127, 0, 0, 1], 9900).into()), 1));

    let admin = Some(([127, 0, 0, 1], 9901).into());
    let flags = EdgeFlags { listen: vec![([127, 0, 0, 1], 9900).into()], admin, ..flags };
    let config = Config::from_flags(&flags).expect("the admin address has moved away");
    assert_eq!(config.admin, admin);
    let [_, added] = &config.listeners[..] else { panic!("two listeners") };
    assert_eq!((added.name.as_str(), config.upstreams[added.upstream].kind), ("edge", UpstreamKind::Builtin));
}

#[test]
fn flags_that_contradict_one_another_or_make_no_sense_alone() {
    let place = Place::new();
    let path = place.write("raincheck.toml", SOUND);
    let named_edge = place.write("edge.toml", &SOUND.replace("\"web\"", "\"edge\""));
    let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let file = || Some("x.pem".into());
    let none = EdgeFlags::default;
    let cases = [
        (
            EdgeFlags { to: vec!["127.0.0.1:80".into()], ..none() },
            "--to: servers, but no listener for them; add --listen",
        ),
        (
            EdgeFlags { cert: file(), key: file(), ..none() },
            "--cert: a certificate, but no listener for it; add --listen",
        ),
        (EdgeFlags { config: Some(path.clone()), to: vec!["127.0.0.1:80".into()], ..none() }, "--to: servers, but no"),
        (
            EdgeFlags { listen: vec![local(444)], cert: file(), ..none() },
            "--cert: a certificate without its key; add --key",
        ),
        (
            EdgeFlags { listen: vec![local(444)], key: file(), ..none() },
            "--key: a key without its certificate; add --cert",
        ),
        (EdgeFlags { listen: vec![local(444)], cert: file(), key: file(), ..none() }, "--cert: x.pem: cannot be read"),
        (
            EdgeFlags { listen: vec![local(444)], to: vec!["localhost".into()], ..none() },
            "--to: `localhost` has no port",
        ),
        (
            EdgeFlags { listen: vec![local(444)], to: vec!["localhost:80".into(); 2], ..none() },
            "--to: `localhost:80` is listed already",
        ),
        (EdgeFlags { listen: vec![local(444); 2], ..none() }, "--listen: listener `edge` asks for 127.0.0.1:444"),
        (
            EdgeFlags { listen: vec![local(444)], admin: Some(local(444)), ..none() },
            "--admin: the admin address asks for",
        ),
        (
            EdgeFlags { config: Some(path), listen: vec![local(443)], ..none() },
            "--listen: listener `edge` asks for 127.0.0.1:443, and listener `web` has",
        ),
        (
            EdgeFlags { config: Some(named_edge), listen: vec![local(444)], ..none() },
            "--listen: the file given by -c has a listener `edge`",
        ),
        (EdgeFlags { workers: Some(0), ..none() }, "--workers: 0 is too few"),
        (EdgeFlags { workers: Some(usize::MAX), ..none() }, "--workers: 18446744073709551615 is too many"),
    ];
    for (flags, expected) in cases {
        let errors = Config::from_flags(&flags).expect_err(expected);
        assert!(errors.to_string().starts_with(expected), "{expected}\n{errors}");
        assert_eq!(errors.iter().len(), 1, "{errors}");
    }
}

/// Each of these files is wrong in one thing, and the error begins like this, behind the file's name.
fn assert_each_is_named(cases: &[(String, &str)]) {
    let place = Place::new();
    for (text, expected) in cases {
        let errors = place.load(text).expect_err(expected);
        let shown = place.shown(&errors);
        assert!(shown.starts_with(&format!("DIR/raincheck.toml:{expected}")), "{expected}\n{shown}\n{text}");
        assert_eq!(errors.iter().len(), 1, "{shown}\n{text}");
    }
}

/// Each of these files is odd in one thing, and the warning begins like this, behind the file's name.
fn assert_each_is_a_warning(cases: &[(String, &str)]) {
    let place = Place::new();
    for (text, expected) in cases {
        let config = place.load(text).expect("odd, not wrong");
        let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
        let shown = place.without_directory(warning);
        assert!(shown.starts_with(&format!("DIR/raincheck.toml:{expected}")), "{expected}\n{shown}");
    }
}

fn second_listener(address: &str) -> String {
    let table = format!("[[listener]]\nname = \"other\"\nbind = [\"{address}\"]\nupstream = \"app\"\n");
    format!("{SOUND}{table}[[listener.certificate]]\nchain = \"site.pem\"\nkey = \"site.key\"\n")
}

/// A directory with a certificate and its key, another key, and an expired certificate.
#[test]
fn one_file_serves_an_edge_and_a_server_of_keys_on_machines_of_their_own() {
    let place = Place::new();
    let absent =
        "[serve]\nlisten = [\"127.0.0.1:0\"]\ncertificate = \"no.pem\"\nkey = \"no.key\"\nclient-ca = \"no.pem\"\n";
    let path = place.write("raincheck.toml", &format!("{SOUND}{absent}"));
    let flags = EdgeFlags { config: Some(path.clone()), ..EdgeFlags::default() };
    let edge = Config::from_flags(&flags).expect("an edge");
    assert_eq!((edge.listeners.len(), edge.serve.is_none()), (1, true));
    assert!(Config::to_serve_keys(&path).is_err() && Config::load(&path).is_err());

    let at_server = absent.replace("no.", "site.");
    let path = place.write("raincheck.toml", &format!("{at_server}{}", SOUND.replace("site.", "no.")));
    let (setup, warnings) = Config::to_serve_keys(&path).expect("a server of keys");
    assert_eq!((setup.serve.listen.len(), warnings), (1, Vec::<String>::new()));
    assert!(Config::load(&path).is_err());
    // A slip is one wherever it is.
    let path = place.write("raincheck.toml", &format!("{SOUND}{absent}listens = 1\n"));
    let flags = EdgeFlags { config: Some(path), ..EdgeFlags::default() };
    assert!(place.shown(&Config::from_flags(&flags).unwrap_err()).contains("serve.listens: unknown key"));
}

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().expect("a directory") };
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["a.example".to_owned()]).expect("a sound name");
        place.write("site.pem", &params.self_signed(&key).expect("a certificate").pem());
        place.write("site.key", &key.serialize_pem());
        place.write("other.key", &KeyPair::generate().expect("a key").serialize_pem());
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        place.write("expired.pem", &params.self_signed(&key).expect("a certificate").pem());
        place.write("expired.key", &key.serialize_pem());
        place
    }

    fn load(&self, text: &str) -> Result<Config, ConfigErrors> {
        Config::load(&self.write("raincheck.toml", text))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    fn shown(&self, errors: &ConfigErrors) -> String {
        self.without_directory(&errors.to_string())
    }

    fn without_directory(&self, text: &str) -> String {
        text.replace(&self.directory.path().display().to_string(), "DIR")
    }
}
