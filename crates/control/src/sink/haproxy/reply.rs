//! What HAProxy answers.

use base64::engine::general_purpose::STANDARD;
use base64::{Engine, decoded_len_estimate};
use raincheck_keyring::KeyName;
use zeroize::Zeroizing;

/// An answer to `show tls-keys REFERENCE`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Slots(Slots),
    NoReference,
    Denied,
    /// None that is understood. It may have keys in it, so it is not for showing.
    Other,
}

/// What is public of the keys that were shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slots {
    /// Previous, issuing, next.
    pub(super) names: Vec<KeyName>,
    /// The size of each.
    pub(super) bytes: usize,
}

/// An answer to `set ssl tls-key`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Set {
    Done,
    NoReference,
    Denied,
    Other,
}

/// ```text
/// # id secret
/// # 0 (/run/haproxy/keys)
/// 0.0 (base64 of 48 or 80 bytes: name first)
/// 0.1 ...
/// 0.2 ...
/// ```
pub(super) fn shown(answer: &[u8]) -> Shown {
    if let Some(refusal) = refusal(answer) {
        return match refusal {
            Refusal::NoReference => Shown::NoReference,
            Refusal::Denied => Shown::Denied,
        };
    }
    let keys = lines(answer).filter(|line| !line.starts_with(b"#")).enumerate().map(|(slot, line)| name(slot, line));
    let Some(keys) = keys.collect::<Option<Vec<_>>>() else { return Shown::Other };
    match &keys[..] {
        [(_, bytes), others @ ..] if keys.len() == super::SLOTS && others.iter().all(|(_, other)| other == bytes) => {
            Shown::Slots(Slots { names: keys.iter().map(|&(name, _)| name).collect(), bytes: *bytes })
        }
        _ => Shown::Other,
    }
}

pub(super) fn set(answer: &[u8]) -> Set {
    match refusal(answer) {
        Some(Refusal::NoReference) => Set::NoReference,
        Some(Refusal::Denied) => Set::Denied,
        None if contains(answer, "TLS ticket key updated!") => Set::Done,
        None => Set::Other,
    }
}

/// The files in an answer to `show tls-keys`, a line such as `0 (/run/haproxy/keys)` for each.
pub(super) fn references(answer: &[u8]) -> Vec<String> {
    let file = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        let (id, file) = line.split_once(" (")?;
        let is_id = !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit());
        file.strip_suffix(')').filter(|_| is_id).map(str::to_owned)
    };
    lines(answer).filter_map(file).collect()
}

enum Refusal {
    NoReference,
    Denied,
}

fn refusal(answer: &[u8]) -> Option<Refusal> {
    if contains(answer, "unable to locate referenced filename") {
        Some(Refusal::NoReference)
    } else if contains(answer, "Permission denied") {
        Some(Refusal::Denied)
    } else {
        None
    }
}

/// The name of the key of that slot, and how many bytes it has.
fn name(slot: usize, line: &[u8]) -> Option<(KeyName, usize)> {
    let (label, base64) = line.split_at(line.iter().position(|&byte| byte == b' ')?);
    let number = label.rsplit(|&byte| byte == b'.').next()?;
    if number != slot.to_string().as_bytes() {
        return None;
    }
    let mut key = Zeroizing::new(vec![0; decoded_len_estimate(base64.len())]);
    let bytes = STANDARD.decode_slice(base64.trim_ascii(), &mut key).ok()?;
    let name = key.first_chunk().filter(|_| matches!(bytes, 48 | 80))?;
    Some((KeyName::from(*name), bytes))
}

fn lines(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    answer.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

fn contains(answer: &[u8], words: &str) -> bool {
    answer.windows(words.len()).any(|window| window == words.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slots_are_taken_by_name_and_size() {
        for bytes in [48, 80] {
            let Shown::Slots(slots) = shown(answer(bytes).as_bytes()) else { panic!("{}", answer(bytes)) };
            assert_eq!(slots.bytes, bytes);
            assert_eq!(slots.names, [7, 8, 9].map(|name| KeyName::from([name; 16])));
        }
    }

    #[test]
    fn what_is_not_three_keys_is_none() {
        let sound = answer(80);
        let line = |slot: u8, bytes| format!("0.{slot} {}\n", STANDARD.encode(vec![slot; bytes]));
        for broken in [
            String::new(),
            "\n".to_owned(),
            "# id secret\n\n".to_owned(),
            sound.replace("0.2", "0.3"),
            sound.replace("0.2 ", "0.2"),
            sound.replace("0.1 ", "0.1 *"),
            line(0, 80) + &line(1, 80),
            line(0, 80) + &line(1, 80) + &line(2, 48),
            line(0, 15) + &line(1, 15) + &line(2, 15),
            line(0, 80) + &line(1, 80) + &line(2, 80) + &line(3, 80),
            "Unknown command: 'show tls-keys'\n".to_owned(),
            "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(),
        ] {
            assert_eq!(shown(broken.as_bytes()), Shown::Other, "{broken}");
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        assert_eq!(shown(b"'show tls-keys' unable to locate referenced filename\n\n"), Shown::NoReference);
        assert_eq!(shown(b"Permission denied\n\n"), Shown::Denied);
        assert_eq!(set(b"TLS ticket key updated!\n\n"), Set::Done);
        assert_eq!(set(b"'set ssl tls-key' unable to locate referenced filename\n\n"), Set::NoReference);
        assert_eq!(set(b"Permission denied!\n\n"), Set::Denied);
        for other in ["", "\n", "'set ssl tls-key' received a key of wrong size.\n\n", "Unknown command\n"] {
            assert_eq!(set(other.as_bytes()), Set::Other, "{other}");
        }
    }

    #[test]
    fn references_are_files() {
        assert_eq!(references(b"# id (file)\n0 (keys 5)\n1 (/run/a(b))\n\n"), ["keys 5", "/run/a(b)"]);
        assert!(references(b"# id (file)\n\n").is_empty());
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(at in 0usize..400, bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut broken = answer(80).into_bytes();
            let at = at.min(broken.len());
            broken.splice(at..broken.len().min(at + bytes.len() / 2), bytes.iter().copied());
            for answer in [&broken, &bytes] {
                references(answer);
                set(answer);
                if let Shown::Slots(slots) = shown(answer) {
                    prop_assert!(slots.names.len() == 3 && matches!(slots.bytes, 48 | 80));
                }
            }
        }
    }

    fn answer(bytes: usize) -> String {
        let key = |name: u8| STANDARD.encode(vec![name; bytes]);
        format!("# id secret\n# 0 (/run/keys)\n0.0 {}\n0.1 {}\n0.2 {}\n\n", key(7), key(8), key(9))
    }
}
