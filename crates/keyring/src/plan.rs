//! What a product lacks, and in which order it is safe to bring it.
//!
//! A product that holds a few keys takes a new one as the next, and lets the one that was next seal.
//! So one push is a rotation, and pushes are safe in the order of the ring: each key is next before
//! it seals. That a push waits until all the products that share keys hold the one before is for the
//! [`Rollout`](crate::Rollout) to see to.

use crate::key::KeyName;

/// The keys to push to a product that holds the keys `observed`, so that those it should hold,
/// `wanted`, are its newest: nothing where they are, one key after a rotation, all of them after a
/// restart with other keys. Both oldest first.
///
/// It goes on from the longest end of what is held that is a beginning of what should be.
pub fn lacking<'a>(observed: &[KeyName], wanted: &'a [KeyName]) -> &'a [KeyName] {
    let held = (0..=wanted.len()).rev().find(|&held| observed.ends_with(&wanted[..held]));
    &wanted[held.unwrap_or_default()..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_product_gets_the_keys_it_lacks() {
        for (what, observed, wanted, pushed) in [
            ("nothing to do", "abc", "abc", ""),
            ("a rotation", "abc", "bcd", "d"),
            ("two rotations at once", "abc", "cde", "de"),
            ("a restart with the keys of another time", "xyz", "abc", "abc"),
            ("a young ring, in the slots that are there", "xab", "ab", ""),
            ("a young ring, to a product that began by itself", "xyz", "ab", "ab"),
            ("the same keys in another order", "bca", "abc", "bc"),
            ("a push that was lost on the way back", "bcd", "abc", "abc"),
        ] {
            assert_eq!(lacking(&names(observed), &names(wanted)), names(pushed), "{what}");
        }
    }

    proptest! {
        /// Whatever is held: once it is pushed, what is wanted is there, and there is nothing to do.
        #[test]
        fn one_round_of_pushes_is_enough(observed in "[a-e]{3}", wanted in "[a-e]{1,3}") {
            let (mut held, wanted) = (names(&observed), names(&wanted));
            held.extend_from_slice(lacking(&held.clone(), &wanted));
            let slots = &held[held.len() - 3..];
            prop_assert!(slots.ends_with(&wanted));
            prop_assert!(lacking(slots, &wanted).is_empty());
        }
    }

    fn names(letters: &str) -> Vec<KeyName> {
        letters.bytes().map(|letter| KeyName::from([letter; KeyName::LEN])).collect()
    }
}
