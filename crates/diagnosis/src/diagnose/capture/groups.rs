use crate::buckets::Buckets;

/// Connections in groups of a client's, each in order of start.
#[derive(Debug)]
pub(super) struct Groups {
    places: Vec<usize>,
    /// Who each group is of, and where it ends.
    ends: Vec<(Member, usize)>,
}

/// The client of a group, and what of its connections are in there, both by number.
pub(super) type Member = (u32, u32);

impl Groups {
    /// The connections of each member, given in order of start.
    pub(super) fn of(members: &[(Member, usize)]) -> Self {
        let count =
            |number: fn(&Member) -> u32| members.iter().map(|(member, _)| number(member) + 1).max().unwrap_or(0);
        let by_other = members.iter().map(|(member, place)| (member.1, (*member, *place)));
        let by_other = Buckets::of(count(|member| member.1) as usize, by_other).into_values();
        let by_client = by_other.iter().map(|member| (member.0.0, *member));
        let sorted = Buckets::of(count(|member| member.0) as usize, by_client).into_values();
        let mut ends = Vec::new();
        for group in sorted.chunk_by(|(one, _), (other, _)| one == other) {
            let before = ends.last().map_or(0, |(_, end)| *end);
            ends.push((group[0].0, before + group.len()));
        }
        Self { places: sorted.into_iter().map(|(_, place)| place).collect(), ends }
    }

    /// The groups, in order of their members.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Member, &[usize])> {
        let starts = [0].into_iter().chain(self.ends.iter().map(|(_, end)| *end));
        starts.zip(&self.ends).map(|(start, (member, end))| (*member, &self.places[start..*end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_in_order_and_so_are_their_connections() {
        let groups = Groups::of(&[((2, 0), 1), ((0, 7), 2), ((2, 0), 3), ((0, 1), 4), ((0, 7), 5)]);
        let seen = groups.iter().map(|(member, places)| (member, places.to_vec())).collect::<Vec<_>>();
        assert_eq!(seen, [((0, 1), vec![4]), ((0, 7), vec![2, 5]), ((2, 0), vec![1, 3])]);
        assert_eq!(Groups::of(&[]).iter().count(), 0);
    }
}
