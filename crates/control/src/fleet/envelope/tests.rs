use proptest::prelude::*;
use raincheck_keyring::KeySize;

use super::*;
use crate::fleet::{NodeKey, Unopened};
use crate::fresh_key;

#[test]
fn a_ring_goes_from_one_node_to_another() {
    let secret = FleetSecret::sample("web", 1);
    let ring = ring(22);
    let (key, sealed) = seal(&ring, &node("edge-1"), at(5_000), HOUR, &secret);
    let node_key = NodeKey::generate();
    let wrapped = key.wrap(node_key.public(), &node("edge-2"), &secret);
    assert_eq!(wrapped.len(), WRAPPED_LEN);

    let read = SealedRing::decode(sealed.as_bytes().to_vec(), &secret).unwrap();
    assert_eq!(read, sealed);
    assert_eq!(
        (read.epoch(), read.leader(), read.made_at(), read.rotate()),
        (ring.epoch(), &node("edge-1"), at(5_000), HOUR)
    );
    let key = node_key.open(&wrapped, read.epoch(), &node("edge-2"), &secret).unwrap();
    let opened = key.open(&read).unwrap();
    assert_eq!(*opened.expose_encoded(), *ring.expose_encoded());
    // And on to a node that registers later.
    let late = NodeKey::generate();
    let wrapped = key.wrap(late.public(), &node("edge-3"), &secret);
    assert!(late.open(&wrapped, read.epoch(), &node("edge-3"), &secret).is_ok());
}

#[test]
fn it_is_written_in_one_piece_and_not_in_clear() {
    let secret = FleetSecret::sample("web", 1);
    let ring = ring(3);
    let (key, sealed) = seal(&ring, &node("edge-1"), at(5_000), HOUR, &secret);
    assert_eq!(sealed.bytes.len(), sealed.bytes.capacity());
    assert_eq!(sealed.as_bytes().len(), 1 + 4 + 7 + 16 + 8 + 8 + ring.expose_encoded().len() + 16 + 32);
    let wrapped = key.wrap(NodeKey::generate().public(), &node("edge-1"), &secret);
    assert_eq!(wrapped.len(), wrapped.capacity());
    let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    for entry in ring.entries() {
        assert!(!contains(sealed.as_bytes(), entry.key.name().as_bytes()));
    }
    assert!(!contains(&wrapped, key.key.as_slice()));
}

#[test]
fn each_stranger_to_a_wrapped_key_is_told_apart() {
    let secret = FleetSecret::sample("web", 1);
    let (key, _) = seal(&ring(3), &node("edge-1"), at(5_000), HOUR, &secret);
    let epoch = key.epoch();
    let own = NodeKey::generate();
    let wrapped = key.wrap(own.public(), &node("edge-2"), &secret);
    let open = |own: NodeKey, bytes: &[u8], epoch, name, secret: &FleetSecret| {
        let Unopened { key, fault } = own.open(bytes, epoch, &node(name), secret).unwrap_err();
        (key, fault)
    };

    // One name, another secret; one secret, another name.
    let (own, fault) = open(own, &wrapped, epoch, "edge-2", &FleetSecret::sample("web", 2));
    assert_eq!(fault, EnvelopeError::Forged);
    let (own, fault) = open(own, &wrapped, epoch, "edge-2", &FleetSecret::sample("mail", 1));
    assert_eq!(fault, EnvelopeError::Forged);
    // Wrapped for the public key, which anybody can read, by somebody without the secret.
    let strangers = EpochKey::generate(epoch).wrap(own.public(), &node("edge-2"), &FleetSecret::sample("web", 3));
    let (own, fault) = open(own, &strangers, epoch, "edge-2", &secret);
    assert_eq!(fault, EnvelopeError::Forged);
    // For this key, and another node.
    let (own, fault) = open(own, &wrapped, epoch, "edge-3", &secret);
    assert_eq!(fault, EnvelopeError::Forged);
    // Of an earlier epoch, as it was and renamed.
    let (own, fault) = open(own, &wrapped, epoch.next(), "edge-2", &secret);
    assert_eq!(fault, EnvelopeError::OtherEpoch { expected: epoch.next(), found: epoch });
    let mut renamed = wrapped.clone();
    renamed[1..17].copy_from_slice(&epoch.next().to_bytes());
    let (own, fault) = open(own, &renamed, epoch.next(), "edge-2", &secret);
    assert_eq!(fault, EnvelopeError::Forged);
    // For another node's key, as it was and renamed.
    let mut others = key.wrap(NodeKey::generate().public(), &node("edge-2"), &secret);
    let (own, fault) = open(own, &others, epoch, "edge-2", &secret);
    assert_eq!(fault, EnvelopeError::OtherKey);
    others[17..25].copy_from_slice(&own.public().id());
    let (own, fault) = open(own, &others, epoch, "edge-2", &secret);
    assert_eq!(fault, EnvelopeError::Forged);
    // By a later release.
    let mut later = wrapped.clone();
    later[0] = 2;
    let (own, fault) = open(own, &later, epoch, "edge-2", &secret);
    assert_eq!(fault, EnvelopeError::Version(2));

    // None of it cost the node its key.
    assert!(own.open(&wrapped, epoch, &node("edge-2"), &secret).is_ok());
}

#[test]
fn no_byte_of_a_wrapped_key_can_be_changed_and_none_left_out() {
    let secret = FleetSecret::sample("web", 1);
    let (key, _) = seal(&ring(3), &node("edge-1"), at(5_000), HOUR, &secret);
    let own = NodeKey::generate();
    let wrapped = key.wrap(own.public(), &node("edge-2"), &secret);
    let mut own = Some(own);
    let mut refuse = |bytes: &[u8]| {
        let opened = own.take().unwrap().open(bytes, key.epoch(), &node("edge-2"), &secret);
        let Unopened { key, fault } = opened.unwrap_err();
        own = Some(key);
        fault
    };
    for at in 0..wrapped.len() {
        let mut flipped = wrapped.clone();
        flipped[at] ^= 1;
        match (at, refuse(&flipped)) {
            (0, EnvelopeError::Version(0))
            | (1..17, EnvelopeError::OtherEpoch { .. })
            | (17..25, EnvelopeError::OtherKey)
            | (25.., EnvelopeError::Forged) => {}
            (_, fault) => panic!("{at}: {fault:?}"),
        }
        assert_eq!(refuse(&wrapped[..at]), EnvelopeError::Malformed, "{at}");
    }
    assert_eq!(refuse(&[&wrapped[..], &[0]].concat()), EnvelopeError::Malformed);
}

#[test]
fn each_stranger_to_a_sealed_ring_is_told_apart() {
    let secret = FleetSecret::sample("web", 1);
    let ring = ring(3);
    let (key, sealed) = seal(&ring, &node("edge-1"), at(5_000), HOUR, &secret);
    let decode = |bytes: &[u8], secret: &FleetSecret| SealedRing::decode(bytes.to_vec(), secret).map(drop);

    // One name, another secret; one secret, another name.
    assert_eq!(decode(sealed.as_bytes(), &FleetSecret::sample("web", 2)), Err(EnvelopeError::Forged));
    assert_eq!(decode(sealed.as_bytes(), &FleetSecret::sample("mail", 1)), Err(EnvelopeError::OtherFleet));
    let mut later = sealed.as_bytes().to_vec();
    later[0] = 2;
    assert_eq!(decode(&later, &secret), Err(EnvelopeError::Version(2)));
    // Another ring, of this epoch and of the one after it.
    let (_, other) = seal(&ring, &node("edge-1"), at(5_000), HOUR, &secret);
    assert_eq!(key.open(&other).unwrap_err(), EnvelopeError::Forged);
    let (_, next) = seal(&ring.clone().in_generation(2), &node("edge-1"), at(5_000), HOUR, &secret);
    let fault = EnvelopeError::OtherEpoch { expected: ring.epoch(), found: next.epoch() };
    assert_eq!(key.open(&next).unwrap_err(), fault);
}

/// What a member of the fleet might seal: the secret and the key are right, and the ring is not.
#[test]
fn what_is_in_a_sealed_ring_is_judged_too() {
    let secret = FleetSecret::sample("web", 1);
    let ring = ring(3);
    let seal_as = |epoch, document: &[u8]| {
        let key = EpochKey::generate(epoch);
        let head = Head { leader: node("edge-1"), epoch, made_at: at(5_000), rotate: HOUR };
        let sealed = key.seal(head, document, &secret);
        key.open(&SealedRing::decode(sealed.as_bytes().to_vec(), &secret).unwrap()).map(drop)
    };
    let epoch = ring.epoch();
    let document = ring.expose_encoded();
    assert_eq!(seal_as(epoch, &document), Ok(()));
    assert_eq!(
        seal_as(epoch.next(), &document),
        Err(EnvelopeError::OtherEpoch { expected: epoch.next(), found: epoch })
    );
    assert_eq!(seal_as(epoch, b""), Err(EnvelopeError::Document(DocumentError::CutShort)));
    assert_eq!(seal_as(epoch, &[9; 100]), Err(EnvelopeError::Document(DocumentError::Version(9))));
}

#[test]
fn no_byte_of_a_sealed_ring_can_be_changed_and_none_left_out() {
    let secret = FleetSecret::sample("web", 1);
    let (key, sealed) = seal(&ring(2), &node("edge-1"), at(5_000), HOUR, &secret);
    let head_len = 1 + 4 + 7 + 16 + 8 + 8;
    let sound = sealed.as_bytes();
    for at in 0..sound.len() {
        let mut flipped = sound.to_vec();
        flipped[at] ^= 1;
        assert!(SealedRing::decode(flipped.clone(), &secret).is_err(), "{at}");
        let cut = SealedRing::decode(sound[..at].to_vec(), &secret).unwrap_err();
        let shortest = head_len + AES_256_GCM.tag_len() + TAG_LEN;
        assert_eq!(cut, if at < shortest { EnvelopeError::Malformed } else { EnvelopeError::Forged }, "{at}");
        // Signed anew, as only a member of the fleet can: the ring and what is in clear belong together all the same.
        if at >= sound.len() - TAG_LEN {
            continue;
        }
        flipped.truncate(sound.len() - TAG_LEN);
        secret.sign(Signed::SealedRing, &mut flipped);
        if let Ok(sealed) = SealedRing::decode(flipped, &secret) {
            assert!(key.open(&sealed).is_err(), "{at}");
        }
    }
}

/// Whoever reads the store's disk has all that was ever written; who breaks into a node has its private key, and the
/// fleet's secret too. Past rings stay closed.
#[test]
fn a_stolen_key_opens_nothing_of_the_past() {
    let secret = FleetSecret::sample("web", 1);
    let mut ring = ring(3);
    let mut history = Vec::new();
    let mut node_key = NodeKey::generate();
    for hour in 1..=5 {
        let (key, sealed) = seal(&ring, &node("edge-1"), at(hour * 3_600_000), HOUR, &secret);
        let wrapped = key.wrap(node_key.public(), &node("edge-2"), &secret);
        // The key is gone with this: `open` consumes it.
        let key = node_key.open(&wrapped, ring.epoch(), &node("edge-2"), &secret).unwrap();
        assert!(key.open(&sealed).is_ok());
        history.push((wrapped, sealed));
        node_key = NodeKey::generate();
        ring.advance(at(hour * 3_600_000), fresh_key(KeySize::Bits256), 20).unwrap();
    }
    for (mut wrapped, sealed) in history {
        // Even where the store passes it off as one for the key that is there now.
        for renamed in [false, true] {
            if renamed {
                wrapped[17..25].copy_from_slice(&node_key.public().id());
            }
            let Unopened { key, fault } =
                node_key.open(&wrapped, sealed.epoch(), &node("edge-2"), &secret).unwrap_err();
            assert_eq!(fault, if renamed { EnvelopeError::Forged } else { EnvelopeError::OtherKey });
            node_key = key;
        }
    }
}

#[test]
fn no_secret_is_shown() {
    let (key, _) = seal(&ring(2), &node("edge-1"), at(5_000), HOUR, &FleetSecret::sample("web", 1));
    assert_eq!(format!("{key:?}"), format!("EpochKey({})", key.epoch()));
    let own = NodeKey::generate();
    assert_eq!(format!("{own:?}"), format!("NodeKey(PublicKey({:016x}))", u64::from_be_bytes(own.public().id())));
}

proptest! {
    #[test]
    fn anything_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..1300)) {
        let secret = FleetSecret::sample("web", 1);
        for bytes in [bytes.clone(), [&[VERSION][..], &bytes].concat()] {
            prop_assert!(SealedRing::decode(bytes.clone(), &secret).is_err());
            prop_assert!(NodeKey::generate().open(&bytes, Epoch::NONE, &node("edge-1"), &secret).is_err());
        }
    }
}

fn ring(keys: usize) -> Ring {
    let [issuing, next] = [KeySize::Bits256; 2].map(fresh_key);
    let mut ring = Ring::new(issuing, Some(next), at(1_000)).unwrap();
    while ring.len() < keys {
        ring.advance(at(2_000), fresh_key(KeySize::Bits256), keys).unwrap();
    }
    ring
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn at(millis: u64) -> UnixTime {
    UnixTime::from_millis(millis)
}

const HOUR: Duration = Duration::from_secs(3600);
