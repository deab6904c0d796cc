use proptest::prelude::*;

use super::*;
use crate::key::KeySize;

#[test]
fn a_ring_that_was_written_is_read_as_it_was() {
    let mut ring = Ring::new(TicketKey::sample(1), Some(TicketKey::sample_of(KeySize::Bits128, 2)), at(5)).unwrap();
    for (key, now) in [(3, 10), (4, 20), (5, 30)] {
        ring.advance(at(now), TicketKey::sample(key), 2).unwrap();
    }
    let read = Ring::decode(&ring.expose_encoded()).unwrap();
    assert_eq!(read.epoch(), ring.epoch());
    assert_eq!(read.len(), 4);
    for (read, written) in read.entries().zip(ring.entries()) {
        assert!(read.key.is_same(&written.key));
        assert_eq!((read.state, read.born, read.since), (written.state, written.born, written.since));
    }
}

#[test]
fn it_is_written_in_one_piece() {
    let ring = Ring::new(TicketKey::sample(1), Some(TicketKey::sample(2)), at(5)).unwrap();
    let bytes = ring.expose_encoded();
    assert_eq!(bytes.len(), bytes.capacity());
    assert_eq!(bytes.len(), 19 + 2 * (42 + 64));
}

#[test]
fn what_is_no_ring_is_told_apart() {
    let ring = Ring::new(TicketKey::sample(1), Some(TicketKey::sample(2)), at(5)).unwrap();
    let sound = ring.expose_encoded();
    for length in 0..sound.len() {
        assert_eq!(Ring::decode(&sound[..length]).unwrap_err(), DocumentError::CutShort, "{length}");
    }
    let with = |position: usize, bytes: &[u8]| {
        let mut changed = sound.to_vec();
        changed[position..position + bytes.len()].copy_from_slice(bytes);
        Ring::decode(&changed).map(drop).unwrap_err()
    };
    assert_eq!(with(0, &[9]), DocumentError::Version(9));
    assert_eq!(with(17, &[0, 1]), DocumentError::TooLong(42 + 64));
    let second_name = HEAD_LEN + KEY_HEAD_LEN + 64 + KEY_HEAD_LEN - KeyName::LEN;
    let first = TicketKey::sample(1).name();
    assert_eq!(with(second_name, first.as_bytes()), DocumentError::Ring(RingError::DuplicateName(first)));
    assert!(matches!(with(HEAD_LEN + KEY_HEAD_LEN, &[0; 64]), DocumentError::Key(_)));
    assert_eq!(Ring::decode(&[&[VERSION][..], &[0; 18]].concat()).unwrap_err(), DocumentError::Ring(RingError::Empty));
}

proptest! {
    #[test]
    fn anything_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Ring::decode(&bytes);
        let _ = Ring::decode(&[&[VERSION][..], &bytes].concat());
    }
}

fn at(millis: u64) -> UnixTime {
    UnixTime::from_millis(millis)
}
