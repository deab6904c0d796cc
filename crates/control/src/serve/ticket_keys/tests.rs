use raincheck_keyring::Ring;

use super::*;
use crate::fresh_key;

#[test]
fn there_are_three_lines_however_young_the_ring_and_pushing_the_last_one_keeps_step() {
    for (stride, rotations) in [(1, 6), (2, 9), (3, 12)] {
        let slots = Slots::new(3, stride, 20).unwrap();
        let now = UnixTime::from_millis(0);
        let mut ring = Ring::new(fresh_key(KeySize::Bits256), Some(fresh_key(KeySize::Bits256)), now).unwrap();
        // What a HAProxy has that began with the file and was pushed each new last line: it drops the first for it.
        let mut held: Vec<Vec<u8>> = lines(&ring, slots);
        for rotation in 0..rotations {
            ring.advance(now, fresh_key(KeySize::Bits256), 20).unwrap();
            let file = lines(&ring, slots);
            assert_eq!(file.len(), 3);
            if file[2] != held[2] {
                held.remove(0);
                held.push(file[2].clone());
            }
            // It seals with the same key, knows the same next one, and opens what sealed before.
            assert_eq!(held[1..], file[1..], "stride {stride}, rotation {rotation}");
        }
        assert_eq!(held, lines(&ring, slots));
        assert!((1..3).all(|index| !held[..index].contains(&held[index])), "three different ones by now");
    }
}

#[test]
fn a_line_is_the_base64_of_all_of_a_key() {
    let ring = Ring::new(fresh_key(KeySize::Bits256), None, UnixTime::from_millis(0)).unwrap();
    for (size, bytes) in [(KeySize::Bits128, 48), (KeySize::Bits256, 80)] {
        let slots = Slots::new(3, 1, 20).unwrap().fill(&ring, Product::HaProxy, size);
        let text = written(&three_lines(&slots, size).unwrap());
        assert!(text.capacity() >= text.len() && text.ends_with(b"=\n") || bytes == 48);
        let text = String::from_utf8(text.to_vec()).unwrap();
        let keys: Vec<_> = text.lines().map(|line| STANDARD.decode(line).unwrap()).collect();
        assert_eq!(keys.iter().map(Vec::len).collect::<Vec<_>>(), [bytes; 3]);
        assert!(Layout::HaProxy.decode(&keys[1]).unwrap().is_same(&slots[0].key));
    }
}

#[test]
fn dates_tell_versions_apart() {
    let versions = Versions::default();
    let at = |tag: &str, seconds: u64| versions.modified(tag, UnixTime::from_millis(1000 * seconds));
    let first = at("a", 784_111_777);
    assert_eq!(first, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(at("a", 784_111_777), first);
    assert_eq!(at("b", 784_111_777), "Sun, 06 Nov 1994 08:49:38 GMT");
    // The clock was set back.
    assert_eq!(at("c", 784_111_000), "Sun, 06 Nov 1994 08:36:40 GMT");
}

#[test]
fn a_poller_is_told_that_it_has_the_lines_already() {
    let headers = |headers: &[(hyper::header::HeaderName, &'static str)]| -> HeaderMap {
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    };
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (asked, expected) in [
        (&[][..], false),
        (&[(IF_NONE_MATCH, "\"a\"")], true),
        (&[(IF_NONE_MATCH, "\"b\"")], false),
        (&[(IF_MODIFIED_SINCE, date)], true),
        (&[(IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:38 GMT")], false),
        (&[(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, date)], false),
    ] {
        assert_eq!(is_unchanged(&headers(asked), "\"a\"", date), expected, "{asked:?}");
    }
}

fn lines(ring: &Ring, slots: Slots) -> Vec<Vec<u8>> {
    let slots = slots.fill(ring, Product::HaProxy, KeySize::Bits256);
    let lines = three_lines(&slots, KeySize::Bits256).unwrap();
    lines.iter().map(|line| line.key().name().as_bytes().to_vec()).collect()
}
