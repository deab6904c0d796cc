use aws_lc_rs::hkdf::{Algorithm, KeyType, Prk};

/// HKDF-Expand-Label (RFC 8446 §7.1): fills `out` with what follows from a secret. `None` where something is too long for it: a
/// label or a context of more than 255 bytes, or more of `out` than HKDF gives.
pub fn expand_label(hash: Algorithm, secret: &[u8], label: &[u8], context: &[u8], out: &mut [u8]) -> Option<()> {
    // length 2 | length of the label 1 | label | length of the context 1 | context
    let length = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_length = [u8::try_from(PREFIX.len() + label.len()).ok()?];
    let context_length = [u8::try_from(context.len()).ok()?];
    let info = [&length[..], &label_length, PREFIX, label, &context_length, context];
    Prk::new_less_safe(hash, secret).expand(&info, Length(out.len())).ok()?.fill(out).ok()
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

const PREFIX: &[u8] = b"tls13 ";
