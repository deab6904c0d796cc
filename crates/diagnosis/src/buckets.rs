//! Values in numbered buckets.

use std::ops::Range;

/// Values in buckets, in each in the order they came: in one piece, without a list for each bucket.
#[derive(Debug)]
pub(crate) struct Buckets<T> {
    values: Vec<T>,
    /// Where each bucket begins, and where the last one ends.
    starts: Vec<u32>,
}

impl<T: Copy + Default> Buckets<T> {
    /// `count` buckets, and in each the values that come with its number.
    pub(crate) fn of(count: usize, numbered: impl Iterator<Item = (u32, T)> + Clone) -> Self {
        let mut starts = vec![0_u32; count + 1];
        numbered.clone().for_each(|(bucket, _)| starts[bucket as usize + 1] += 1);
        for bucket in 0..count {
            starts[bucket + 1] += starts[bucket];
        }
        let mut values = vec![T::default(); starts[count] as usize];
        // Where the next value of each bucket goes: in the end, where the bucket behind it begins.
        let mut next = starts.clone();
        for (bucket, value) in numbered {
            let place = &mut next[bucket as usize];
            values[*place as usize] = value;
            *place += 1;
        }
        Self { values, starts }
    }

    /// Which of the values are in `bucket`.
    pub(crate) fn range(&self, bucket: usize) -> Range<u32> {
        self.starts[bucket]..self.starts[bucket + 1]
    }

    /// The values in `bucket`.
    pub(crate) fn get(&self, bucket: usize) -> &[T] {
        &self.values[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }

    /// The values of all buckets, one after the other.
    pub(crate) fn into_values(self) -> Vec<T> {
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_has_its_values_in_the_order_they_came() {
        let buckets = Buckets::of(4, [(2, 'a'), (0, 'b'), (2, 'c'), (3, 'd'), (2, 'e')].into_iter());
        let all = (0..4).map(|bucket| buckets.get(bucket).iter().collect::<String>()).collect::<Vec<_>>();
        assert_eq!(all, ["b", "", "ace", "d"]);
        assert_eq!(buckets.range(2), 1..4);
        assert_eq!(buckets.into_values(), ['b', 'a', 'c', 'e', 'd']);
    }
}
