use std::hash::{DefaultHasher, Hash, Hasher};

/// A digest by which `value` is known, and found: who does not know `seed` cannot choose values whose digests are alike.
pub(crate) fn digest<T: Hash + ?Sized>(seed: u64, value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}
