//! Taking bytes apart that anybody may have written.

/// What is left of the bytes.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, left) = self.0.split_first_chunk()?;
        self.0 = left;
        Some(*taken)
    }

    /// `length 1 | bytes`: what of it was written by [`write_name`].
    pub(super) fn name(&mut self) -> Option<&'a str> {
        let [length] = self.take()?;
        str::from_utf8(self.0.split_off(..usize::from(length))?).ok()
    }
}

/// `length 1 | bytes`, for names of a node or a fleet.
pub(super) fn write_name(name: &str, to: &mut Vec<u8>) {
    to.push(u8::try_from(name.len()).expect("a name has 64 letters at most"));
    to.extend_from_slice(name.as_bytes());
}
