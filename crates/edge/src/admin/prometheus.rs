//! Prometheus' text format, version 0.0.4.
//!
//! The counters are plain atomics of the workers, read when somebody asks. A client library would want to own them, so
//! what is left to write is these few lines.

use std::fmt::{Display, Write as _};

use crate::counters::Histogram;

/// The content type of what [`Exposition::finish`] gives.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page of metrics that is being written.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Begins a metric that only grows; its name ends in `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// Begins a metric that goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// Begins a metric of durations.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    /// The page.
    pub(super) fn finish(self) -> String {
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
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

/// Names and values of a sample's labels.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Family<'_> {
    /// Adds a sample.
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) -> &mut Self {
        self.line("", labels, None, value);
        self
    }

    /// Adds a histogram, in seconds.
    pub(super) fn buckets<const N: usize>(&mut self, labels: Labels<'_>, histogram: &Histogram<N>) -> &mut Self {
        let mut within = 0;
        for (bound, count) in histogram.cumulative() {
            within = count;
            self.line("_bucket", labels, Some(&bound.as_secs_f64().to_string()), count);
        }
        // Workers count on meanwhile; no bucket may have more than the last.
        let count = histogram.count().max(within);
        self.line("_bucket", labels, Some("+Inf"), count);
        self.line("_sum", labels, None, histogram.sum().as_secs_f64());
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

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        let histogram = Histogram::new([Duration::from_micros(250), Duration::from_secs(1)]);
        for millis in [0, 500, 1000, 1500] {
            histogram.observe(Duration::from_millis(millis));
        }
        let mut page = Exposition::default();
        page.histogram("h", "Time.").buckets(&[("kind", "full")], &histogram);
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
