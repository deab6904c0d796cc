//! What a server said, so that it can be shown.

/// The first line of `said` that is not empty, cut to a readable length, with a dot for each byte that cannot be shown.
pub(super) fn quote(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let line = said.lines().find(|line| !line.is_empty()).unwrap_or_default();
    line.chars()
        .take(LONGEST)
        .map(|c| if c.is_control() || c == char::REPLACEMENT_CHARACTER { '.' } else { c })
        .collect()
}

// As much as fits on a line of a report.
const LONGEST: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_and_nothing_that_moves_the_cursor() {
        for (said, shown) in [
            (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], "SSH-2.0-OpenSSH_9.2"),
            (b"\r\n\r\n554 go away\r\nnow", "554 go away"),
            (b"\x1b[2J\0\xff", ".[2J.."),
            (b"", ""),
        ] {
            assert_eq!(quote(said), shown);
        }
        assert_eq!(quote(&[b'x'; 1000]).len(), LONGEST);
    }
}
