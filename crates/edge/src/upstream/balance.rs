//! Which server comes next: pure choices over numbers.

/// The server with the fewest connections among those not `tried` yet. Of equals, the first one from `turn` on, so that
/// an idle upstream does not send everything to its first server.
pub fn least_connections(open: impl ExactSizeIterator<Item = usize>, turn: usize, tried: &[usize]) -> Option<usize> {
    let servers = open.len();
    open.enumerate()
        .filter(|(index, _)| !tried.contains(index))
        .min_by_key(|(index, open)| (*open, (index + servers - turn % servers) % servers))
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewest_first_then_in_turn() {
        let cases: [(&[usize], usize, &[usize], Option<usize>); 7] = [
            (&[], 0, &[], None),
            (&[3, 1, 2], 0, &[], Some(1)),
            (&[3, 1, 2], 0, &[1], Some(2)),
            (&[0, 0, 0], 0, &[], Some(0)),
            (&[0, 0, 0], 1, &[], Some(1)),
            (&[0, 0, 0], 5, &[2], Some(0)),
            (&[0, 0], 0, &[0, 1], None),
        ];
        for (open, turn, tried, expected) in cases {
            assert_eq!(least_connections(open.iter().copied(), turn, tried), expected, "{open:?} {turn} {tried:?}");
        }
    }
}
