use std::collections::BTreeMap;

use crate::evidence::KeyName;

/// A ticket key, as what tickets sealed under it have in common tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(super) u32);

/// The key of each key name. `tickets` are the distinct tickets' key names, by number; `names` what the numbers mean.
///
/// Most products put 16 bytes of name in front, so that several tickets have the same. Where no two do, the first four bytes
/// may still be the key's number, as in JSSE's, with a nonce behind; tickets without anything in common have no name at all,
/// and each seems to have a key of its own.
pub(super) fn keys(names: &[KeyName], tickets: impl Iterator<Item = u32>) -> Vec<Key> {
    let mut count = vec![0_u32; names.len()];
    tickets.for_each(|name| count[name as usize] += 1);
    let mut numbered = BTreeMap::<[u8; 4], u32>::new();
    let own = (0..).zip(names).zip(count);
    own.map(|((number, name), count)| match name.as_bytes().first_chunk() {
        Some(prefix) if count <= 1 => Key(*numbered.entry(*prefix).or_insert(number)),
        _ => Key(number),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(start: &[u8], end: u8) -> KeyName {
        let mut bytes = [end; 16];
        bytes[..start.len()].copy_from_slice(start);
        KeyName::of(&bytes).expect("not empty")
    }

    #[test]
    fn names_that_recur_are_keys() {
        let names = [name(b"NSS!", 1), name(b"NSS!", 2)];
        let keys = keys(&names, [0, 0, 1, 1].into_iter());
        assert_ne!(keys[0], keys[1], "though they begin alike");
    }

    #[test]
    fn names_that_do_not_recur_are_known_by_their_beginning() {
        let names = [name(&[0, 0, 0, 7], 1), name(&[0, 0, 0, 7], 2), name(&[0, 0, 0, 8], 3)];
        let keys = keys(&names, [0, 1, 2].into_iter());
        assert_eq!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
    }
}
