//! Prometheus' text format, read back.

use std::collections::BTreeMap;
use std::fmt;

/// All samples of one scrape.
#[derive(Clone, Debug)]
pub struct Metrics {
    samples: Vec<Sample>,
}

/// One line.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Metrics {
    /// Reads a whole page; panics on a line that is none of the format's.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { samples: lines.map(Sample::parse).collect() }
    }

    /// The sum of the samples of this name that have all of these labels; 0 when there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name).filter(|sample| sample.has(labels)).map(|sample| sample.value).sum()
    }

    /// The samples of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    /// Every value any label has.
    pub fn label_values(&self) -> impl Iterator<Item = &str> {
        self.samples.iter().flat_map(|sample| sample.labels.values().map(String::as_str))
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.samples
            .iter()
            .try_for_each(|sample| writeln!(formatter, "{} {:?} {}", sample.name, sample.labels, sample.value))
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let parsed = || -> Option<Self> {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = match series.split_once('{') {
                Some((name, labels)) => (name, parse_labels(labels.strip_suffix('}')?)?),
                None => (series, BTreeMap::new()),
            };
            Some(Self { name: name.to_owned(), labels, value: value.parse().ok()? })
        };
        parsed().unwrap_or_else(|| panic!("not a line of Prometheus' format: {line}"))
    }

    fn has(&self, wanted: &[(&str, &str)]) -> bool {
        wanted.iter().all(|(key, value)| self.labels.get(*key).is_some_and(|found| found == value))
    }
}

/// `a="b",c="d"`. None of our label values holds a quotation mark.
fn parse_labels(text: &str) -> Option<BTreeMap<String, String>> {
    text.split("\",")
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once("=\"")?;
            Some((key.to_owned(), value.strip_suffix('"').unwrap_or(value).to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn reads_the_format() {
        let metrics = Metrics::parse("# HELP a b\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"\"} 4\nb 0.5\n");
        assert_eq!(metrics.sum("a", &[("x", "1")]), 7.0);
        assert_eq!(metrics.sum("a", &[("y", "")]), 4.0);
        assert_eq!(metrics.sum("b", &[]), 0.5);
        assert_eq!(metrics.sum("c", &[]), 0.0);
    }
}
