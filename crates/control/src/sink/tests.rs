use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use raincheck_keyring::{Layout, LayoutError, UnixTime};

use super::*;
use crate::fresh_key;

#[test]
fn keys_of_a_ring_are_the_products_own_in_its_order() {
    let [old, issuing, next] = [(); 3].map(|()| fresh_key(KeySize::Bits256));
    let expected = [&old, &issuing, &next].map(|key| Product::Nginx.key(key, KeySize::Bits128).name());
    let ring = Ring::from_lines(vec![old, issuing, next], UnixTime::from_millis(0)).unwrap();
    let keys = ProductKeys::of_ring(&ring, Product::Nginx, KeySize::Bits128).unwrap();
    assert!(keys.names().eq(expected));
    let sealing_first: Vec<_> = keys.sealing_first().map(|key| key.name()).collect();
    assert_eq!(sealing_first, [expected[1], expected[2], expected[0]]);
}

#[test]
fn a_ring_without_a_next_key_is_for_no_product() {
    let ring = Ring::new(fresh_key(KeySize::Bits256), None, UnixTime::from_millis(0)).unwrap();
    assert_eq!(ProductKeys::of_ring(&ring, Product::H2o, KeySize::Bits256).unwrap_err(), NoNextKey);
}

#[test]
fn whoever_sends_keys_over_tcp_is_told() {
    let haproxy = HaProxy::new("10.0.0.1:9999".parse().unwrap(), SecretFile::new("/dev/shm/keys"));
    let limits = Sink::HaProxy(haproxy).limits();
    assert!(limits.iter().any(|limit| limit.contains("10.0.0.1:9999 unencrypted")), "{limits:?}");
}

#[test]
fn each_file_is_as_its_product_reads_it() {
    let keys = sample(4);
    let raw = |layout: Layout| keys.all().iter().map(|key| layout.encode(key).unwrap()).collect::<Vec<_>>();

    let envoy = written(|file| Sink::Envoy(Envoy::new(file, "a \"stek\"").unwrap()), &keys);
    let envoy: serde_json::Value = serde_json::from_str(&envoy).unwrap();
    let expected = raw(Layout::Envoy).iter().map(|key| STANDARD.encode(key)).collect::<Vec<_>>();
    let expected = [2, 3, 1, 0].map(|position| serde_json::json!({ "inline_bytes": expected[position] }));
    assert_eq!(
        envoy,
        serde_json::json!({ "resources": [{
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": "a \"stek\"",
            "session_ticket_keys": { "keys": expected },
        }]})
    );

    let h2o = written(|file| Sink::H2o(H2o::new(file)), &keys);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let times = ["1", "2", "3", "253402300799"];
    let entries = raw(Layout::H2o).into_iter().zip(times).map(|(key, not_before)| {
        format!(
            "- name: {}\n  cipher: aes-256-cbc\n  hash: sha256\n  key: {}\n  not_before: {not_before}\n  \
             not_after: 253402300799\n",
            hex(&key[..16]),
            hex(&key[16..])
        )
    });
    assert_eq!(h2o, entries.collect::<String>());

    let lines = written(|file| Sink::File(KeyFile::new(file)), &keys);
    let read = crate::source::file::parse(lines.as_bytes()).unwrap();
    assert!(read.len() == 4 && read.iter().zip(keys.all()).all(|(read, key)| read.is_same(key)));
}

#[tokio::test]
async fn a_file_is_written_once_and_again_when_somebody_touches_it() {
    let directory = in_memory();
    let path = directory.path().join("keys");
    let file = || SecretFile::new(&path);
    let keys = sample(3);
    let names: Vec<_> = keys.names().collect();
    for mut sink in [
        Sink::Envoy(Envoy::new(file(), "stek").unwrap()),
        Sink::H2o(H2o::new(file())),
        Sink::File(KeyFile::new(file())),
    ] {
        assert_eq!(sink.lacks(&keys).await.unwrap(), Lacks::Keys(names.clone()));
        assert_eq!(sink.push(&keys).await.unwrap(), Pushed::Keys(names.clone()));
        assert_eq!(sink.lacks(&keys).await.unwrap(), Lacks::Nothing);
        assert_eq!(sink.push(&keys).await.unwrap(), Pushed::Nothing);
        std::fs::write(&path, "something else").unwrap();
        assert_eq!(sink.lacks(&keys).await.unwrap(), Lacks::Keys(names.clone()), "{}", sink.name());
        assert_eq!(sink.push(&keys).await.unwrap(), Pushed::Keys(names.clone()), "{}", sink.name());
    }
}

#[tokio::test]
async fn a_key_that_does_not_fit_is_the_operators_to_mend() {
    let directory = in_memory();
    let path = directory.path().join("keys");
    let short = [(); 2].map(|()| Arc::new(fresh_key(KeySize::Bits128)));
    let short = ProductKeys::oldest_first(short.to_vec()).unwrap();
    let refused = Sink::H2o(H2o::new(SecretFile::new(&path))).push(&short).await.unwrap_err();
    assert!(matches!(refused, SinkError::Layout(LayoutError::DoesNotFit { layout: Layout::H2o, .. })), "{refused}");
    assert!(!path.exists());
}

#[test]
fn envoy_would_take_some_names_for_protobuf() {
    let refused = Envoy::new(SecretFile::new("/run/envoy/keys.pb"), "stek").unwrap_err().to_string();
    assert!(refused.starts_with("/run/envoy/keys.pb: a file that Envoy reads as protobuf"), "{refused}");
}

fn written(sink: impl FnOnce(SecretFile) -> Sink, keys: &ProductKeys) -> String {
    let directory = in_memory();
    let path = directory.path().join("keys");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(sink(SecretFile::new(&path)).push(keys)).unwrap();
    std::fs::read_to_string(path).unwrap()
}

/// As many keys.
pub(super) fn sample(count: usize) -> ProductKeys {
    ProductKeys::oldest_first((0..count).map(|_| Arc::new(fresh_key(KeySize::Bits256))).collect()).unwrap()
}

/// A directory on tmpfs.
pub(super) fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}
