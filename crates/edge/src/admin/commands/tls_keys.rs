//! `show tls-keys` and `set ssl tls-key`

use base64::engine::general_purpose::STANDARD;
use base64::{Engine, decoded_len_estimate};
use raincheck_control::admin::key_age;
use raincheck_keyring::{KeySize, Layout, TicketKey};
use zeroize::Zeroizing;

use crate::server::Snapshot;

/// The references there are, or the keys of one: names, states and ages (seconds in that state) where HAProxy shows the
/// secret. Oldest first, as in a key file; of three keys 0 is retiring, 1 issuing and 2 next, as HAProxy's slots are.
pub(super) fn show(which: Option<&str>, snapshot: &Snapshot) -> String {
    let file = reference(snapshot);
    let Some(which) = which else {
        return format!("# id (file)\n0 ({file})\n");
    };
    if which != "*" && !is_reference(which, &file) {
        return format!("'show tls-keys' {NO_SUCH_REFERENCE}");
    }
    let mut text = format!("# id name state age\n# 0 ({file})\n");
    let ring = snapshot.keys.ring();
    let newest_first: Vec<_> = ring.entries().collect();
    for (number, entry) in newest_first.into_iter().rev().enumerate() {
        let age = key_age(entry).as_secs();
        text.push_str(&format!("0.{number} {} {} {age}\n", entry.key.name(), entry.state));
    }
    text
}

/// Pushes a key: it becomes next, and the old next seals.
pub(super) fn set(which: Option<&str>, key: Option<&str>, snapshot: &Snapshot) -> String {
    let (Some(which), Some(key)) = (which, key) else {
        return format!("{SET} expects a filename and the new TLS key in base64 encoding.\n");
    };
    if !is_reference(which, &reference(snapshot)) {
        return format!("{SET} {NO_SUCH_REFERENCE}");
    }
    let size = snapshot.keys.ring().issuing().size();
    let pushed = decode(key, size).and_then(|key| match snapshot.keys.push(key) {
        Ok(_changes) => Ok(()),
        Err(error) => Err(format!("{SET} refused the key: {error}.\n")),
    });
    pushed.map_or_else(|refusal| refusal, |()| "TLS ticket key updated!\n".to_owned())
}

/// A key of `size`, in HAProxy's order, or what to answer instead.
fn decode(text: &str, size: KeySize) -> Result<TicketKey, String> {
    let mut bytes = Zeroizing::new(vec![0; decoded_len_estimate(text.len())]);
    let length = STANDARD
        .decode_slice(text, &mut bytes)
        .map_err(|_| format!("{SET} received invalid base64 encoded TLS key.\n"))?;
    bytes.truncate(length);
    // As in HAProxy, all keys of a reference are of one size: it could not load a file with two.
    let expected = match size {
        KeySize::Bits128 => 48,
        KeySize::Bits256 => 80,
    };
    if length != expected {
        return Err(format!("{SET} received a key of wrong size.\nIt has {length} bytes, and keys here {expected}.\n"));
    }
    Layout::HaProxy.decode(&bytes).map_err(|error| format!("{SET} refused the key: {error}.\n"))
}

/// What the keys are called: their file, or the source.
fn reference(snapshot: &Snapshot) -> String {
    snapshot.key_source.place().unwrap_or_else(|| snapshot.key_source.name().to_owned())
}

/// HAProxy takes `#0` or the file; `0` is how it lists the reference.
fn is_reference(which: &str, file: &str) -> bool {
    which == "0" || which == "#0" || which == file
}

const SET: &str = "'set ssl tls-key'";
const NO_SUCH_REFERENCE: &str = "unable to locate referenced filename\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pushed_key_is_of_the_rings_size_and_in_haproxys_order() {
        let bytes: Vec<u8> = (0..80_u32).map(|i| (i * i * 7 + i / 3) as u8).collect();
        let key = decode(&STANDARD.encode(&bytes), KeySize::Bits256).unwrap();
        assert_eq!((key.name().as_bytes().as_slice(), key.expose_cipher()), (&bytes[..16], &bytes[16..48]));
        assert!(decode(&STANDARD.encode(&bytes[..48]), KeySize::Bits128).is_ok());
    }

    #[test]
    fn a_bad_key_is_refused_in_haproxys_words() {
        let cases = [
            ("***".to_owned(), "received invalid base64 encoded TLS key.\n"),
            (STANDARD.encode([7; 48]), "received a key of wrong size.\n"),
            (STANDARD.encode([7; 81]), "received a key of wrong size.\n"),
            (STANDARD.encode([0; 80]), "refused the key: "),
        ];
        for (text, expected) in cases {
            let refusal = decode(&text, KeySize::Bits256).unwrap_err();
            assert!(refusal.starts_with(&format!("{SET} {expected}")), "{refusal}");
            assert!(refusal.ends_with(".\n") && !refusal.contains(&text), "{refusal}");
        }
    }

    #[test]
    fn references_are_an_id_or_the_file() {
        for (which, is) in [("0", true), ("#0", true), ("/run/keys", true), ("1", false), ("#1", false), ("*", false)] {
            assert_eq!(is_reference(which, "/run/keys"), is, "{which}");
        }
    }
}
