use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use raincheck_control::source::file::parse;
use raincheck_keyring::{Layout, Ring, UnixTime};

/// The key file: what is taken makes a ring, and written again gives the same keys; what is refused is not repeated in the
/// message, where a key might be in it.
pub fn key_file(bytes: &[u8]) -> bool {
    match parse(bytes) {
        Ok(keys) => {
            let line = |key| Layout::HaProxy.encode(key).map(|raw| STANDARD.encode(&*raw));
            let lines: Result<Vec<String>, _> = keys.iter().map(line).collect();
            let text = lines.expect("HAProxy takes keys of both sizes").join("\n");
            let again = parse(text.as_bytes()).expect("what is written is read");
            assert!(keys.len() == again.len() && keys.iter().zip(&again).all(|(one, other)| one.is_same(other)));
            assert!(keys.iter().all(|key| key.size() == keys[0].size()));
            Ring::from_lines(keys, UnixTime::from_millis(0)).expect("at least one key, and no name twice");
            true
        }
        Err(error) => {
            let message = error.to_string();
            let words = message.split(' ').filter(|word| word.len() >= SHORTEST_KEY);
            let mut repeated = words.filter(|word| bytes.windows(word.len()).any(|part| part == word.as_bytes()));
            assert_eq!(repeated.next(), None, "{message}");
            assert!(error.line().is_none_or(|line| (1..=bytes.len()).contains(&line)), "{message}");
            false
        }
    }
}

/// Characters of 48 bytes in base64.
const SHORTEST_KEY: usize = 64;
