use super::Ja4;

/// What a client says alike in every ClientHello, and other software or other settings say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Its fingerprint.
    pub ja4: Ja4,
    /// The cipher suites, in its order.
    pub suites: Box<[u16]>,
}

impl Profile {
    /// How much memory it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.suites)
    }
}
