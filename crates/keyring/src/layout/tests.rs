use proptest::prelude::*;

use super::*;
use crate::key::KeySize;

#[test]
fn each_product_has_its_order() {
    let (name, cipher, mac, zero) = (NAME, CIPHER, MAC, [0; 32]);
    let short = [&name[..], &cipher[..16], &mac[..16]].concat();
    let cipher_first = [&name[..], &cipher, &mac].concat();
    let mac_first = [&name[..], &mac, &cipher].concat();
    let padded = [&name[..], &cipher, &mac, &zero].concat();
    for (layout, bytes) in [
        (Layout::HaProxy, &short),
        (Layout::Nginx, &short),
        (Layout::HaProxy, &cipher_first),
        (Layout::Nginx, &mac_first),
        (Layout::Envoy, &mac_first),
        (Layout::H2o, &padded),
    ] {
        let key = layout.decode(bytes).unwrap();
        let half = if bytes.len() == 48 { 16 } else { 32 };
        assert_eq!(key.name().as_bytes(), &name, "{layout}");
        assert_eq!(key.expose_cipher(), &cipher[..half], "{layout}");
        assert_eq!(key.expose_mac(), &mac[..half], "{layout}");
        assert_eq!(*layout.encode(&key).unwrap(), *bytes, "{layout}");
    }
}

#[test]
fn one_key_means_the_same_whoever_wrote_the_file() {
    let key = TicketKey::sample(1);
    for layout in [Layout::HaProxy, Layout::Nginx, Layout::Envoy, Layout::H2o] {
        let decoded = layout.decode(&layout.encode(&key).unwrap()).unwrap();
        assert!(decoded.is_same(&key), "{layout}");
    }
}

#[test]
fn every_other_length_is_refused() {
    for layout in LAYOUTS {
        let takes = |length| layout.shapes().iter().any(|fields| fields.len() == length);
        for length in (0..200).filter(|&length| !takes(length)) {
            let refused = layout.decode(&RANDOM[..length]).unwrap_err();
            assert_eq!(refused, LayoutError::WrongLength { layout, length });
        }
    }
}

#[test]
fn a_key_goes_only_where_it_fits() {
    let short = TicketKey::sample_of(KeySize::Bits128, 1);
    assert!(Layout::HaProxy.encode(&short).is_ok());
    assert!(Layout::Nginx.encode(&short).is_ok());
    let refused = |layout, cipher, mac| LayoutError::DoesNotFit { layout, cipher, mac };
    for layout in [Layout::Envoy, Layout::H2o] {
        assert_eq!(layout.encode(&short), Err(refused(layout, 16, 16)));
    }
    for mac in (16..=64).filter(|&mac| mac != 32) {
        let key = TicketKey::new(KeyName::from(NAME), &CIPHER, &RANDOM[..mac]).unwrap();
        for layout in LAYOUTS {
            let encoded = layout.encode(&key);
            // h2o has a place for 64; what is shorter but 32 would come back longer.
            if layout == Layout::H2o && mac == 64 {
                assert!(layout.decode(&encoded.unwrap()).unwrap().is_same(&key));
            } else {
                assert_eq!(encoded, Err(refused(layout, 32, mac)));
            }
        }
    }
}

#[test]
fn a_degenerate_key_is_refused_in_every_order() {
    for layout in LAYOUTS {
        for fields in layout.shapes() {
            let mut bytes = RANDOM[..fields.len()].to_vec();
            assert!(layout.decode(&bytes).is_ok());
            bytes[fields.cipher.clone()].fill(0);
            let refused = layout.decode(&bytes).unwrap_err().to_string();
            assert!(refused.starts_with("the bytes of the cipher key are all zero"), "{refused}");
        }
    }
    // A MAC key that is nothing but h2o's padding.
    let refused = Layout::H2o.decode(&[&RANDOM[..48], &[0; 64]].concat()).unwrap_err().to_string();
    assert!(refused.starts_with("the bytes of the MAC key are all zero"), "{refused}");
}

#[test]
fn errors_say_what_would_be_right() {
    for (layout, takes) in
        [(Layout::HaProxy, "48 or 80"), (Layout::Nginx, "48 or 80"), (Layout::Envoy, "80"), (Layout::H2o, "112")]
    {
        let refused = layout.decode(&[1; 7]).unwrap_err().to_string();
        let expected = format!(
            "7 bytes are no key for {layout}, which takes {takes}; \
             make one with `raincheck keys new --format {layout}`"
        );
        assert_eq!(refused, expected);
    }
}

proptest! {
    #[test]
    fn a_key_comes_back_as_it_went(seed: u64, short: bool, layout in 0usize..4) {
        let size = if short { KeySize::Bits128 } else { KeySize::Bits256 };
        let key = TicketKey::sample_of(size, seed);
        match LAYOUTS[layout].encode(&key) {
            Ok(bytes) => prop_assert!(LAYOUTS[layout].decode(&bytes).unwrap().is_same(&key)),
            Err(_) => prop_assert!(short && matches!(LAYOUTS[layout], Layout::Envoy | Layout::H2o)),
        }
    }

    #[test]
    fn bytes_come_back_as_they_went(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
        for layout in LAYOUTS {
            if let Ok(key) = layout.decode(&bytes) {
                prop_assert_eq!(&*layout.encode(&key).unwrap(), &bytes);
            }
        }
    }
}

const LAYOUTS: [Layout; 4] = [Layout::HaProxy, Layout::Nginx, Layout::Envoy, Layout::H2o];
const NAME: [u8; 16] = *b"what it's called";
const CIPHER: [u8; 32] = *b"a cipher key of just 32 letters.";
const MAC: [u8; 32] = *b"the MAC key, just as long, of 32";

/// Bytes without a pattern, from a linear congruential generator.
const RANDOM: [u8; 200] = {
    let mut bytes = [0; 200];
    let mut state = 12_345_u32;
    let mut i = 0;
    while i < bytes.len() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes[i] = (state >> 24) as u8;
        i += 1;
    }
    bytes
};
