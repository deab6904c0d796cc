use std::collections::BTreeMap;

/// Values that many connections have in common, each kept once and known by a number.
#[derive(Debug)]
pub(super) struct Interned<T> {
    numbers: BTreeMap<T, u32>,
    values: Vec<T>,
}

impl<T: Clone + Ord> Interned<T> {
    /// The number of `value`.
    pub(super) fn number(&mut self, value: T) -> u32 {
        let next = u32::try_from(self.values.len()).expect("no capture has as many connections");
        *self.numbers.entry(value).or_insert_with_key(|value| {
            self.values.push(value.clone());
            next
        })
    }

    /// The values, by number.
    pub(super) fn into_values(self) -> Vec<T> {
        self.values
    }
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), values: Vec::new() }
    }
}
