use raincheck_keyring::KeySize;
use tokio::net::UnixListener;

use super::super::tests::{in_memory, sample};
use super::*;
use crate::fresh_key;

#[test]
fn what_is_missing_is_pushed_and_no_more() {
    let keys: Vec<_> = (0..6).map(|_| Arc::new(fresh_key(KeySize::Bits256))).collect();
    let name = |index: usize| keys[index].name();
    for (held, wanted, pushed) in [
        // As it should be.
        ([1, 2, 3], &keys[1..4], &[][..]),
        // One, two rotations behind, more than three: after a restart with an old file.
        ([0, 1, 2], &keys[1..4], &keys[3..4]),
        ([0, 1, 2], &keys[2..5], &keys[3..5]),
        ([0, 1, 2], &keys[3..6], &keys[3..6]),
        // In another order, or ahead.
        ([3, 2, 1], &keys[1..4], &keys[2..4]),
        ([2, 1, 3], &keys[1..4], &keys[1..4]),
        ([3, 4, 5], &keys[1..4], &keys[1..4]),
        // A ring without a retiring key.
        ([5, 1, 2], &keys[1..3], &[]),
        ([4, 5, 1], &keys[1..3], &keys[2..3]),
    ] {
        let names = held.map(name);
        assert_eq!(super::names(missing(&names, wanted)), super::names(pushed), "{held:?}");
    }
}

#[test]
fn after_the_push_haproxy_holds_what_it_should_whatever_it_held() {
    let keys: Vec<_> = (0..5).map(|_| Arc::new(fresh_key(KeySize::Bits256))).collect();
    for held in 0..125 {
        let held = [held / 25, held / 5 % 5, held % 5].map(|index| keys[index].name());
        for wanted in [&keys[1..4], &keys[3..5]] {
            let after = [&held[..], &names(missing(&held, wanted))].concat();
            assert!(after.ends_with(&names(wanted)), "{held:?}");
        }
    }
}

#[test]
fn the_file_has_three_lines_at_least() {
    let keys = sample(2);
    let text = file_text(keys.newest(SLOTS)).unwrap();
    let read = crate::source::file::parse(&text).unwrap();
    assert!(read.len() == 3 && read[1].name() == keys.all()[0].name() && read[2].name() == keys.all()[1].name());
    assert_eq!(file_text(keys.newest(SLOTS)).unwrap(), text);
    let keys = sample(5);
    let text = file_text(keys.newest(SLOTS)).unwrap();
    let read = crate::source::file::parse(&text).unwrap();
    assert!(read.iter().map(TicketKey::name).eq(keys.names().skip(2)));
}

#[test]
fn a_reference_is_one_word() {
    assert_eq!(escaped("/run/a b;c\\d\te"), "/run/a\\ b\\;c\\\\d\\\te");
}

#[test]
fn a_socket_is_a_path_or_an_address() {
    for text in ["/run/haproxy.sock", "./sock", "127.0.0.1:9999", "[::1]:9999", "lb.internal:1"] {
        assert_eq!(text.parse::<StatsSocket>().unwrap().to_string(), text);
    }
    for text in ["", "haproxy", ":9999", "localhost:", "localhost:0", "localhost:65536"] {
        assert_eq!(text.parse::<StatsSocket>(), Err(NoStatsSocket), "{text}");
    }
}

#[tokio::test]
async fn what_haproxy_refuses_is_said_with_the_remedy() {
    for (answer, said) in [
        ("Permission denied\n\n", "write `stats socket ... level admin`"),
        ("hello\n", "an answer that is none of HAProxy's, to `show tls-keys`"),
        ("", "an answer that is none of HAProxy's, to `show tls-keys`"),
    ] {
        let refused = push_to(move |_| answer.to_owned()).await;
        assert!(refused.contains(said), "{refused}");
    }
    let short: Vec<String> = (0..3).map(|slot| format!("0.{slot} {}\n", "A".repeat(64))).collect();
    let refused = push_to(move |_| short.concat()).await;
    assert!(
        refused.ends_with(
            "have 48 bytes and ours 80; set bits = 128, or reload HAProxy, which then reads the file we wrote"
        ),
        "{refused}"
    );
    assert!(!refused.contains("AAAA"), "{refused}");
    // More than any HAProxy says.
    let refused = push_to(|_| "# ".repeat(LONGEST_ANSWER)).await;
    assert!(refused.contains("an answer that is none of HAProxy's") || refused.contains("os error"), "{refused}");
}

#[tokio::test]
async fn keys_that_somebody_else_sets_are_noticed() {
    let others = sample(3);
    let shown: String = (0..).zip(others.all()).map(|(slot, key)| shown(slot, key)).collect();
    let refused = push_to(move |command| match command.starts_with("show") {
        true => shown.clone(),
        false => "TLS ticket key updated!\n\n".to_owned(),
    });
    let (refused, held) = (refused.await, listed(&names(others.all())));
    assert!(refused.contains(&format!("it took the keys, but holds {held} and not ")), "{refused}");
    let secret = shown_secret(&others.all()[0]);
    assert!(!refused.contains(&secret[24..]), "{refused}");
}

#[tokio::test]
async fn files_that_haproxy_has_are_named() {
    let refused = push_to(|command| match command.trim() {
        "show tls-keys" => "# id (file)\n0 (/run/a)\n1 (/run/b)\n\n".to_owned(),
        _ => "'show tls-keys' unable to locate referenced filename\n\n".to_owned(),
    });
    let refused = refused.await;
    assert!(refused.ends_with("on its bind lines, or set reference to one that it has: /run/a, /run/b"), "{refused}");
}

fn shown(slot: usize, key: &Arc<TicketKey>) -> String {
    format!("0.{slot} {}\n", shown_secret(key))
}

fn shown_secret(key: &Arc<TicketKey>) -> String {
    String::from_utf8_lossy(&lines(&[Arc::clone(key)]).unwrap()).trim().to_owned()
}

/// What a push says to a HAProxy that answers a command like that.
async fn push_to(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    let directory = in_memory();
    let path = directory.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut command = [0; 1024];
            let length = stream.read(&mut command).await.unwrap();
            let _ = stream.write_all(answer(&String::from_utf8_lossy(&command[..length])).as_bytes()).await;
        }
    });
    let haproxy = HaProxy::new(StatsSocket::Unix(path), SecretFile::new(directory.path().join("keys")));
    let refused = haproxy.push(&sample(3)).await.unwrap_err().to_string();
    server.abort();
    refused
}
