use proptest::prelude::*;

use super::*;
use crate::fleet::NodeKey;

#[test]
fn what_was_written_is_read_as_it_was() {
    let secret = FleetSecret::sample("web", 1);
    let registration = registration();
    let bytes = registration.encode(&secret);
    assert_eq!(bytes.len(), 2 + 6 + 16 + 8 + 1216 + 32);
    assert_eq!(Registration::decode(&bytes, &secret, &node("edge-1"), LEASE), Ok(registration));

    let acknowledgement = acknowledgement();
    let bytes = acknowledgement.encode(&secret);
    assert_eq!(bytes.len(), 2 + 6 + 16 + 8 + 32);
    assert_eq!(Acknowledgement::decode(&bytes, &secret, &node("edge-1"), LEASE), Ok(acknowledgement));
}

#[test]
fn each_stranger_is_told_apart() {
    for (what, bytes, decode) in both() {
        let judge = |secret: &FleetSecret, node_name, lease| decode(&bytes, secret, &node(node_name), lease);
        let secret = FleetSecret::sample("web", 1);
        assert_eq!(judge(&secret, "edge-1", LEASE), Ok(()), "{what}");
        // One name, another secret; one secret, another name.
        assert_eq!(judge(&FleetSecret::sample("web", 2), "edge-1", LEASE), Err(RegistrationError::Forged), "{what}");
        assert_eq!(judge(&FleetSecret::sample("mail", 1), "edge-1", LEASE), Err(RegistrationError::Forged), "{what}");
        // Moved to another node's place.
        assert_eq!(judge(&secret, "edge-2", LEASE), Err(RegistrationError::OtherNode), "{what}");
        // Brought back under a newer lease.
        assert_eq!(judge(&secret, "edge-1", LEASE + 1), Err(RegistrationError::OtherLease), "{what}");
        // Written by a later release.
        let mut later = bytes.clone();
        later[0] = 2;
        assert_eq!(decode(&later, &secret, &node("edge-1"), LEASE), Err(RegistrationError::Version(2)), "{what}");
    }
}

#[test]
fn one_kind_is_not_the_other() {
    let secret = FleetSecret::sample("web", 1);
    // As long as a registration, and signed as an acknowledgement.
    let head = Head { node: node("edge-1"), epoch: EPOCH, lease: LEASE };
    let bytes = head.sign(&secret, Signed::Acknowledgement, NodeKey::generate().public().as_bytes());
    assert_eq!(Registration::decode(&bytes, &secret, &head.node, LEASE), Err(RegistrationError::Forged));
    let bytes = head.sign(&secret, Signed::Registration, &[]);
    assert_eq!(Acknowledgement::decode(&bytes, &secret, &head.node, LEASE), Err(RegistrationError::Forged));
}

#[test]
fn a_key_without_the_secret_is_not_registered() {
    let secret = FleetSecret::sample("web", 1);
    let mut bytes = registration().encode(&secret);
    let key_at = bytes.len() - TAG_LEN - PublicKey::LEN;
    let strangers = NodeKey::generate();
    bytes[key_at..key_at + PublicKey::LEN].copy_from_slice(strangers.public().as_bytes());
    assert_eq!(Registration::decode(&bytes, &secret, &node("edge-1"), LEASE), Err(RegistrationError::Forged));
}

#[test]
fn who_has_the_secret_must_register_a_key_all_the_same() {
    let secret = FleetSecret::sample("web", 1);
    let head = Head { node: node("edge-1"), epoch: EPOCH, lease: LEASE };
    // Coefficients of ML-KEM are less than 3329; these are 4095.
    let bytes = head.sign(&secret, Signed::Registration, &[0xff; PublicKey::LEN]);
    assert_eq!(Registration::decode(&bytes, &secret, &head.node, LEASE), Err(RegistrationError::NoPublicKey));
}

#[test]
fn no_byte_can_be_changed_and_none_left_out() {
    let secret = FleetSecret::sample("web", 1);
    for (what, bytes, decode) in both() {
        let judge = |bytes: &[u8]| decode(bytes, &secret, &node("edge-1"), LEASE);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(judge(&flipped).is_err(), "{what}: {at}");
            assert_eq!(judge(&bytes[..at]), Err(RegistrationError::Malformed), "{what}: {at}");
        }
        assert_eq!(judge(&[&bytes[..], &[0]].concat()), Err(RegistrationError::Malformed), "{what}");
    }
}

proptest! {
    #[test]
    fn anything_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..1400)) {
        let secret = FleetSecret::sample("web", 1);
        for (_, _, decode) in both() {
            prop_assert!(decode(&bytes, &secret, &node("edge-1"), LEASE).is_err());
            prop_assert!(decode(&[&[VERSION][..], &bytes].concat(), &secret, &node("edge-1"), LEASE).is_err());
        }
    }
}

type Decode = fn(&[u8], &FleetSecret, &NodeName, i64) -> Result<(), RegistrationError>;

/// A registration and an acknowledgement of `edge-1`, and what reads them.
fn both() -> [(&'static str, Vec<u8>, Decode); 2] {
    let secret = FleetSecret::sample("web", 1);
    let registration: Decode = |bytes, secret, node, lease| Registration::decode(bytes, secret, node, lease).map(drop);
    let acknowledgement: Decode =
        |bytes, secret, node, lease| Acknowledgement::decode(bytes, secret, node, lease).map(drop);
    [
        ("registration", self::registration().encode(&secret), registration),
        ("acknowledgement", self::acknowledgement().encode(&secret), acknowledgement),
    ]
}

fn registration() -> Registration {
    let public_key = NodeKey::generate().public().clone();
    Registration { node: node("edge-1"), epoch: EPOCH, lease: LEASE, public_key }
}

fn acknowledgement() -> Acknowledgement {
    Acknowledgement { node: node("edge-1"), epoch: EPOCH, lease: LEASE }
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

const EPOCH: Epoch = Epoch { generation: 1, counter: 57 };
const LEASE: i64 = 7_587_883_226_118_513_924;
