use proptest::prelude::*;
use raincheck_keyring::{KeyName, KeySize};

use super::*;

#[test]
fn keys_are_taken_in_the_order_of_their_lines() {
    for size in [48, 80] {
        let text = format!("{}\n{}\n{}\n", line(1, size), line(2, size), line(3, size));
        let keys = parse(text.as_bytes()).expect("a sound file");
        let names: Vec<KeyName> = keys.iter().map(TicketKey::name).collect();
        assert_eq!(names, [1, 2, 3].map(name));
        let expected = if size == 48 { KeySize::Bits128 } else { KeySize::Bits256 };
        assert!(keys.iter().all(|key| key.size() == expected));
    }
}

#[test]
fn ends_of_lines_and_of_files_as_people_write_them() {
    let (a, b) = (line(1, 48), line(2, 48));
    for text in [
        format!("{a}\n{b}\n"),
        format!("{a}\n{b}"),
        format!("{a}\r\n{b}\r\n"),
        format!("{a}\n{b}\n\n\n"),
        format!("{a}\n{b}\r\n\r\n"),
    ] {
        assert_eq!(parse(text.as_bytes()).map(|keys| keys.len()), Ok(2), "{text:?}");
    }
}

#[test]
fn each_fault_is_named_with_its_line() {
    let (a, b) = (line(1, 48), line(2, 48));
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "no key in it"),
        ("\n\n".into(), "no key in it"),
        (format!("{a}\n\n{b}\n"), "2: an empty line"),
        (format!("\n{a}\n"), "1: an empty line"),
        (format!("{a}\n# comment\n{b}\n"), "2: not base64"),
        (format!("{a}\n {b}\n"), "2: not base64"),
        (format!("{a}\n{}\n", &b[..63]), "2: not base64"),
        (format!("{}\n", line(1, 47)), "1: 47 bytes; a ticket key has 48 (AES-128) or 80"),
        (format!("{}\n", line(1, 64)), "1: 64 bytes"),
        (format!("{}\n", line(1, 3000)), "1: 3000 bytes"),
        (format!("{a}\n{}\n", line(2, 80)), "2: 80 bytes, but line 1 has 48"),
        (format!("{}\n{a}\n", line(2, 80)), "2: 48 bytes, but line 1 has 80"),
        (format!("{a}\n{b}\n{a}\n"), "3: the key name"),
        (format!("{a}\n{}\n", STANDARD.encode([0; 48])), "2: "),
        (format!("{}\n", STANDARD.encode([0x31; 80])), "1: "),
    ];
    for (text, expected) in cases {
        let fault = parse(text.as_bytes()).expect_err(&text);
        let shown = match fault.line() {
            Some(line) => format!("{line}: {fault}"),
            None => fault.to_string(),
        };
        assert!(shown.starts_with(expected), "{text:?}: {shown}");
    }
}

#[test]
fn a_degenerate_key_is_called_unusable() {
    let fault = parse(STANDARD.encode([0; 80]).as_bytes()).expect_err("an all-zero key");
    assert!(matches!(fault, KeyFileError::Unusable { line: 1, .. }), "{fault:?}");
}

#[test]
fn no_message_shows_a_key() {
    let secret = line(1, 48);
    for text in [format!("{secret}x\n"), format!("{secret}\n{secret}\n"), format!("{secret}\n{}\n", line(2, 80))] {
        let fault = parse(text.as_bytes()).expect_err("a faulty file");
        assert!(!format!("{fault} {fault:?}").contains(&secret[22..40]));
    }
}

proptest! {
    #[test]
    fn whatever_a_file_holds_it_is_keys_or_a_fault(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        match parse(&text) {
            Ok(keys) => prop_assert!(!keys.is_empty()),
            Err(fault) => prop_assert!(!fault.to_string().is_empty()),
        }
    }
}

fn name(seed: u8) -> KeyName {
    KeyName::from(<[u8; 16]>::try_from(&bytes(seed, 16)[..]).expect("16 bytes"))
}

fn line(seed: u8, size: usize) -> String {
    STANDARD.encode(bytes(seed, size))
}

/// Bytes that look random enough for the degenerate-key check, the same for the same seed.
fn bytes(seed: u8, count: usize) -> Vec<u8> {
    (0u32..)
        .map(|index| {
            let mixed = (index + 1).wrapping_mul(0x9e37_79b9) ^ u32::from(seed).wrapping_mul(0x85eb_ca6b);
            (mixed.wrapping_mul(0xc2b2_ae35) >> 19) as u8
        })
        .take(count)
        .collect()
}
