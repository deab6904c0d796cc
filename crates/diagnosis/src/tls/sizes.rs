//! What the sizes of encrypted records tell in TLS 1.3, where their types are hidden (RFC 8446 §5.2).

/// Sizes of the records that end a flight or a connection, by cipher suite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    hash: u16,
    tag: u16,
}

impl Sizes {
    /// Those of `suite`; without one, the smallest there are.
    pub(super) fn of(suite: Option<u16>) -> Self {
        let hash = if suite == Some(TLS_AES_256_GCM_SHA384) { 48 } else { 32 };
        let tag = if matches!(suite, Some(TLS_AES_128_CCM_8_SHA256)) { 8 } else { 16 };
        Self { hash, tag }
    }

    /// A record with nothing but Finished: header 4 | verify_data | content type 1 | tag (RFC 8446 §4.4.4).
    pub(super) fn finished(self) -> u16 {
        4 + self.hash + 1 + self.tag
    }

    /// A record with an alert: level 1 | description 1 | content type 1 | tag.
    pub(super) fn alert(self) -> u16 {
        2 + 1 + self.tag
    }

    /// How many zeros pad a record of `length`, if it holds nothing but Finished.
    pub(super) fn padding(self, length: u16) -> Option<u16> {
        self.is_finished(length).then(|| length - self.finished())
    }

    /// Whether a record of `length` holds nothing but Finished, as far as sizes can tell.
    pub(super) fn is_finished(self, length: u16) -> bool {
        length == self.finished() || length == self.finished() + JAVAS_PADDING
    }

    /// Whether a record of `length` may be an alert, by a side that pads with that many zeros.
    pub(super) fn is_alert(self, length: u16, padding: u16) -> bool {
        length == self.alert() || length == self.alert() + padding
    }
}

/// JSSE puts 16 zeros behind what it says in TLS 1.3 (`OutputRecord`, `T13PaddingHolder`). Others pad nothing.
pub(super) const JAVAS_PADDING: u16 = 16;
// IANA: TLS Cipher Suites.
const TLS_AES_256_GCM_SHA384: u16 = 0x1302;
const TLS_AES_128_CCM_8_SHA256: u16 = 0x1305;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_wire() {
        // As OpenSSL 3.0 and Java 17 send them.
        for (suite, finished, padded, alert) in [(0x1301, 53, 69, 19), (0x1302, 69, 85, 19), (0x1305, 45, 61, 11)] {
            let sizes = Sizes::of(Some(suite));
            assert_eq!((sizes.finished(), sizes.alert()), (finished, alert));
            assert_eq!([finished, padded, 1244].map(|length| sizes.padding(length)), [Some(0), Some(16), None]);
            assert!(sizes.is_alert(alert, 0) && !sizes.is_alert(alert + 16, 0) && sizes.is_alert(alert + 16, 16));
        }
    }
}
