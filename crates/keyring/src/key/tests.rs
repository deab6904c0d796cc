use super::*;
use crate::weak::Pattern;

#[test]
fn a_key_has_the_sizes_of_its_cipher() {
    for (cipher, mac, size) in [
        (16, 16, KeySize::Bits128),
        (32, 32, KeySize::Bits256),
        (32, 16, KeySize::Bits256),
        (32, 48, KeySize::Bits256),
        (16, 64, KeySize::Bits128),
    ] {
        let secret = random(cipher + mac);
        let key = TicketKey::new(NAME, &secret[..cipher], &secret[cipher..]).unwrap();
        assert_eq!((key.name(), key.size()), (NAME, size));
        assert_eq!(key.expose_cipher(), &secret[..cipher]);
        assert_eq!(key.expose_mac(), &secret[cipher..]);
        assert_eq!(key.expose_all(), secret);
        assert_eq!(key.secret.capacity(), secret.len(), "a copy was left behind");
    }
}

#[test]
fn every_other_length_is_refused() {
    let secret = random(100);
    for cipher in (0..100).filter(|length| ![16, 32].contains(length)) {
        let refused = TicketKey::new(NAME, &secret[..cipher], &secret[..32]).unwrap_err();
        assert_eq!(refused, KeyError::CipherLength(cipher));
    }
    for mac in (0..16).chain(65..100) {
        let refused = TicketKey::new(NAME, &secret[..16], &secret[..mac]).unwrap_err();
        assert_eq!(refused, KeyError::MacLength(mac));
    }
}

#[test]
fn a_guessable_key_is_refused_in_the_operators_words() {
    let good = random(64);
    let (cipher, mac) = good.split_at(32);
    let half_zero = [[0x31; 16], [0; 16]].concat();
    let same_tail = [&mac[..16], &cipher[16..]].concat();
    for (cipher, mac, words) in [
        (&[0; 32][..], mac, "the bytes of the cipher key are all zero"),
        (&[7; 32], mac, "the bytes of the cipher key are all the same"),
        (cipher, &[0; 32], "the bytes of the MAC key are all zero"),
        (&half_zero, mac, "16 bytes in a row of the cipher key are all the same"),
        (cipher, cipher, "the key repeats itself"),
        (cipher, &same_tail, "the key repeats itself"),
    ] {
        let refused = TicketKey::new(NAME, cipher, mac).unwrap_err().to_string();
        assert!(refused.starts_with(words), "{refused}");
        assert!(refused.ends_with("; make one with `raincheck keys new`"), "{refused}");
    }
}

#[test]
fn a_key_that_gives_itself_away_by_its_name_is_refused() {
    let secret = random(64);
    for at in [0, 16, 33, 48] {
        let name = KeyName::from(*secret[at..].first_chunk().unwrap());
        let refused = TicketKey::new(name, &secret[..32], &secret[32..]).unwrap_err();
        assert_eq!(refused, KeyError::NameInSecret, "at {at}");
    }
}

#[test]
fn a_generated_key_is_what_was_filled_in() {
    for (size, length) in [(KeySize::Bits128, 32), (KeySize::Bits256, 64)] {
        let source = random(16 + length);
        let mut rest = &source[..];
        let key = TicketKey::generate(size, |bytes| {
            let (now, later) = rest.split_at(bytes.len());
            bytes.copy_from_slice(now);
            rest = later;
        })
        .unwrap();
        assert_eq!(key.name().as_bytes(), &source[..16]);
        assert_eq!(key.expose_all(), &source[16..]);
        assert_eq!(key.size(), size);
    }
}

#[test]
fn a_broken_generator_makes_no_key() {
    let refused = TicketKey::generate(KeySize::Bits256, |_| {}).unwrap_err();
    let KeyError::Degenerate { part, fault } = refused else { panic!("{refused}") };
    assert_eq!((part, fault.pattern, fault.whole), (Part::Cipher, Pattern::Zero, true));
}

#[test]
fn debug_shows_the_name_alone() {
    let key = TicketKey::sample(1);
    assert_eq!(format!("{key:?}"), format!("TicketKey({})", key.name()));
}

#[test]
fn the_same_key_has_the_same_name_and_the_same_bytes() {
    let key = TicketKey::sample(1);
    let renamed = TicketKey::new(NAME, key.expose_cipher(), key.expose_mac()).unwrap();
    let swapped = TicketKey::new(key.name(), key.expose_mac(), key.expose_cipher()).unwrap();
    assert!(key.is_same(&TicketKey::sample(1)));
    assert!(!key.is_same(&renamed));
    assert!(!key.is_same(&swapped));
}

#[test]
fn names_are_written_and_read_as_hexadecimal() {
    let text = "00ff6e20736573616d65206e616d650a";
    let name: KeyName = text.parse().unwrap();
    assert_eq!(name.as_bytes(), b"\x00\xffn sesame name\x0a");
    assert_eq!(name.to_string(), text);
    assert_eq!(format!("{name:?}"), text);
    assert_eq!(text.to_uppercase().parse(), Ok(name));

    let long = format!("{text}00");
    let signed = format!("+{}", &text[1..]);
    for wrong in ["", "00ff", &text[1..], &long, &signed, "zz", "ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ"] {
        assert_eq!(wrong.parse::<KeyName>(), Err(KeyError::Name), "{wrong:?}");
    }
}

fn random(length: usize) -> Vec<u8> {
    let parts = (0u8..).map(|i| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &[i]));
    parts.flat_map(|part| part.as_ref().to_vec()).take(length).collect()
}

const NAME: KeyName = KeyName(*b"what it's called");
