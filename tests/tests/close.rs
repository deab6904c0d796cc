//! Every close is clean where the peer lets it be, and a truncated stream never looks complete.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use raincheck_tests::client::{Ending, Seen, Version, Visit, gnutls, java, openssl};
use raincheck_tests::deadline::{PATIENCE, until, within};
use raincheck_tests::edge::Edge;
use raincheck_tests::raw::Connection;
use raincheck_tests::require;
use raincheck_tests::site::{NAME, Site};
use raincheck_tests::tap::{self, Tap};
use raincheck_tests::upstream::{End, Upstream};

const BOTH: [Version; 2] = [Version::Tls12, Version::Tls13];
const CLOSED: &str = "raincheck_connections_closed_total";
/// How long the edge waits for a client that says nothing any more: `LINGER` in `crates/edge/src/tcp.rs`.
const LINGER: Duration = Duration::from_secs(10);

#[test]
fn clean_to_openssl() {
    require!("openssl");
    clean(openssl::twice, &Upstream::http());
}

#[test]
fn clean_to_gnutls() {
    require!("gnutls-cli");
    clean(gnutls::twice, &Upstream::echo());
}

#[test]
fn clean_to_java() {
    require!("java", "javac");
    clean(java::twice, &Upstream::http());
}

/// Clean as the client sees it, as the edge counts it, and on the wire: FIN both ways and no reset.
fn clean(twice: fn(&Visit) -> [Seen; 2], app: &Upstream) {
    let site = Site::new();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let tap = Tap::to(&[edge.address("web")]);
    for (count, version) in BOTH.into_iter().enumerate() {
        let seen = twice(&site.visit(tap.address(), version));
        assert!(seen.iter().all(|seen| seen.ending == Ending::Clean), "{version:?}: {seen:?}");
        for index in [2 * count, 2 * count + 1] {
            assert_eq!(tap.whole(index).server_end, Some(tap::End::Finished), "{version:?}");
        }
    }
    edge.expect_sum(CLOSED, &[("side", "client"), ("how", "clean")], 4.0);
    edge.expect_sum(CLOSED, &[("side", "client")], 4.0);
}

#[test]
fn a_client_that_half_closes_gets_its_answer() {
    let site = Site::new();
    let app = Upstream::answer_on_half_close();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    for version in BOTH {
        let mut connection = site.raw(version).connect(edge.address("web"), NAME);
        connection.write(&[b'x'; 100_000]);
        connection.half_close();
        assert_eq!(connection.read_to_end(), (b"100000".to_vec(), Ending::Clean), "{version:?}");
    }
    edge.expect_sum(CLOSED, &[("side", "client"), ("how", "clean")], 2.0);
}

#[test]
fn close_notify_alone_is_a_half_close_too() {
    let site = Site::new();
    let app = Upstream::answer_on_half_close();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    for version in BOTH {
        let mut connection = site.raw(version).connect(edge.address("web"), NAME);
        connection.write(b"four");
        // TCP stays open both ways.
        connection.close_notify();
        assert_eq!(connection.read_to_end(), (b"4".to_vec(), Ending::Clean), "{version:?}");
    }
}

#[test]
fn a_service_that_half_closes_still_gets_the_rest() {
    let site = Site::new();
    let app = Upstream::closing_first(b"that was all from me");
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    for (index, version) in BOTH.into_iter().enumerate() {
        let mut connection = site.raw(version).connect(edge.address("web"), NAME);
        assert_eq!(connection.read(20), b"that was all from me");
        // That everything has been said may reach us now or later; we go on in either case.
        connection.write(&[b'x'; 1_000_000]);
        connection.half_close();
        assert_eq!(connection.read_to_end(), (vec![], Ending::Clean), "{version:?}");
        let received = app.ended(index);
        assert_eq!((received.count, received.end), (1_000_000, Some(End::Finished)), "{version:?}");
    }
}

#[test]
fn a_truncated_client_is_counted_and_its_bytes_are_delivered() {
    let site = Site::new();
    let app = Upstream::sink();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    for (index, version) in BOTH.into_iter().enumerate() {
        let mut connection = site.raw(version).connect(edge.address("web"), NAME);
        connection.write(&[b'x'; 200_000]);
        connection.truncate();
        connection.read_to_end();
        assert_eq!(app.ended(index).count, 200_000, "{version:?}");
    }
    edge.expect_sum(CLOSED, &[("side", "client"), ("how", "truncated")], 2.0);
    edge.expect_sum(CLOSED, &[("side", "client")], 2.0);
}

#[test]
fn a_client_that_resets_is_counted_as_reset() {
    let site = Site::new();
    let app = Upstream::sink();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    for (index, version) in BOTH.into_iter().enumerate() {
        let mut connection = site.raw(version).connect(edge.address("web"), NAME);
        connection.write(b"hello");
        app.has_received(index, 5);
        connection.reset();
        app.ended(index);
    }
    edge.expect_sum(CLOSED, &[("side", "client"), ("how", "reset")], 2.0);
    edge.expect_sum(CLOSED, &[("side", "client")], 2.0);
}

#[test]
fn a_service_that_resets_does_not_look_complete_to_the_client() {
    let site = Site::new();
    let app = Upstream::serving(|mut served| {
        served.read_head();
        served.write(b"half of an ans");
        served.reset();
    });
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    for version in BOTH {
        let mut connection = site.raw(version).connect(edge.address("web"), NAME);
        connection.write(b"GET / HTTP/1.1\r\n\r\n");
        let (_, ending) = connection.read_to_end();
        assert_ne!(ending, Ending::Clean, "{version:?}");
    }
}

#[test]
fn no_reset_follows_a_clean_close_though_the_client_still_sends() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    for version in BOTH {
        let tap = Tap::to(&[edge.address("web")]);
        let mut connection = site.raw(version).connect(tap.address(), NAME);
        connection.write(raincheck_tests::raw::REQUEST);
        let (answer, ending) = connection.read_to_end();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        assert_eq!(ending, Ending::Clean);
        // The service does not want it any more; the edge takes it all the same.
        connection.write(&[b'x'; 50_000]);
        connection.half_close();
        let whole = tap.whole(0);
        assert_eq!((whole.client_end, whole.server_end), (Some(tap::End::Finished), Some(tap::End::Finished)));
    }
}

/// RFC 8446 §6.1: what comes behind close_notify is ignored. Left unread it would reset the connection, and take along what
/// the client has not read yet.
#[test]
fn what_comes_behind_close_notify_costs_the_client_nothing() {
    let site = Site::new();
    let app = Upstream::serving(|mut served| {
        served.read_head();
        served.write(&[b'x'; 1_500_000]);
        served.finish();
        while served.read().is_some() {}
    });
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    for (index, version) in BOTH.into_iter().enumerate() {
        let mut connection = site.raw(version).connect(edge.address("web"), NAME);
        connection.write(raincheck_tests::raw::REQUEST);
        connection.close_notify();
        assert_eq!(app.ended(index).end, Some(End::Finished));
        connection.socket.write_all(b"\x17\x03\x03\x00\x10a stray record..").unwrap();
        let (answer, ending) = connection.read_to_end();
        assert_eq!((answer.len(), ending), (1_500_000, Ending::Clean), "{version:?}");
    }
}

/// A service that has ended its side may be waiting for an upload still, and the client may take its time.
#[test]
fn a_client_that_pauses_in_its_upload_is_not_cut_off() {
    let site = Site::new();
    let app = Upstream::closing_first(b"go on");
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let mut connection = site.raw(Version::Tls13).connect(edge.address("web"), NAME);
    assert_eq!(connection.read_to_end(), (b"go on".to_vec(), Ending::Clean));
    connection.write(b"first part, ");
    app.has_received(0, 12);
    std::thread::sleep(LINGER + Duration::from_secs(2)); // the pause is what this is about
    connection.write(b"second part");
    connection.half_close();
    let received = app.ended(0);
    assert_eq!((received.count, received.end), (23, Some(End::Finished)));
}

#[test]
fn a_client_that_leaves_after_the_close_without_saying_so_does_not_stay_forever() {
    let site = Site::new();
    let app = Upstream::http();
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let mut connection = site.raw(Version::Tls13).connect(edge.address("web"), NAME);
    connection.write(raincheck_tests::raw::REQUEST);
    connection.read_to_end();
    // Neither close_notify nor FIN from us: the edge gives up by itself, well within the idle timeout of five minutes.
    until("the edge gives up", || (edge.sum(CLOSED, &[("side", "client")]) == 1.0).then_some(()));
}

/// The edge learns of the reset by a write that fails: the read that follows shows a plain end, and it is none.
#[test]
fn a_service_that_resets_during_an_upload_does_not_look_complete_either() {
    let site = Site::new();
    let app = Upstream::serving(|mut served| {
        for _ in 0..20 {
            served.read();
            served.write(&[b'x'; 1000]);
        }
        served.reset();
    });
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    for version in BOTH {
        for run in 0..30 {
            let ending = upload_until_the_end(site.raw(version).connect(edge.address("web"), NAME));
            assert!(matches!(ending, Ending::Truncated | Ending::Reset), "{version:?}, run {run}: {ending:?}");
        }
    }
    edge.expect_sum(CLOSED, &[("side", "upstream"), ("how", "reset")], 60.0);
}

/// Writes all the time, reads what comes, and says how the server ended its side.
fn upload_until_the_end(mut connection: Connection) -> Ending {
    connection.socket.set_nonblocking(true).unwrap();
    let start = Instant::now();
    let mut buffer = vec![0; 64 * 1024];
    while start.elapsed() < PATIENCE {
        // What does not fit, or comes too late, is not missed.
        let _ = connection.try_write(&[b'a'; 16 * 1024]);
        match connection.receive() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) if error.kind() == ErrorKind::InvalidData => return Ending::Alert,
            Err(_) => return Ending::Reset,
            Ok(_) => {}
        }
        loop {
            match connection.tls.reader().read(&mut buffer) {
                Ok(0) => return Ending::Clean,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ending::Truncated,
                Err(_) => break,
            }
        }
    }
    panic!("no end within {PATIENCE:?}");
}

#[test]
fn a_client_that_is_gone_during_an_endless_download_does_not_keep_the_connection() {
    let site = Site::new();
    let app = Upstream::serving(|mut served| while served.write(&[b'x'; 100_000]) {});
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let leaving: [fn(Connection); 3] = [Connection::reset, drop, |mut connection| {
        connection.half_close();
        drop(connection);
    }];
    for version in BOTH {
        for leave in leaving {
            let mut connection = site.raw(version).connect(edge.address("web"), NAME);
            connection.read(1_000_000);
            leave(connection);
        }
    }
    let open = || edge.sum("raincheck_connections_open", &[]);
    within(2 * LINGER, || (open() == 0.0).then_some(())).unwrap_or_else(|| panic!("{} are still open", open()));
    edge.expect_sum(CLOSED, &[("side", "client")], 6.0);
}

/// The service is done long before the client is, and the client is silent for longer than one may be that is gone.
#[test]
fn a_client_that_reads_slowly_gets_all_of_it() {
    const ALL: usize = 2_500_000;
    const BEFORE: usize = 500_000;
    let site = Site::new();
    let app = Upstream::serving(|mut served| {
        served.read();
        served.write(&vec![b'x'; ALL]);
        served.finish();
        while served.read().is_some() {}
    });
    let edge = Edge::start(&site.scratch, site.web(app.address()));
    let mut connections = BOTH.map(|version| {
        let mut connection =
            site.raw(version).connect_with_receive_buffer(edge.address("web"), NAME, SMALL_RECEIVE_BUFFER);
        connection.write(b"all, please");
        connection.read(BEFORE);
        connection
    });
    // To be slow is what this test is about.
    let start = Instant::now();
    until("the pause is over", || (start.elapsed() > LINGER + Duration::from_secs(2)).then_some(()));
    for (connection, version) in connections.iter_mut().zip(BOTH) {
        connection.write(b"!");
        let (rest, ending) = connection.read_to_end();
        assert_eq!((BEFORE + rest.len(), ending), (ALL, Ending::Clean), "{version:?}");
    }
}

const SMALL_RECEIVE_BUFFER: usize = 64 << 10;
