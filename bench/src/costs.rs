//! Costs over several rounds, and one as part of another.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value, json};

/// What each of several contenders cost, in order of rounds.
pub(crate) struct Costs<K>(Vec<(K, Vec<f64>)>);

impl<K: Copy + PartialEq + fmt::Display> Costs<K> {
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds what `contender` cost in the next round.
    pub(crate) fn add(&mut self, contender: K, cost: f64) {
        match self.0.iter_mut().find(|(present, _)| *present == contender) {
            Some((_, costs)) => costs.push(cost),
            None => self.0.push((contender, vec![cost])),
        }
    }

    /// In order of rounds.
    pub(crate) fn of(&self, contender: K) -> Option<&[f64]> {
        self.0.iter().find(|(present, _)| *present == contender).map(|(_, costs)| costs.as_slice())
    }

    pub(crate) fn median(&self, contender: K) -> Option<f64> {
        median(self.of(contender)?)
    }

    /// The cost of `contender` as part of the other's.
    pub(crate) fn ratio(&self, contender: K, other: K) -> Option<Ratio> {
        Ratio::of(self.of(contender)?, self.of(other)?)
    }

    /// By contender: the medians, and all there are.
    pub(crate) fn to_json(&self) -> (Value, Value) {
        let each = |value: &dyn Fn(&Vec<f64>) -> Value| -> Map<_, _> {
            self.0.iter().map(|(contender, costs)| (contender.to_string(), value(costs))).collect()
        };
        (each(&|costs| json!(median(costs))).into(), each(&|costs| json!(costs)).into())
    }
}

/// One cost as part of another, over several rounds.
#[derive(Copy, Clone, PartialEq, Debug)]
pub(crate) struct Ratio {
    median: f64,
    lowest: f64,
    highest: f64,
}

impl Ratio {
    /// Round by round, since a round's samples were taken close together; none without a round.
    pub(crate) fn of(costs: &[f64], others: &[f64]) -> Option<Self> {
        let ratios: Vec<_> = costs.iter().zip(others).map(|(cost, other)| cost / other).collect();
        Some(Self {
            median: median(&ratios)?,
            lowest: ratios.iter().copied().min_by(f64::total_cmp)?,
            highest: ratios.iter().copied().max_by(f64::total_cmp)?,
        })
    }

    pub(crate) fn reaches(self, mark: f64) -> bool {
        self.median <= mark
    }

    /// In a word.
    pub(crate) fn verdict(self, mark: f64) -> &'static str {
        if self.reaches(mark) { "reached" } else { "missed" }
    }

    pub(crate) fn to_json(self) -> Value {
        json!({ "median": self.median, "lowest": self.lowest, "highest": self.highest })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Padded as a whole by the caller, so it is put together first.
        let mut text = String::new();
        let digits = f.precision().unwrap_or(2);
        write!(text, "{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.lowest, self.highest)?;
        write!(f, "{text:<width$}", width = f.width().unwrap_or(0))
    }
}

/// The middle value, or the mean of the two in the middle; none of none.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The machine was ten times slower in the second round: no matter.
        let mut costs = Costs::none();
        for (cost, other) in [(1.0, 2.0), (10.0, 20.0), (1.0, 4.0)] {
            costs.add('a', cost);
            costs.add('b', other);
        }
        let ratio = costs.ratio('a', 'b').unwrap();
        assert_eq!(ratio, Ratio { median: 0.5, lowest: 0.25, highest: 0.5 });
        assert!(ratio.reaches(0.5) && !ratio.reaches(0.49));
        assert_eq!(ratio.to_string(), "0.50 (0.25 to 0.50)");
        assert_eq!(format!("{ratio:<24.3}|"), "0.500 (0.250 to 0.500)  |");
        assert_eq!(costs.ratio('a', 'c'), None);
        assert_eq!(Ratio::of(&[], &[]), None);
    }
}
