use raincheck_control::agent::Outlet;
use raincheck_control::sink::Sink;
use raincheck_keyring::{KeySize, Product};

use super::*;

#[test]
fn what_is_left_out_has_the_defaults_of_the_design() {
    let outlets = outlets(&[haproxy(""), nginx(""), envoy(""), h2o(""), file("")].concat());
    let [haproxy, nginx, envoy, h2o, file] = &outlets[..] else { panic!("five sinks") };
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let accept = |outlet: &Outlet| outlet.slots.accept(hours(1));
    assert_eq!((haproxy.slots.count(), accept(haproxy)), (3, [hours(1), hours(2)]));
    for outlet in [nginx, envoy, h2o, file] {
        assert_eq!((outlet.slots.count(), accept(outlet)), (20, [hours(18), hours(19)]), "{}", outlet.name);
    }
    assert!(outlets.iter().all(|outlet| outlet.size == KeySize::Bits256));
    let products = [Product::HaProxy, Product::Nginx, Product::Envoy, Product::H2o, Product::HaProxy];
    assert_eq!(outlets.iter().map(|outlet| outlet.product).collect::<Vec<_>>(), products);
    let names: Vec<_> = outlets.iter().map(|outlet| outlet.sink.name()).collect();
    assert_eq!(names, ["haproxy", "nginx", "envoy", "h2o", "file"]);
}

#[test]
fn everything_that_can_be_said_is_read() {
    let place = Place::new();
    let text = "[keys]\nnode = \"lb\"\n[agent]\nadmin = \"127.0.0.1:9902\"\n".to_owned()
        + &haproxy("rotate = \"6h\"\naccept = \"6h\"\nbits = 128\nreference = \"#0\"\non-disk = true\n")
        + &nginx(
            "accept = \"4h\"\nrotate = \"2h\"\ntest = [\"true\"]\nreload = [\"true\"]\npid-file = \"nginx.pid\"\n",
        )
        + &envoy("secret = \"keys\"\n")
        + &file("product = \"h2o\"\n");
    let config = place.load(&text).expect("a sound file");
    assert_eq!(config.agent_admin, Some(([127, 0, 0, 1], 9902).into()));
    let [haproxy, nginx, _, file] = &config.outlets[..] else { panic!("four sinks") };
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    assert_eq!((haproxy.slots.accept(hours(1)), haproxy.size), ([hours(6), hours(12)], KeySize::Bits128));
    // A reference by number, and not the file: no other message says what is asked for.
    let Sink::HaProxy(_) = &haproxy.sink else { panic!("{haproxy:?}") };
    assert!(format!("{haproxy:?}").contains("\"#0\""), "{haproxy:?}");
    haproxy.sink.check().expect("allowed on a disk");
    assert_eq!((nginx.slots.count(), nginx.slots.accept(hours(1))), (4, [hours(4), hours(6)]));
    assert!(format!("{nginx:?}").contains("nginx.pid"), "{nginx:?}");
    assert_eq!((file.product, file.sink.file()), (Product::H2o, &*place.directory.path().join("keys")));
}

#[test]
fn each_mistake_is_named_with_its_line_key_and_remedy() {
    let ring = |lines: &str, sink: String| format!("[keys]\n{lines}\n{sink}");
    let two = |one: String, other: String| one + &other.replace("name = \"", "name = \"other-");
    let cases = [
        (
            "[agent]\nadmin = \"localhost\"\n".to_owned() + &file(""),
            "2: agent.admin: `localhost` is no address to listen",
        ),
        (
            "[agent]\nadmins = 1\n".to_owned() + &file(""),
            "2: agent.admins: unknown key `admins`; did you mean `admin`?",
        ),
        // What it is.
        ("[[sink]]\nkind = \"file\"\nfile = \"keys\"".into(), "1: sink.name: missing; "),
        ("[[sink]]\nname = \"a\"\nfile = \"keys\"".into(), "1: sink.kind: missing; say which product it is"),
        ("[[sink]]\nname = \"a\"\nkind = \"apache\"\nfile = \"keys\"".into(), "3: sink.kind: `apache` is none of its"),
        ("[[sink]]\nname = \"a\"\nkind = \"h2o\"".into(), "1: sink.file: missing; name the file that is written for"),
        (
            "[[sink]]\nname = \"a\"\nkind = \"haproxy\"\nfile = \"stek\"".into(),
            "1: sink.socket: missing; name HAProxy's",
        ),
        (file("colour = 1"), "5: sink.colour: unknown key `colour`; known here: name, kind, file, on-disk, rotate"),
        (file("fille = 1"), "5: sink.fille: unknown key `fille`; did you mean `file`?"),
        (file("on-disk = 1"), "5: sink.on-disk: integer `1` where true or false is needed"),
        // How often, and for how long.
        (haproxy("rotate = \"90m\""), "6: sink.rotate: 1h30m is no multiple of keys.rotate, which is 1h; "),
        (haproxy("rotate = \"30m\""), "6: sink.rotate: 30m is no multiple of keys.rotate, which is 1h; "),
        (haproxy("rotate = \"0s\""), "6: sink.rotate: 0s is no multiple of keys.rotate"),
        (haproxy("rotate = \"often\""), "6: sink.rotate: `often` is no duration; "),
        (
            haproxy("accept = \"2h\""),
            "6: sink.accept: 2h is more than HAProxy's three slots can open for, which is 1h; ",
        ),
        (
            haproxy("rotate = \"8h\""),
            "6: sink.rotate: 3 keys, each for 8h, are made from 24 of the ring's, which keeps 22; write \"7h\" or less",
        ),
        (
            nginx("rotate = \"6h\""),
            "5: sink.rotate: 5 keys, each for 6h, are made from 30 of the ring's, which keeps 22; write \"2h\" or less",
        ),
        (
            nginx("accept = \"30h\""),
            "5: sink.accept: 32 keys, each for 1h, are made from 32 of the ring's, which keeps 22; write a shorter one",
        ),
        (
            ring("source = \"file\"\n[keys.file]\npath = \"ring\"", haproxy("rotate = \"2h\"")),
            "10: sink.rotate: the keys of a file have no epochs, by which nodes could choose the same ones; ",
        ),
        // What is for other products.
        (haproxy("bits = 192"), "6: sink.bits: 192 is no size of a key; write 128 or 256"),
        (h2o("bits = 128"), "5: sink.bits: 128, and this product takes 256 only; "),
        (envoy("bits = 128"), "5: sink.bits: 128, and this product takes 256 only; "),
        (nginx("product = \"nginx\""), "5: sink.product: only kind = \"file\" takes one; "),
        (file("product = \"apache\""), "5: sink.product: `apache` is none of its values; "),
        (nginx("socket = \"admin.sock\""), "5: sink.socket: not for a product of this kind; "),
        (h2o("reference = \"#0\""), "5: sink.reference: not for a product of this kind; "),
        (haproxy("test = [\"true\"]"), "6: sink.test: not for a product of this kind; "),
        (envoy("pid-file = \"pid\""), "5: sink.pid-file: not for a product of this kind; "),
        (file("secret = \"stek\""), "5: sink.secret: not for a product of this kind; "),
        (nginx("test = []"), "5: sink.test: empty; name the program and its arguments, "),
        (nginx("reload = \"nginx -s reload\""), "5: sink.reload: string \"nginx -s reload\" where an array is needed"),
        (
            haproxy("").replace("admin.sock", "127.0.0.1:0"),
            "5: sink.socket: `127.0.0.1:0` is neither the path of a socket, such as /run/haproxy/admin.sock, nor host",
        ),
        (
            envoy("").replace(".yaml", ".pb"),
            "1: sink.file: DIR/stek.pb: a file that Envoy reads as protobuf for its name",
        ),
        // Two of them.
        (
            file("") + &h2o("").replace("\"h2o\"\nkind", "\"file\"\nkind"),
            "7: sink.name: `file` is the name of another one; ",
        ),
        (two(file(""), file("")), "9: sink.file: the file of sink file, too; give each its own"),
        (
            two(nginx(""), nginx("").replace("ticket-keys", "more")),
            "9: sink.file: in the directory of sink nginx, which removes all keys there but its own; ",
        ),
    ];
    assert_each_is_named(&cases);
}

#[test]
fn what_is_slower_than_the_rotation_is_a_warning() {
    let ring = |rotate: &str| format!("[keys]\nrotate = \"{rotate}\"\naccept = \"1m\"\n{}", h2o(""));
    let slow = "4: sink.rotate: h2o has a new key 11s after it is written, and keys.rotate is 10s; rotation waits";
    assert_each_is_a_warning(&[(ring("10s"), slow)]);
    assert_eq!(Place::new().load(&ring("11s")).expect("a sound file").warnings, [""; 0]);
}

#[test]
fn a_directory_that_will_not_do_is_no_mistake_of_the_file_and_can_be_asked_for() {
    let text = file("").replace("\"keys\"", "\"/proc/keys\"") + &h2o("").replace("\"h2o.yaml\"", "\"/no/such/stek\"");
    let outlets = outlets(&text);
    let found: Vec<String> = outlets.iter().map(|outlet| outlet.sink.check().unwrap_err().to_string()).collect();
    assert!(found[0].starts_with("/proc: not on tmpfs or ramfs"), "{found:?}");
    assert!(found[1].starts_with("/no/such: there is no such directory"), "{found:?}");
}

fn outlets(text: &str) -> Vec<Outlet> {
    let config = Place::new().load(text).expect("a sound file");
    assert_eq!(config.warnings, [""; 0]);
    config.outlets
}

/// What follows begins at line 6.
fn haproxy(lines: &str) -> String {
    format!("[[sink]]\nname = \"haproxy\"\nkind = \"haproxy\"\nfile = \"stek\"\nsocket = \"admin.sock\"\n{lines}\n")
}

/// What follows begins at line 5, as in all others.
fn nginx(lines: &str) -> String {
    format!("[[sink]]\nname = \"nginx\"\nkind = \"nginx\"\nfile = \"ticket-keys.conf\"\n{lines}\n")
}

fn envoy(lines: &str) -> String {
    format!("[[sink]]\nname = \"envoy\"\nkind = \"envoy\"\nfile = \"stek.yaml\"\n{lines}\n")
}

fn h2o(lines: &str) -> String {
    format!("[[sink]]\nname = \"h2o\"\nkind = \"h2o\"\nfile = \"h2o.yaml\"\n{lines}\n")
}

fn file(lines: &str) -> String {
    format!("[[sink]]\nname = \"file\"\nkind = \"file\"\nfile = \"keys\"\n{lines}\n")
}
