use std::fmt::Display;

/// `1 handshake`, `2 handshakes`: a number of what `noun` is one of.
pub fn count<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
