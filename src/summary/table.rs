//! The summary for people, aligned and optionally coloured.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{Counts, Summary, total};
use crate::journal::visible;

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const NOTE: Style = AnsiColor::Cyan.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

struct Row {
    style: Style,
    indent: usize,
    label: String,
    count: String,
}

impl Summary {
    /// Returns the summary as an aligned table with ANSI colours, which the caller strips if they
    /// are not wanted.
    pub fn table(&self) -> String {
        let rows = rows(self);
        let labels = rows.iter().map(|r| r.indent + r.label.chars().count()).max().unwrap_or(0);
        let counts = rows.iter().map(|r| r.count.len()).max().unwrap_or(0);
        let mut text = headline(self);
        for Row { style, indent, label, count } in rows {
            let width = labels - indent;
            let pad = " ".repeat(indent);
            let _ = writeln!(text, "  {pad}{style}{label:width$}  {count:>counts$}{style:#}");
        }
        if !self.unmatched_rules.is_empty() {
            let rules = visible(&self.unmatched_rules.join(", "));
            let _ = writeln!(text, "  {WARN}rules that never matched: {rules}{WARN:#}");
        }
        if let Some(error) = &self.error {
            let _ = writeln!(text, "  {BAD}{}{BAD:#}", visible(error));
        }
        text
    }
}

fn headline(s: &Summary) -> String {
    let lines = if s.read == 1 { "line" } else { "lines" };
    let (read, bytes_in, bytes_out) = (grouped(s.read), size(s.bytes_in), size(s.tally.bytes_out));
    // The rate of a very short run mostly measures its start.
    let pace = match s.elapsed.as_millis() {
        ms @ 0..100 => format!("{ms} ms"),
        _ => {
            let (seconds, rate) = (s.elapsed.as_secs_f64(), s.megabytes_per_second());
            format!("{seconds:.2} s, {rate:.1} MB/s")
        }
    };
    format!("{BOLD}tamis: {read} {lines} read{BOLD:#}, {bytes_in} in, {bytes_out} out, {pace}\n")
}

fn rows(s: &Summary) -> Vec<Row> {
    let mut rows = vec![row(GOOD, 0, "clean", s.tally.clean)];
    let outcomes = [
        (NOTE, "redacted", s.tally.redacted),
        (NOTE, "wrapped", s.tally.wrapped),
        (PLAIN, "blank", s.tally.blank),
        (PLAIN, "tombstones", s.tally.tombstones),
        (PLAIN, "joined", s.tally.joined),
        (BAD, "unwritten", s.unwritten),
    ];
    let counted = outcomes.into_iter().filter(|&(_, _, n)| n > 0);
    rows.extend(counted.map(|(style, label, n)| row(style, 0, label, n)));
    if !s.stay.is_empty() {
        rows.push(row(NOTE, 0, "stay", s.stay.iter().map(|(_, n)| n).sum()));
        rows.extend(s.stay.iter().map(|(why, n)| row(PLAIN, 2, why.word(), *n)));
    }
    push_counts(&mut rows, WARN, "dropped", &s.dropped);
    push_counts(&mut rows, WARN, "dead-lettered", &s.dead_lettered);
    for (label, counts) in [("redactions", &s.redactions), ("observed", &s.observed)] {
        if !counts.is_empty() {
            rows.push(row(BOLD, 0, label, counts.iter().map(|(_, n)| n).sum()));
            rows.extend(counts.iter().map(|(id, n)| row(PLAIN, 2, id, *n)));
        }
    }
    if s.tally.prefixes > 0 {
        rows.push(row(NOTE, 0, "prefixes removed", s.tally.prefixes));
    }
    push_counts(&mut rows, BOLD, "violations", &s.violations);
    if s.failed_inputs > 0 {
        rows.push(row(BAD, 0, "failed inputs", s.failed_inputs));
    }
    if s.truncated_inputs > 0 {
        rows.push(row(WARN, 0, "truncated inputs", s.truncated_inputs));
    }
    let (reloads, refused) = s.reloads;
    if reloads > 0 {
        rows.push(row(BOLD, 0, "reloads", reloads));
    }
    if refused > 0 {
        rows.push(row(BAD, 0, "refused reloads", refused));
    }
    if s.unaccounted != 0 {
        rows.push(Row { count: s.unaccounted.to_string(), ..row(BAD, 0, "unaccounted", 0) });
    }
    rows
}

fn push_counts(rows: &mut Vec<Row>, style: Style, label: &str, counts: &Counts) {
    if !counts.is_empty() {
        rows.push(row(style, 0, label, total(counts)));
        rows.extend(counts.iter().map(|(reason, n)| row(PLAIN, 2, reason.word(), *n)));
    }
}

fn row(style: Style, indent: usize, label: &str, n: u64) -> Row {
    Row { style, indent, label: label.into(), count: grouped(n) }
}

/// Formats `1234567` as `1,234,567`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats `1500000` as `1.5 MB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::example, grouped};

    #[test]
    fn aligned_and_coloured() {
        let coloured = example().table();
        assert!(coloured.contains("\u{1b}["));
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(
            plain,
            "\
tamis: 1,218 lines read, 750.0 kB in, 700.0 kB out, 0.50 s, 1.5 MB/s
  clean              1,100
  redacted              80
  wrapped                4
  blank                  2
  unwritten              5
  stay                   3
    tried                3
  dropped                6
    text                 6
  dead-lettered         18
    unterminated        10
    schema_required      8
  redactions            81
    email               81
  observed               7
    jwt                  7
  violations             8
    schema_required      8
  reloads                2
  refused reloads        1
  rules that never matched: tamis.toml:3, later
"
        );
    }

    #[test]
    fn groups_of_three() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
    }
}
