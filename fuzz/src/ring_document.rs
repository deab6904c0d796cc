use raincheck_keyring::{DocumentError, Ring};

/// A ring that another node hands on: one that is read is written as it was, and no part of one is a ring.
pub fn ring_document(bytes: &[u8]) -> bool {
    let read = Ring::decode(bytes);
    if let Ok(ring) = &read {
        assert_eq!(*ring.expose_encoded(), bytes);
        for prefix in super::prefixes(bytes) {
            assert_eq!(Ring::decode(prefix).map(drop), Err(DocumentError::CutShort));
        }
    }
    read.is_ok()
}
