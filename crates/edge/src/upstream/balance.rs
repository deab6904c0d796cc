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
    fn the_fewest_come_first() {
        assert_eq!(least_connections([3, 1, 2].into_iter(), 0, &[]), Some(1));
        assert_eq!(least_connections([3, 1, 2].into_iter(), 0, &[1]), Some(2));
    }

    #[test]
    fn equals_take_turns() {
        let picks: Vec<_> = (0..4).map(|turn| least_connections([0, 0, 0].into_iter(), turn, &[])).collect();
        assert_eq!(picks, [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!(least_connections([0, 0, 0].into_iter(), 5, &[2]), Some(0));
    }

    #[test]
    fn there_may_be_none_left() {
        assert_eq!(least_connections([].into_iter(), 0, &[]), None);
        assert_eq!(least_connections([0, 0].into_iter(), 0, &[0, 1]), None);
    }
}
