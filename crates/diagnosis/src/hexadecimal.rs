/// The digits of `byte` in base 16, in lower case.
pub(crate) fn digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0x0f].map(|digit| b"0123456789abcdef"[usize::from(digit)])
}
