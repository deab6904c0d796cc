use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use raincheck_keyring::ticket::{open, seal};
use raincheck_keyring::{KeyName, Opened, PolicyDigest, Refused, Ring, Schedule, TicketKey, UnixTime};

/// The ticket opener, on the bytes as a ticket, and on a ticket whose plaintext they are, as only a holder of the key can
/// make it: a ticket that opens is one that sealing its session again gives, and what is said of a ticket agrees with it.
pub fn ticket_open(bytes: &[u8]) -> bool {
    let opened = opens(bytes);
    opens(&seal_by_hand(bytes)) || opened
}

fn opens(ticket: &[u8]) -> bool {
    let named = ticket.get(1..17).and_then(<[u8]>::first_chunk).copied().map(KeyName::from);
    match open(&RING, &SCHEDULE, NOW, &POLICY, ticket) {
        Opened::Accepted { state, name, session } => {
            let entry = RING.find(name).expect("the ring has the key that opened it");
            assert_eq!((Some(name), state), (named, entry.state));
            assert_eq!(session.admit(&POLICY, &SCHEDULE, NOW), Ok(()));
            let salt = ticket[17..].first_chunk().expect("a ticket that opens has a salt");
            assert_eq!(seal(&entry.key, salt, &session).as_deref(), Ok(ticket));
            true
        }
        Opened::Refused { name, why, session_age } => {
            assert_eq!(name, named);
            let is_ours = name.is_some_and(|name| RING.find(name).is_some());
            let opened = matches!(why, Refused::OtherPolicy | Refused::Expired | Refused::ChainTooOld);
            assert_eq!(session_age.is_some(), opened);
            assert_eq!(why == Refused::UnknownKey, name.is_some() && !is_ours);
            assert!(!opened || is_ours);
            false
        }
    }
}

/// A ticket under the issuing key with whatever as its session; the layout is drawn in `keyring/src/ticket.rs`.
fn seal_by_hand(plaintext: &[u8]) -> Vec<u8> {
    let key = RING.issuing();
    let salt = [7; 32];
    let secret = [key.expose_cipher(), key.expose_mac()].concat();
    let mut derived = [0; 32];
    let pseudorandom = Salt::new(HKDF_SHA256, &salt).extract(&secret);
    pseudorandom
        .expand(&[b"raincheck ticket v1"], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut derived))
        .expect("HKDF gives 32 bytes");
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &derived).expect("AES-256 takes 32 bytes"));
    let clear = [&[1], key.name().as_bytes().as_slice(), &salt].concat();
    let mut sealed = plaintext.to_vec();
    cipher
        .seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::from(&clear), &mut sealed)
        .expect("AES-GCM seals what is this short");
    [clear, sealed].concat()
}

/// A next key, an issuing one and a retiring one, always the same.
static RING: LazyLock<Ring> = LazyLock::new(|| {
    let keys = [1, 2, 3].map(|number| {
        // No pattern that the check for keys anyone could guess knows.
        let secret: Vec<u8> = (0..64_u32).map(|at| ((at * at + 31 * at + 97 * number) % 251) as u8).collect();
        TicketKey::new(KeyName::from([number as u8; 16]), &secret[..32], &secret[32..]).expect("a sound key")
    });
    Ring::from_lines(keys.into(), NOW).expect("three names")
});
static SCHEDULE: LazyLock<Schedule> = LazyLock::new(Schedule::default);
const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const POLICY: PolicyDigest = PolicyDigest([0xa5; 32]);
