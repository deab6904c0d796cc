use proptest::prelude::*;

use super::*;

#[test]
fn bytes_that_anyone_could_guess_are_named() {
    let counting =
        |from: u8, step: u8| -> Vec<u8> { (0..32u8).map(|i| from.wrapping_add(i.wrapping_mul(step))).collect() };
    for (what, bytes, pattern) in [
        ("zero", vec![0; 32], Pattern::Zero),
        ("0xff", vec![0xff; 32], Pattern::Constant),
        ("uninitialised memory", vec![0xcd; 16], Pattern::Constant),
        ("counting from zero", counting(0, 1), Pattern::Counting),
        ("counting from one, as RFC 4231", counting(1, 1), Pattern::Counting),
        ("counting down", counting(255, 255), Pattern::Counting),
        ("counting by 17 through the wrap", counting(0, 17), Pattern::Counting),
        ("two bytes", [0xab, 0xcd].repeat(16), Pattern::Repeated(2)),
        ("DEADBEEF", [0xde, 0xad, 0xbe, 0xef].repeat(8), Pattern::Repeated(4)),
        ("a word", b"ticket! ".repeat(4), Pattern::Repeated(8)),
        ("half a key, twice", b"sixteen letters.".repeat(2), Pattern::Repeated(16)),
        ("half a key, four times", b"sixteen letters.".repeat(4), Pattern::Repeated(16)),
        ("a key, twice", RANDOM.repeat(2), Pattern::Repeated(32)),
    ] {
        assert_eq!(degenerate(&bytes), Some(Degenerate { pattern, whole: true }), "{what}");
    }
}

#[test]
fn half_a_key_that_anyone_could_guess_is_enough() {
    let halves = |a: &[u8], b: &[u8]| [a, b].concat();
    let counting: Vec<u8> = (0..16).collect();
    for (what, bytes, pattern) in [
        ("16 x 0x31, 16 x 0x00", halves(&[0x31; 16], &[0; 16]), Pattern::Constant),
        ("AES-128 in the place of AES-256", halves(&RANDOM[..16], &[0; 16]), Pattern::Zero),
        ("a counter in front", halves(&counting, &RANDOM[..16]), Pattern::Counting),
        ("cut off unaligned", halves(&RANDOM[..24], &[0; 16]), Pattern::Zero),
    ] {
        assert_eq!(degenerate(&bytes), Some(Degenerate { pattern, whole: false }), "{what}");
    }
}

#[test]
fn keys_printed_in_standards_are_known() {
    for hex in [
        "2b7e151628aed2a6abf7158809cf4f3c",
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b0000000000000001",
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f946730830a",
        "ae6852f8121067cc4bf7a5765577f39e",
    ] {
        let pairs = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        let found = degenerate(&bytes).map(|fault| fault.pattern);
        assert!(matches!(found, Some(Pattern::Published(_))), "{hex}: {found:?}");
    }
    // FIPS-197 appendix C counts.
    let counting: Vec<u8> = (0..32).collect();
    assert_eq!(degenerate(&counting).map(|fault| fault.pattern), Some(Pattern::Counting));
}

#[test]
fn equal_blocks_are_found_wherever_they_stand() {
    let (a, b, c) = (&RANDOM[..16], &RANDOM[16..], b"sixteen letters.");
    for (blocks, equal) in [
        (vec![a], false),
        (vec![a, b, c], false),
        (vec![a, b, a], true),
        (vec![a, b, c, c], true),
        (vec![a, b, &a[..15]], false),
    ] {
        assert_eq!(has_equal_blocks(&blocks.concat()), equal, "{blocks:?}");
    }
}

#[test]
fn a_random_key_is_none_of_these() {
    assert_eq!(degenerate(&RANDOM), None);
    // One bit away from counting, constant and repeated.
    for pattern in [(0..32).collect::<Vec<u8>>(), vec![5; 32], b"ticket! ".repeat(4)] {
        let mut bytes = pattern;
        bytes[7] ^= 1;
        bytes[21] ^= 1;
        assert_eq!(degenerate(&bytes), None, "{bytes:?}");
    }
    // Nothing can be said of no bytes, and little of few.
    assert_eq!(degenerate(&[]), None);
    assert_eq!(degenerate(&[1, 2]), None);
}

proptest! {
    #[test]
    fn every_constant_step_counts(
        from: u8,
        step: u8,
        block in 0usize..4,
        rest in any::<[u8; 64]>(),
    ) {
        let mut bytes = rest;
        for (i, byte) in (0u8..).zip(&mut bytes[16 * block..16 * (block + 1)]) {
            *byte = from.wrapping_add(step.wrapping_mul(i));
        }
        prop_assert!(degenerate(&bytes).is_some());
    }

    #[test]
    fn random_bytes_pass(bytes in proptest::collection::vec(any::<u8>(), 64)) {
        // Proptest shrinks towards zero and likes edges: what it calls random must be so here.
        let distinct = bytes.iter().collect::<std::collections::BTreeSet<_>>().len();
        prop_assume!(distinct > 40);
        prop_assert_eq!(degenerate(&bytes), None);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(0u8..3, 0..100)) {
        let fault = degenerate(&bytes);
        let equal = has_equal_blocks(&bytes);
        // Two whole equal blocks and nothing else are a repetition too.
        prop_assert!(!(equal && bytes.len() == 32) || fault.is_some());
    }
}

const RANDOM: [u8; 32] = *b"\x8e\xd2\x1a\x07\x9b\x44\xf3\xee\x60\x2d\x11\xc8\x95\x3f\xb7\x52\
                            \x4c\xa9\x0e\xd7\x36\x81\xfa\x6d\x23\x58\xbc\xe4\x99\x05\x7a\x1f";
