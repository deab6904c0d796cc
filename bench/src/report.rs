//! The table: what each product costs, and raincheck's cost as part of the others'.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::captures::CapturesRow;
use crate::case::Case;
use crate::checks::ChecksRow;
use crate::costs::{Costs, Ratio};
use crate::product::{Installed, Product};
use crate::sample::Sample;

/// All that a run found.
pub(crate) struct Report {
    pub(crate) products: Vec<Installed>,
    pub(crate) rounds: u32,
    pub(crate) window: Duration,
    pub(crate) rows: Vec<Row>,
    pub(crate) checks: Vec<ChecksRow>,
    /// The window of the checks.
    pub(crate) check_window: Duration,
    pub(crate) captures: Vec<CapturesRow>,
}

/// What a run found in one case.
pub(crate) struct Row {
    case: Case,
    costs: Costs<Product>,
}

impl Row {
    pub(crate) fn new(case: Case) -> Self {
        Self { case, costs: Costs::none() }
    }

    /// Adds the next round's sample of `product`.
    pub(crate) fn add(&mut self, product: Product, sample: Sample) {
        self.costs.add(product, sample.cost);
    }

    /// Raincheck's cost as part of the other's.
    fn ratio(&self, other: Product) -> Option<Ratio> {
        self.costs.ratio(Product::Raincheck, other)
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
            "check_seconds": self.check_window.as_secs_f64(),
            "checks": self.checks.iter().map(ChecksRow::to_json).collect::<Vec<_>>(),
            "captures": self.captures.iter().map(CapturesRow::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Row {
    fn to_json(&self) -> Value {
        let (cost, samples) = self.costs.to_json();
        let ratios: Map<_, _> =
            OTHERS.into_iter().filter_map(|other| Some((other.to_string(), self.ratio(other)?.to_json()))).collect();
        json!({
            "case": self.case,
            "unit": self.case.unit(),
            "cost": cost,
            "samples": samples,
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
        writeln!(f, "\nmedians of {} rounds; ratios are medians of each round's, (lowest to highest)", self.rounds)?;
        if !self.rows.is_empty() {
            self.table(f)?;
        }
        if !self.checks.is_empty() {
            writeln!(f, "\nchecks of servers over TLS, every second; rounds of {:?}\n", self.check_window)?;
        }
        self.checks.iter().try_for_each(|row| row.fmt(f))?;
        if !self.captures.is_empty() {
            writeln!(f, "\ncaptures, read from the page cache on one core\n")?;
        }
        self.captures.iter().try_for_each(|row| row.fmt(f))
    }
}

impl Report {
    /// Raincheck beside other terminators.
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nconnections, bytes and memory; rounds of {:?}\n", self.window)?;
        write!(f, "{:<9}  {:<14}", "case", "unit")?;
        for installed in &self.products {
            write!(f, "  {:>9}", installed.product)?;
        }
        writeln!(f, "  {:<19}  {:<19}  mark", "raincheck/haproxy", "raincheck/nginx")?;
        for row in &self.rows {
            write!(f, "{:<9}  {:<14}", row.case, row.case.unit())?;
            for installed in &self.products {
                write!(
                    f,
                    "  {:>9}",
                    row.costs.median(installed.product).map_or("-".into(), |cost| format!("{cost:.1}"))
                )?;
            }
            for other in OTHERS {
                write!(f, "  {:<19}", row.ratio(other).map_or("-".into(), |ratio| ratio.to_string()))?;
            }
            let mark = row.case.mark();
            let verdict = row.ratio(Product::Haproxy).map(|ratio| ratio.verdict(mark));
            writeln!(f, "  {mark:.2} {}", verdict.unwrap_or_default())?;
        }
        Ok(())
    }
}

const OTHERS: [Product; 2] = [Product::Haproxy, Product::Nginx];
