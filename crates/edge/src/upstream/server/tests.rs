use super::super::check::{Failed, Passed};
use super::*;
use crate::certificate::ServerAuthority;
use crate::config::{Balance, Check, CheckKind, UpstreamKind, UpstreamTls};

const SECOND: Duration = Duration::from_secs(1);

/// An upstream whose servers are checked, and over TLS.
fn upstream() -> config::Upstream {
    let authority = ServerAuthority::dangerous_any();
    config::Upstream {
        name: "app".into(),
        kind: UpstreamKind::Servers,
        balance: Balance::LeastConnections,
        servers: vec![],
        send_proxy: None,
        connect_timeout: SECOND,
        slow_start: Duration::ZERO,
        eject_after: 1,
        eject_for: 10 * SECOND,
        resolve_every: SECOND,
        tls: Some(UpstreamTls {
            server_name: None,
            digest: authority.digest(None),
            verifier: authority.verifier,
            identity: None,
            alpn: vec![],
            min_version: MinVersion::Tls12,
            sessions: 4,
        }),
        check: Some(Check {
            kind: CheckKind::Tcp,
            every: SECOND,
            fast_every: SECOND,
            timeout: SECOND,
            rise: 1,
            fall: 1,
            keep_alive: false,
        }),
    }
}

fn named() -> config::Server {
    let address = "10.0.0.1:443".parse().unwrap();
    config::Server { name: "a.example:443".into(), address, host: Some("a.example".into()), weight: 2, backup: false }
}

fn server(predecessor: Option<&Server>, change: impl FnOnce(&mut config::Server, &mut config::Upstream)) -> Server {
    let (mut config, mut upstream) = (named(), upstream());
    change(&mut config, &mut upstream);
    Server::new(&config, &upstream, predecessor).unwrap()
}

fn same(one: &Server, other: &Server) -> bool {
    Arc::ptr_eq(&one.target(), &other.target())
}

fn report(result: Result<Passed, Failed>) -> Report {
    Report { at: std::time::SystemTime::now(), took: Duration::ZERO, result: result.map_err(Arc::new) }
}

#[test]
fn a_server_stays_where_its_name_still_leads() {
    let server = server(None, |_, _| {});
    let [first, second, third] = [1, 2, 3].map(|last| SocketAddr::from(([10, 0, 0, last], 443)));
    for found in [&[][..], &[first], &[second, first]] {
        assert!(!server.moved(found), "{found:?}");
    }
    let before = server.target();
    assert!(server.moved(&[second, third]));
    assert_eq!(server.address(), second);
    // Another server, maybe: its sessions are others, its name is the same.
    let (before, now) = (before.connector.as_ref().unwrap(), server.target());
    let now = now.connector.as_ref().unwrap();
    assert!(!Arc::ptr_eq(before, now));
    assert_eq!(before.server_name(), now.server_name());
}

#[test]
fn a_reload_keeps_sessions_as_long_as_they_mean_the_same() {
    let before = server(None, |_, _| {});
    assert!(same(&before, &server(Some(&before), |_, _| {})));
    assert!(same(&before, &server(Some(&before), |server, upstream| (server.weight, upstream.check) = (7, None))));
    // Where a name was found last counts for more than where it is found now.
    assert!(same(&before, &server(Some(&before), |server, _| server.address.set_port(443))));
    let changes: [fn(&mut config::Server, &mut config::Upstream); 6] = [
        |_, upstream| upstream.tls = None,
        |_, upstream| upstream.tls.as_mut().unwrap().digest = [0; 32],
        |_, upstream| upstream.tls.as_mut().unwrap().min_version = MinVersion::Tls13,
        |_, upstream| upstream.tls.as_mut().unwrap().alpn = vec![b"h2".to_vec()],
        |_, upstream| upstream.tls.as_mut().unwrap().sessions = 5,
        |server, _| (server.host, server.address) = (None, "10.0.0.2:443".parse().unwrap()),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert!(!same(&before, &server(Some(&before), change)), "change {index}");
    }
}

#[test]
fn a_reload_forgets_neither_what_an_operator_wants_nor_that_a_server_is_down() {
    let before = server(None, |_, _| {});
    before.set_wanted(Wanted::Drain);
    before.set_weight(Some(9));
    assert_eq!(before.checked(report(Err(Failed::Status(500))), Instant::now()), Some(Change::Down));
    let after = server(Some(&before), |_, _| {}).standing();
    assert_eq!((after.wanted, after.weight, after.health.is_up()), (Wanted::Drain, Some(9), false));
    let unchecked = server(Some(&before), |_, upstream| upstream.check = None).standing();
    assert_eq!((unchecked.wanted, unchecked.weight, unchecked.health.is_up()), (Wanted::Drain, Some(9), true));
}

#[test]
fn its_share_is_nothing_while_it_takes_no_connections() {
    let server = server(None, |_, upstream| upstream.slow_start = 10 * SECOND);
    let now = Instant::now();
    assert_eq!(server.share(now, false), 512);
    server.failed(now);
    assert_eq!((server.share(now, false), server.share(now, true)), (0, 512));
    server.succeeded();
    assert_eq!(server.share(now, false), 512);
    for wanted in [Wanted::Drain, Wanted::Maintenance] {
        server.set_wanted(wanted);
        assert_eq!(server.share(now, true), 0);
    }
    server.set_wanted(Wanted::Ready);
    server.checked(report(Err(Failed::Body)), now);
    assert_eq!(server.share(now, true), 0);
    assert_eq!(server.checked(report(Ok(Passed::default())), now), Some(Change::Up));
    assert_eq!((server.share(now, false), server.share(now + 10 * SECOND, false)), (51, 512));
}

#[test]
fn downtime_is_that_of_checks_and_of_maintenance() {
    let mut standing = Standing::new();
    let start = standing.changed;
    let after = |seconds| start + Duration::from_secs(seconds);
    let downtime = |standing: &Standing, seconds| standing.downtime(after(seconds)).as_secs();
    assert_eq!(downtime(&standing, 5), 0);
    standing.change(after(10));
    standing.health = Health::Down { passes: 0 };
    assert_eq!(downtime(&standing, 13), 3);
    // An operator who has a word meanwhile makes nothing of it forgotten.
    standing.change(after(14));
    standing.wanted = Wanted::Drain;
    assert_eq!(downtime(&standing, 15), 5);
    standing.change(after(16));
    standing.health = Health::Up { failures: 0 };
    assert_eq!(downtime(&standing, 60), 6);
    standing.change(after(60));
    standing.wanted = Wanted::Maintenance;
    assert_eq!((downtime(&standing, 64), standing.changed), (10, after(60)));
}
