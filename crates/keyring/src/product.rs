//! The keys of other products, made from those of a ring.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::key::{KeyName, KeySize, TicketKey};

/// A product that seals tickets of its own kind.
///
/// Products do not open one another's tickets, since each encodes sessions in its own way. So each
/// has keys of its own, made from the ring's: whoever reads a product's key file learns neither the
/// keys of the edges, nor those of another product or of another epoch.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "they are products")]
pub enum Product {
    HaProxy,
    Nginx,
    Envoy,
    H2o,
}

impl Product {
    /// The key of this product that belongs to `key` of a ring. Everybody who has the ring makes
    /// the same.
    ///
    /// HKDF-SHA256 over cipher key | MAC key, salted with the key's name; `info` is the product and
    /// the number of bits.
    pub fn key(self, key: &TicketKey, size: KeySize) -> TicketKey {
        let label = [
            LABEL,
            self.as_str().as_bytes(),
            match size {
                KeySize::Bits128 => b" 128",
                KeySize::Bits256 => b" 256",
            },
        ];
        let derived = Salt::new(HKDF_SHA256, key.name().as_bytes()).extract(key.expose_all());
        let mut bytes = Zeroizing::new([0; KeyName::LEN + 2 * KeySize::Bits256.cipher_len()]);
        let bytes = &mut bytes[..KeyName::LEN + 2 * size.cipher_len()];
        let okm = derived.expand(&label, Length(bytes.len())).expect("less than 255 blocks of SHA-256");
        okm.fill(bytes).expect("the length that was asked for");
        let (name, secret) = bytes.split_first_chunk().expect("a name is in front");
        let (cipher, mac) = secret.split_at(size.cipher_len());
        TicketKey::new(KeyName::from(*name), cipher, mac).expect("what HKDF gives is as random as a fresh key")
    }

    /// The product's name in configuration, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HaProxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::H2o => "h2o",
        }
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

const LABEL: &[u8] = b"raincheck product key v1 ";

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Product; 4] = [Product::HaProxy, Product::Nginx, Product::Envoy, Product::H2o];

    #[test]
    fn everybody_makes_the_same_key() {
        let [one, other] = [(); 2].map(|()| Product::HaProxy.key(&TicketKey::sample(1), KeySize::Bits256));
        assert!(one.is_same(&other));
    }

    #[test]
    fn no_two_are_related() {
        let mut seen = Vec::new();
        for key in [1, 2].map(TicketKey::sample) {
            for product in ALL {
                for size in [KeySize::Bits128, KeySize::Bits256] {
                    let derived = product.key(&key, size);
                    assert_eq!(derived.size(), size);
                    seen.push([derived.name().as_bytes(), derived.expose_cipher(), derived.expose_mac()].concat());
                }
            }
            seen.push([key.name().as_bytes(), key.expose_all()].concat());
        }
        let blocks: Vec<&[u8]> = seen.iter().flat_map(|bytes| bytes.chunks(16)).collect();
        for (i, block) in blocks.iter().enumerate() {
            assert!(!blocks[..i].contains(block));
        }
    }
}
