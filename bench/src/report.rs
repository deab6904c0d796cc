//! The table: what each product costs, and raincheck's cost as part of the others'.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::case::Case;
use crate::product::{Installed, Product};
use crate::sample::Sample;

/// All that a run found.
pub(crate) struct Report {
    pub(crate) products: Vec<Installed>,
    pub(crate) rounds: u32,
    pub(crate) window: Duration,
    pub(crate) rows: Vec<Row>,
}

/// What a run found in one case.
pub(crate) struct Row {
    case: Case,
    /// Each product's costs, in order of rounds.
    costs: Vec<(Product, Vec<f64>)>,
}

impl Row {
    pub(crate) fn new(case: Case) -> Self {
        Self { case, costs: Vec::new() }
    }

    /// Adds the next round's sample of `product`.
    pub(crate) fn add(&mut self, product: Product, sample: Sample) {
        match self.costs.iter_mut().find(|(present, _)| *present == product) {
            Some((_, costs)) => costs.push(sample.cost),
            None => self.costs.push((product, vec![sample.cost])),
        }
    }

    fn costs(&self, product: Product) -> Option<&[f64]> {
        self.costs.iter().find(|(present, _)| *present == product).map(|(_, costs)| costs.as_slice())
    }

    fn cost(&self, product: Product) -> Option<f64> {
        median(self.costs(product)?)
    }

    /// Raincheck's cost as part of the other's.
    fn ratio(&self, other: Product) -> Option<Ratio> {
        Ratio::of(self.costs(Product::Raincheck)?, self.costs(other)?)
    }
}

impl Report {
    pub(crate) fn to_json(&self) -> Value {
        let products: Map<_, _> =
            self.products.iter().map(|installed| (installed.product.to_string(), json!(installed.version))).collect();
        json!({
            "products": products,
            "rounds": self.rounds,
            "seconds": self.window.as_secs_f64(),
            "cases": self.rows.iter().map(Row::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Row {
    fn to_json(&self) -> Value {
        let each = |value: &dyn Fn(Product) -> Value| -> Map<_, _> {
            self.costs.iter().map(|(product, _)| (product.to_string(), value(*product))).collect()
        };
        let ratios: Map<_, _> =
            OTHERS.into_iter().filter_map(|other| Some((other.to_string(), self.ratio(other)?.to_json()))).collect();
        json!({
            "case": self.case,
            "unit": self.case.unit(),
            "cost": each(&|product| json!(self.cost(product))),
            "samples": each(&|product| json!(self.costs(product))),
            "raincheck_to": ratios,
            "mark": self.case.mark(),
            "reached": self.ratio(Product::Haproxy).map(|ratio| ratio.reaches(self.case.mark())),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for installed in &self.products {
            writeln!(f, "{:<9}  {}", installed.product, installed.version)?;
        }
        writeln!(
            f,
            "\nmedians of {} rounds of {:?}; ratios are medians of each round's, (lowest to highest)\n",
            self.rounds, self.window
        )?;
        write!(f, "{:<9}  {:<14}", "case", "unit")?;
        for installed in &self.products {
            write!(f, "  {:>9}", installed.product)?;
        }
        writeln!(f, "  {:<19}  {:<19}  mark", "raincheck/haproxy", "raincheck/nginx")?;
        for row in &self.rows {
            write!(f, "{:<9}  {:<14}", row.case, row.case.unit())?;
            for installed in &self.products {
                write!(f, "  {:>9}", row.cost(installed.product).map_or("-".into(), |cost| format!("{cost:.1}")))?;
            }
            for other in OTHERS {
                write!(f, "  {:<19}", row.ratio(other).map_or("-".into(), |ratio| ratio.to_string()))?;
            }
            let mark = row.case.mark();
            let verdict =
                row.ratio(Product::Haproxy).map(|ratio| if ratio.reaches(mark) { "reached" } else { "missed" });
            writeln!(f, "  {mark:.2} {}", verdict.unwrap_or_default())?;
        }
        Ok(())
    }
}

/// One product's cost as part of another's, over several rounds.
#[derive(Copy, Clone, PartialEq, Debug)]
struct Ratio {
    median: f64,
    lowest: f64,
    highest: f64,
}

impl Ratio {
    /// Round by round, since a round's samples were taken close together; none without a round.
    fn of(costs: &[f64], others: &[f64]) -> Option<Self> {
        let ratios: Vec<_> = costs.iter().zip(others).map(|(cost, other)| cost / other).collect();
        Some(Self {
            median: median(&ratios)?,
            lowest: ratios.iter().copied().min_by(f64::total_cmp)?,
            highest: ratios.iter().copied().max_by(f64::total_cmp)?,
        })
    }

    fn reaches(self, mark: f64) -> bool {
        self.median <= mark
    }

    fn to_json(self) -> Value {
        json!({ "median": self.median, "lowest": self.lowest, "highest": self.highest })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Padded as a whole by the caller, so it is put together first.
        let mut text = String::new();
        write!(text, "{:.2} ({:.2} to {:.2})", self.median, self.lowest, self.highest)?;
        f.pad(&text)
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

const OTHERS: [Product; 2] = [Product::Haproxy, Product::Nginx];

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
        let ratio = Ratio::of(&[1.0, 10.0, 1.0], &[2.0, 20.0, 4.0]).unwrap();
        assert_eq!(ratio, Ratio { median: 0.5, lowest: 0.25, highest: 0.5 });
        assert!(ratio.reaches(0.5) && !ratio.reaches(0.49));
        assert_eq!(ratio.to_string(), "0.50 (0.25 to 0.50)");
        assert_eq!(Ratio::of(&[], &[]), None);
    }
}
