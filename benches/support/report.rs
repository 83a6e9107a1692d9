//! How results are printed.

use std::fs;
use std::thread::available_parallelism;

#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Printed for comparison.
    None,
}

impl Target {
    pub(crate) fn verdict(self, value: f64) -> String {
        let (sign, limit, met) = match self {
            Self::AtMost(limit) => ("≤", limit, value <= limit),
            Self::AtLeast(limit) => ("≥", limit, value >= limit),
            Self::None => return "-".into(),
        };
        let limit = format!("{sign} {}", (limit * 100.0).round() / 100.0);
        format!("{limit:<8}{}", if met { "ok" } else { "over" })
    }
}

/// Prints a rate as a part of another.
pub(crate) fn rate(name: &str, base: f64, own: f64, ratio: f64, least: f64) {
    let verdict = Target::AtLeast(least).verdict(ratio);
    println!("{name:32}{base:>10.3}{own:>10.3}{ratio:>17.2}   {verdict}");
}

/// The counts above 0 in the statistics, with the names of the objects around them.
pub(crate) fn flatten(name: &str, value: &serde_json::Value, into: &mut Vec<(String, u64)>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        flatten(&name, value, into);
        into.extend(value.as_u64().filter(|&n| n > 0).map(|n| (name, n)));
    }
}

pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|l| l.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    let model = field("model name").unwrap_or_else(|| "unknown processor".into());
    let number = |name: &str| field(name).unwrap_or_else(|| "?".into());
    format!("{model} (family {}, model {})", number("cpu family"), number("model\t"))
}
