//! What is in `seeds/`, named for what it is: `sound-...` or `broken-...`.

use std::fs;
use std::path::Path;

#[test]
fn client_hello() {
    judge("client_hello", raincheck_fuzz::client_hello);
}

#[test]
fn ticket_open() {
    judge("ticket_open", raincheck_fuzz::ticket_open);
}

#[test]
fn key_file() {
    judge("key_file", raincheck_fuzz::key_file);
}

#[test]
fn proxy_protocol() {
    judge("proxy_protocol", raincheck_fuzz::proxy_protocol);
}

#[test]
fn ring_document() {
    judge("ring_document", raincheck_fuzz::ring_document);
}

#[test]
fn fleet_store() {
    judge("fleet_store", raincheck_fuzz::fleet_store);
}

#[test]
fn packet() {
    judge("packet", raincheck_fuzz::packet);
}

#[test]
fn capture_file() {
    judge("capture_file", raincheck_fuzz::capture_file);
}

#[test]
fn tcp_segments() {
    judge("tcp_segments", raincheck_fuzz::tcp_segments);
}

#[test]
fn tls_stream() {
    judge("tls_stream", raincheck_fuzz::tls_stream);
}

#[test]
fn capture_whole() {
    judge("capture_whole", raincheck_fuzz::capture_whole);
}

/// Each seed, and the seed with each of its bytes changed in turn.
fn judge(target: &str, is_sound: fn(&[u8]) -> bool) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let mut seeds = 0;
    for seed in fs::read_dir(&directory).expect("there are seeds") {
        let path = seed.expect("a seed").path();
        let mut bytes = fs::read(&path).expect("a seed can be read");
        let name = path.file_name().expect("a seed has a name").to_string_lossy();
        let expected = match name.split_once('-') {
            Some(("sound", _)) => true,
            Some(("broken", _)) => false,
            _ => panic!("{name} is named neither sound- nor broken-"),
        };
        assert_eq!(is_sound(&bytes), expected, "{name}");
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            is_sound(&bytes);
            bytes[at] ^= 1;
        }
        seeds += 1;
    }
    assert!(seeds > 1, "{} has no seeds", directory.display());
}
