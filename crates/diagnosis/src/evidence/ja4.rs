use std::fmt;

/// The JA4 fingerprint of a client: `t13d1516h2_8daaf6152771_e5627efa2ab1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ja4([u8; Self::LENGTH]);

impl Ja4 {
    pub(crate) const LENGTH: usize = 36;

    /// The fingerprint that `text` is: ASCII, and of the right length.
    pub(crate) fn new(text: &str) -> Self {
        let mut bytes = [b'0'; Self::LENGTH];
        bytes.iter_mut().zip(text.bytes()).for_each(|(byte, of)| *byte = of);
        Self(bytes)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Default for Ja4 {
    /// That of a client that says nothing.
    fn default() -> Self {
        Self::new("t00i000000_000000000000_000000000000")
    }
}

impl fmt::Display for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
