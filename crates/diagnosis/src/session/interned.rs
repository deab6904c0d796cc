use std::borrow::Borrow;
use std::hash::Hash;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::digest::digest;

/// Values that many connections have in common, each kept once and known by a number.
#[derive(Debug)]
pub(super) struct Interned<T> {
    seed: u64,
    numbers: HashTable<u32>,
    values: Vec<T>,
}

impl<T> Interned<T> {
    /// No values yet. `seed` keeps them from being chosen so that all look-ups are slow.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, numbers: HashTable::new(), values: Vec::new() }
    }

    /// The number of `value`, which is made one's own where it is new.
    pub(super) fn number<Q: Hash + Eq + ?Sized>(&mut self, value: &Q, own: impl FnOnce() -> T) -> u32
    where
        T: Borrow<Q>,
    {
        let Self { seed, numbers, values } = self;
        let kept = |number: &u32| values[*number as usize].borrow();
        match numbers.entry(digest(*seed, value), |number| kept(number) == value, |number| digest(*seed, kept(number)))
        {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let next = u32::try_from(values.len()).expect("no capture has as many connections");
                place.insert(next);
                values.push(own());
                next
            }
        }
    }

    /// The values, by number.
    pub(super) fn into_values(self) -> Vec<T> {
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_number_and_are_made_once() {
        let mut names = Interned::<Box<str>>::new(1);
        let numbers = ["a", "b", "a", "c", "b"].map(|name| names.number(name, || name.into()));
        assert_eq!(numbers, [0, 1, 0, 2, 1]);
        assert_eq!(names.number("c", || unreachable!("it is known")), 2);
        assert_eq!(names.into_values(), ["a", "b", "c"].map(Box::from));
    }
}
