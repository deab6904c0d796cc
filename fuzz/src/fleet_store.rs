use std::sync::LazyLock;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac;
use raincheck_control::fleet::{
    Acknowledgement, EnvelopeError, FleetSecret, NodeKey, Registration, RegistrationError, SealedRing,
};
use raincheck_keyring::{Epoch, NodeName};

/// What a fleet has in its store, as the bytes are, which nobody could have made who has not the secret, and signed, as
/// only a node can: what is read is written as it was, and what was not signed is not read.
///
/// The seeds are without their MACs.
pub fn fleet_store(bytes: &[u8]) -> bool {
    let with_no_mac = [bytes, &[0; 32]].concat();
    for unsigned in [bytes, &with_no_mac] {
        assert!(!registers(unsigned) && !acknowledges(unsigned) && !seals(unsigned));
    }
    let registered = registers(&signed(bytes, "raincheck registration v1"));
    let acknowledged = acknowledges(&signed(bytes, "raincheck acknowledgement v1"));
    let sealed = seals(&signed(bytes, "raincheck sealed ring v1"));
    opens_nothing(bytes);
    registered || acknowledged || sealed
}

fn registers(bytes: &[u8]) -> bool {
    let read = Registration::decode(bytes, &SECRET, &NODE, LEASE);
    if let Ok(registration) = &read {
        assert_eq!((&registration.node, registration.lease), (&*NODE, LEASE));
        assert_eq!(registration.encode(&SECRET), bytes);
    }
    agrees_on_version(bytes, read.as_ref().err());
    read.is_ok()
}

fn acknowledges(bytes: &[u8]) -> bool {
    let read = Acknowledgement::decode(bytes, &SECRET, &NODE, LEASE);
    if let Ok(acknowledgement) = &read {
        assert_eq!((&acknowledgement.node, acknowledgement.lease), (&*NODE, LEASE));
        assert_eq!(acknowledgement.encode(&SECRET), bytes);
    }
    agrees_on_version(bytes, read.as_ref().err());
    read.is_ok()
}

fn seals(bytes: &[u8]) -> bool {
    let read = SealedRing::decode(bytes.to_vec(), &SECRET);
    match &read {
        Ok(sealed) => assert_eq!(sealed.as_bytes(), bytes),
        Err(EnvelopeError::Version(version)) => assert!(*version != 1 && bytes.first() == Some(version)),
        Err(fault) => {
            assert!(matches!(fault, EnvelopeError::Malformed | EnvelopeError::Forged | EnvelopeError::OtherFleet))
        }
    }
    read.is_ok()
}

/// Nobody wrapped anything for a key that was just made.
fn opens_nothing(bytes: &[u8]) {
    let epoch = bytes.get(1..17).and_then(<[u8]>::first_chunk).map_or(Epoch::NONE, |epoch| Epoch::from_bytes(*epoch));
    let unopened = NodeKey::generate().open(bytes, epoch, &NODE, &SECRET).expect_err("opens");
    assert!(matches!(unopened.fault, EnvelopeError::Malformed | EnvelopeError::Version(_) | EnvelopeError::OtherKey));
}

fn agrees_on_version(bytes: &[u8], fault: Option<&RegistrationError>) {
    if let Some(RegistrationError::Version(version)) = fault {
        assert!(*version != 1 && bytes.first() == Some(version));
    }
}

/// With the MAC of that label; the keys are drawn in `control/src/fleet/secret.rs`.
fn signed(bytes: &[u8], label: &str) -> Vec<u8> {
    let mut key = [0; 32];
    Salt::new(HKDF_SHA256, &[])
        .extract(BYTES.as_slice())
        .expand(&[label.as_bytes(), &[0], FLEET.as_bytes()], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .expect("HKDF gives 32 bytes");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), bytes);
    [bytes, tag.as_ref()].concat()
}

static SECRET: LazyLock<FleetSecret> = LazyLock::new(|| {
    FleetSecret::new(FLEET.parse().expect("a fleet's name"), BYTES.as_slice()).expect("a sound secret")
});
static NODE: LazyLock<NodeName> = LazyLock::new(|| "edge-1".parse().expect("a node's name"));
/// No pattern that the check for keys anyone could guess knows.
const BYTES: &[u8; 42] = b"a secret for all who want to read this one";
const FLEET: &str = "web";
const LEASE: i64 = 7;
