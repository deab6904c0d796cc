/// Connections in groups, each in order of start.
#[derive(Debug)]
pub(super) struct Groups<K> {
    places: Vec<usize>,
    /// What the members of each group have in common, and where the group ends.
    ends: Vec<(K, usize)>,
}

impl<K: Copy + Ord> Groups<K> {
    /// The groups of `members`, by key.
    pub(super) fn of(members: impl Iterator<Item = (K, usize)>) -> Self {
        let mut members = members.collect::<Vec<_>>();
        members.sort_unstable();
        let places = members.iter().map(|(_, place)| *place).collect();
        let mut ends = Vec::new();
        for group in members.chunk_by(|(one, _), (other, _)| one == other) {
            let before = ends.last().map_or(0, |(_, end)| *end);
            ends.push((group[0].0, before + group.len()));
        }
        Self { places, ends }
    }

    /// The groups, in order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &[usize])> {
        let starts = [0].into_iter().chain(self.ends.iter().map(|(_, end)| *end));
        starts.zip(&self.ends).map(|(start, (key, end))| (*key, &self.places[start..*end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_in_order_and_so_are_their_members() {
        let groups = Groups::of([('b', 3), ('a', 2), ('b', 1), ('c', 0)].into_iter());
        let seen = groups.iter().map(|(key, places)| (key, places.to_vec())).collect::<Vec<_>>();
        assert_eq!(seen, [('a', vec![2]), ('b', vec![1, 3]), ('c', vec![0])]);
        assert_eq!(Groups::<char>::of([].into_iter()).iter().count(), 0);
    }
}
