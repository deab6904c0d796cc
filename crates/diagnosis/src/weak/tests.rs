use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use proptest::prelude::*;
use raincheck_keyring::weak::degenerate;

use super::guess::Published;
use super::*;

/// Tickets of real servers, each under a key that it was told: `testdata/tickets/README.md`.
macro_rules! ticket {
    ($name:literal) => {
        ($name, unhex(include_str!(concat!("../../../../testdata/tickets/", $name, ".hex"))))
    };
}

#[test]
fn real_tickets_under_guessable_keys_are_found() {
    const AES128: Layout = Layout::Cbc { bits: 128, iv: 16 };
    const AES256: Layout = Layout::Cbc { bits: 256, iv: 16 };
    for ((name, ticket), key, layout, proof) in [
        (ticket!("nginx-zero-48-12"), Guess::Constant(0), AES128, Proof::Mac),
        (ticket!("nginx-zero-48-13"), Guess::Constant(0), AES128, Proof::Mac),
        (ticket!("nginx-zero-80-12"), Guess::Constant(0), AES256, Proof::Mac),
        (ticket!("nginx-zero-80-13"), Guess::Constant(0), AES256, Proof::Mac),
        (ticket!("haproxy-zero-48-12"), Guess::Constant(0), AES128, Proof::Mac),
        (ticket!("haproxy-deadbeef-80-13"), Guess::Word([0xde, 0xad, 0xbe, 0xef]), AES256, Proof::Mac),
        (ticket!("h2o-zero-12"), Guess::Constant(0), AES256, Proof::Mac),
        (ticket!("h2o-zero-13"), Guess::Constant(0), AES256, Proof::Mac),
        (ticket!("nginx-counting-80-12"), Guess::Counting { from: 0x30, step: 1 }, AES256, Proof::Mac),
        (ticket!("nginx-half-80-12"), Guess::Half(0x31), AES256, Proof::Structure),
        (ticket!("nginx-half-80-13"), Guess::Half(0x31), AES256, Proof::Structure),
        (ticket!("nginx-ab-48-13"), Guess::Constant(0xab), AES128, Proof::Structure),
        (ticket!("nginx-fips-48-12"), Guess::Published(Published::Bits128), AES128, Proof::Structure),
        (ticket!("nginx-mac-zero-80-12"), Guess::Constant(0), Layout::Mac, Proof::Mac),
        (ticket!("gnutls-zero-12"), Guess::Constant(0), Layout::GnuTls, Proof::Mac),
        (ticket!("gnutls-zero-13"), Guess::Constant(0), Layout::GnuTls, Proof::Mac),
        (ticket!("go-zero-12"), Guess::Constant(0), Layout::Go, Proof::Mac),
        (ticket!("go-zero-13"), Guess::Constant(0), Layout::Go, Proof::Mac),
    ] {
        assert_eq!(guess(&ticket), Some(Guessed { key, layout, proof }), "{name}");
    }
}

#[test]
fn real_tickets_under_random_keys_are_not() {
    for (name, ticket) in [
        ticket!("nginx-random-48-12"),
        ticket!("nginx-random-48-13"),
        ticket!("nginx-random-80-12"),
        ticket!("nginx-random-80-13"),
        ticket!("gnutls-random-12"),
    ] {
        assert_eq!(guess(&ticket), None, "{name}");
    }
}

#[test]
fn tickets_are_tried_together_as_each_alone() {
    let tickets = [
        ticket!("nginx-random-48-12"),
        ticket!("nginx-zero-48-12"),
        ticket!("nginx-half-80-12"),
        ticket!("nginx-mac-zero-80-12"),
        ticket!("gnutls-zero-12"),
        ticket!("go-zero-12"),
    ];
    let together = guess_each(&tickets.each_ref().map(|(_, ticket)| &ticket[..]));
    assert_eq!(together.iter().filter(|guessed| guessed.is_some()).count(), 5);
    for ((name, ticket), guessed) in tickets.iter().zip(together) {
        assert_eq!(guessed, guess(ticket), "{name}");
    }
}

#[test]
fn a_tag_shows_the_key_too() {
    for (clear, nonce, length) in [(0, 4, true), (0, 0, false), (0, 16, false), (16, 16, false)] {
        for (key, expected) in [([0; 32], true), (RANDOM, false)] {
            let mut ticket = vec![7; nonce + 12];
            if length {
                ticket.extend(100_u16.to_be_bytes()); // of Mbed TLS
            }
            let clear = if length { ticket.len() } else { clear };
            let mut state = vec![9; 100];
            let sealing = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
            let aad = Aad::from(&ticket[..clear]);
            sealing.seal_in_place_append_tag(Nonce::assume_unique_for_key([7; 12]), aad, &mut state).unwrap();
            ticket.extend(state);
            let layout = Layout::Gcm { bits: 256, nonce };
            let found = Guessed { key: Guess::Constant(0), layout, proof: Proof::Mac };
            assert_eq!(guess(&ticket), expected.then_some(found), "nonce at {nonce}");
        }
    }
}

#[test]
fn a_finding_says_what_was_guessed() {
    let server = "192.0.2.1:443".parse().unwrap();
    let finding = weak_ticket_key(server, &ticket!("nginx-half-80-12").1).unwrap();
    assert_eq!(
        finding.summary,
        "the tickets of 192.0.2.1:443 are sealed under a key that anybody can guess: 16 times 0x31, then zero"
    );
    let [evidence] = &finding.evidence[..] else { panic!("{finding:?}") };
    assert!(
        evidence.ends_with("AES-256-CBC with the IV at byte 16: it decrypts the ticket to a session"),
        "{evidence}"
    );
    assert_eq!((finding.severity, finding.certainty), (Severity::Problem, Certainty::Seen));
    assert_eq!(weak_ticket_key(server, &ticket!("nginx-random-80-12").1), None);
}

#[test]
fn every_guess_is_a_key_that_raincheck_refuses_and_none_is_made_twice() {
    let mut seen = std::collections::BTreeSet::new();
    for guess in Guess::all() {
        for length in [16, 32, 64] {
            let Some(key) = guess.key(length) else { continue };
            assert_eq!(key.as_bytes().len(), length);
            assert!(degenerate(key.as_bytes()).is_some(), "{guess}");
            assert!(seen.insert(key.as_bytes().to_vec()), "{guess} of {length} bytes is another one, too");
        }
    }
}

#[test]
fn a_ticket_takes_a_few_milliseconds() {
    let ticket = ticket!("nginx-random-80-13").1;
    // Once is enough, for the machine has other work.
    assert!((0..500).any(|_| timed(|| assert_eq!(guess(&ticket), None)) < Duration::from_millis(10)));
}

#[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test may look at the clock")]
fn timed(work: impl Fn()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

#[test]
fn a_session_begins_and_ends_as_one() {
    let (name, sound) = ticket!("nginx-half-80-12");
    let state = 32..sound.len() - 32;
    for (what, at, found) in [
        ("the tag of a SEQUENCE", 16, false),
        ("its length", 17, false),
        ("the version of the session", 20, false),
        ("the high byte of that of TLS", 23, false),
        ("the tag of the suite", 25, false),
        ("the suite", 27, true),
        ("a byte of padding", state.end - 16 - 1, false),
        ("the state", state.start + 50, true),
        ("the MAC, under another key", sound.len() - 1, true),
    ] {
        let mut ticket = sound.clone();
        ticket[at] ^= 0x10;
        assert_eq!(guess(&ticket).is_some(), found, "{name} with another bit in {what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic_and_random_ones_are_not_found(ticket in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(guess(&ticket), None);
    }

    /// A single bit off, and it is no longer the key's.
    #[test]
    fn a_forged_ticket_is_not_found(at in 0..246_usize, bit in 0..8_u8) {
        let mut ticket = ticket!("gnutls-zero-13").1;
        ticket[at] ^= 1 << bit;
        prop_assert_eq!(guess(&ticket), None);
    }
}

#[test]
fn cut_tickets_do_not_panic() {
    let ticket = ticket!("nginx-half-80-12").1;
    for length in 0..ticket.len() {
        // Without its MAC, or with a MAC cut to the length of another, it still is what it is.
        let whole = [ticket.len() - 12, ticket.len() - 32].contains(&length);
        assert_eq!(guess(&ticket[..length]).is_some(), whole, "{length}");
    }
    assert_eq!(guess(&vec![0; LONGEST + 1]), None);
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

const RANDOM: [u8; 32] = *b"\x8e\xd2\x1a\x07\x9b\x44\xf3\xee\x60\x2d\x11\xc8\x95\x3f\xb7\x52\
                            \x4c\xa9\x0e\xd7\x36\x81\xfa\x6d\x23\x58\xbc\xe4\x99\x05\x7a\x1f";
