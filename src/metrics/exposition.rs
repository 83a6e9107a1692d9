//! Formats metrics as text: the [Prometheus
//! format](https://prometheus.io/docs/instrumenting/exposition_formats/) 0.0.4, and
//! [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/) 1.0.

use std::fmt::Write as _;

use super::Histogram;

/// The text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus, 0.0.4.
    Prometheus,
    /// OpenMetrics, 1.0.
    OpenMetrics,
}

impl Format {
    /// Returns the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows. Its name is without `_total`.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

impl Kind {
    /// Returns its name in both formats.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric with all its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The name, which is stable.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// A description in one line.
    pub help: &'static str,
    /// The label names.
    pub labels: &'static [&'static str],
    /// The samples.
    pub samples: Vec<Sample>,
}

impl Family {
    /// Creates a counter.
    pub fn counter(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        samples: Vec<Sample>,
    ) -> Self {
        Self { name, kind: Kind::Counter, help, labels, samples }
    }

    /// Creates a gauge.
    pub fn gauge(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        samples: Vec<Sample>,
    ) -> Self {
        Self { name, kind: Kind::Gauge, help, labels, samples }
    }
}

/// One value or histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The label values, in the order of the family's labels.
    pub labels: Vec<String>,
    /// The value, or the sum of a histogram.
    pub value: f64,
    /// The buckets of a histogram.
    pub buckets: Vec<(f64, u64)>,
}

impl Sample {
    /// Creates a sample of a value.
    pub fn of(labels: &[&str], value: f64) -> Self {
        let labels = labels.iter().map(ToString::to_string).collect();
        Self { labels, value, buckets: Vec::new() }
    }

    /// Creates a sample of a histogram.
    pub fn histogram(labels: &[&str], histogram: &Histogram) -> Self {
        let labels = labels.iter().map(ToString::to_string).collect();
        Self { labels, value: histogram.sum(), buckets: histogram.buckets() }
    }
}

/// Formats all families.
pub fn render(families: &[Family], format: Format) -> String {
    let mut out = String::new();
    for family in families {
        let Family { name, kind, help, .. } = family;
        let total = if *kind == Kind::Counter { "_total" } else { "" };
        let declared = match format {
            Format::Prometheus => format!("{name}{total}"),
            Format::OpenMetrics => (*name).to_owned(),
        };
        let _ = writeln!(out, "# HELP {declared} {}", help.replace('\\', "\\\\"));
        let _ = writeln!(out, "# TYPE {declared} {}", kind.name());
        for sample in &family.samples {
            write_sample(&mut out, family, sample, total);
        }
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn write_sample(out: &mut String, family: &Family, sample: &Sample, total: &str) {
    let name = family.name;
    let labels: Vec<String> = std::iter::zip(family.labels, &sample.labels)
        .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
        .collect();
    let set = |more: Option<String>| {
        let all: Vec<_> = labels.iter().cloned().chain(more).collect();
        if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
    };
    if family.kind != Kind::Histogram {
        let _ = writeln!(out, "{name}{total}{} {}", set(None), sample.value);
        return;
    }
    let mut count = 0;
    for (bound, n) in &sample.buckets {
        let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".into() };
        let _ = writeln!(out, "{name}_bucket{} {n}", set(Some(format!("le=\"{bound}\""))));
        count = *n;
    }
    let _ = writeln!(out, "{name}_sum{} {}", set(None), sample.value);
    let _ = writeln!(out, "{name}_count{} {count}", set(None));
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn families() -> Vec<Family> {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_secs(1));
        let odd = Sample::of(&["a\"b\\c\nd"], 3.0);
        vec![
            Family {
                name: "tamis_lines",
                kind: Kind::Counter,
                help: "Lines.",
                labels: &["outcome"],
                samples: vec![odd],
            },
            Family {
                name: "tamis_seconds",
                kind: Kind::Histogram,
                help: "Time.",
                labels: &[],
                samples: vec![Sample::histogram(&[], &histogram)],
            },
        ]
    }

    #[test]
    fn prometheus() {
        let text = render(&families(), Format::Prometheus);
        assert!(text.starts_with(concat!(
            "# HELP tamis_lines_total Lines.\n",
            "# TYPE tamis_lines_total counter\n",
            "tamis_lines_total{outcome=\"a\\\"b\\\\c\\nd\"} 3\n",
            "# HELP tamis_seconds Time.\n",
            "# TYPE tamis_seconds histogram\n",
            "tamis_seconds_bucket{le=\"0.00005\"} 0\n",
        )));
        assert!(text.ends_with(concat!(
            "tamis_seconds_bucket{le=\"60\"} 1\n",
            "tamis_seconds_bucket{le=\"+Inf\"} 1\n",
            "tamis_seconds_sum 1\n",
            "tamis_seconds_count 1\n",
        )));
    }

    #[test]
    fn open_metrics() {
        let text = render(&families(), Format::OpenMetrics);
        assert!(text.starts_with(
            "# HELP tamis_lines Lines.\n# TYPE tamis_lines counter\ntamis_lines_total{"
        ));
        assert!(text.ends_with("tamis_seconds_count 1\n# EOF\n"));
    }
}
