//! Prometheus' text format, version 0.0.4.
//!
//! The counters are plain atomics of the workers, read when somebody asks. A client library would want to own them, so
//! what is left to write is these few lines.

use std::fmt::{Display, Write as _};
use std::time::Duration;

/// The content type of what [`Exposition::finish`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page of metrics that is being written.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a metric that only grows; its name ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// Begins a metric that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// Begins a metric of durations.
    pub fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    /// The page.
    pub fn finish(self) -> String {
        self.0
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { text: &mut self.0, name }
    }
}

/// The samples of one metric.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

/// Names and values of a sample's labels.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

impl Family<'_> {
    /// Adds a sample.
    pub fn sample(&mut self, labels: Labels<'_>, value: impl Display) -> &mut Self {
        self.line("", labels, None, value);
        self
    }

    /// Adds a histogram, in seconds.
    pub fn buckets(
        &mut self,
        labels: Labels<'_>,
        buckets: Buckets<impl Iterator<Item = (Duration, u64)>>,
    ) -> &mut Self {
        let mut within = 0;
        for (bound, count) in buckets.cumulative {
            within = count;
            self.line("_bucket", labels, Some(&bound.as_secs_f64().to_string()), count);
        }
        // Others count on meanwhile; no bucket may have more than the last.
        let count = buckets.count.max(within);
        self.line("_bucket", labels, Some("+Inf"), count);
        self.line("_sum", labels, None, buckets.sum.as_secs_f64());
        self.line("_count", labels, None, count);
        self
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, bound: Option<&str>, value: impl Display) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        let mut separator = '{';
        for (name, value) in labels.iter().copied().chain(bound.map(|bound| ("le", bound))) {
            let _ = write!(self.text, "{separator}{name}=\"{}\"", escaped(value));
            separator = ',';
        }
        let end = if separator == ',' { "}" } else { "" };
        let _ = writeln!(self.text, "{end} {value}");
    }
}

/// What a histogram has counted.
#[derive(Debug)]
pub struct Buckets<C> {
    /// Each upper bound with how many took no longer, the lowest first.
    pub cumulative: C,
    /// How long all took together.
    pub sum: Duration,
    /// How many there were.
    pub count: u64,
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_as_the_format_has_it() {
        let mut page = Exposition::default();
        page.counter("a_total", "What\nis \\ counted.").sample(&[], 3).sample(&[("x", "1"), ("y", "a\"b\\c\nd")], 4);
        page.gauge("b", "None yet.");
        page.gauge("c", "A fraction.").sample(&[], 0.25);
        let expected = [
            r"# HELP a_total What\nis \\ counted.",
            "# TYPE a_total counter",
            "a_total 3",
            r#"a_total{x="1",y="a\"b\\c\nd"} 4"#,
            "# HELP b None yet.",
            "# TYPE b gauge",
            "# HELP c A fraction.",
            "# TYPE c gauge",
            "c 0.25",
            "",
        ];
        assert_eq!(page.finish(), expected.join("\n"));
    }

    #[test]
    fn histograms_are_cumulative() {
        let cumulative = [(250, 1), (1_000_000, 3)].map(|(bound, count)| (Duration::from_micros(bound), count));
        let buckets = Buckets { cumulative: cumulative.into_iter(), sum: Duration::from_secs(3), count: 4 };
        let mut page = Exposition::default();
        page.histogram("h", "Time.").buckets(&[("kind", "full")], buckets);
        let expected = [
            "# HELP h Time.",
            "# TYPE h histogram",
            r#"h_bucket{kind="full",le="0.00025"} 1"#,
            r#"h_bucket{kind="full",le="1"} 3"#,
            r#"h_bucket{kind="full",le="+Inf"} 4"#,
            r#"h_sum{kind="full"} 3"#,
            r#"h_count{kind="full"} 4"#,
            "",
        ];
        assert_eq!(page.finish(), expected.join("\n"));
    }
}
