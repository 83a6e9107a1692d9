//! The summary of a run, for people and for programs.

mod json;
mod table;

use std::time::Duration;

pub(crate) use table::size;

use crate::pipeline::{End, Reason, Report, Stall, Stays, Tally};

/// The summary of a run.
#[derive(Debug, Clone)]
pub struct Summary {
    /// All lines read.
    pub read: u64,
    /// The delivered lines, by outcome.
    pub tally: Tally,
    /// Dead letters that were not replayed, by reason, without zeros.
    pub stay: Vec<(Stays, u64)>,
    /// Dropped lines by reason, without zeros.
    pub dropped: Counts,
    /// Lines kept as dead letters by reason, without zeros.
    pub dead_lettered: Counts,
    /// Lines that violated a schema by reason, dropped or kept, without zeros.
    pub violations: Counts,
    /// Redactions by detector, without zeros.
    pub redactions: Vec<(String, u64)>,
    /// Findings that rules only counted, by detector, without zeros.
    pub observed: Vec<(String, u64)>,
    /// The allow-list entries and rules that never matched.
    pub unmatched_rules: Vec<String>,
    /// Lines that were read but not accepted by the output.
    pub unwritten: u64,
    /// `read` minus the sum of all outcomes.
    pub unaccounted: i64,
    /// Inputs that failed.
    pub failed_inputs: u64,
    /// Followed inputs that were truncated in place; lines may be lost each time.
    pub truncated_inputs: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// The duration of the run.
    pub elapsed: Duration,
    /// Worker threads.
    pub threads: usize,
    /// The highest value of the memory formula.
    pub memory_ceiling_bytes: u64,
    /// The numbers of successful and of refused reloads.
    pub reloads: (u64, u64),
    /// Lines written to `_other`, because the file that their fields name could not be written.
    pub other_file_lines: u64,
    /// How many reports of the run could not be written.
    pub failed_reports: u64,
    /// What failed, if something did.
    pub error: Option<String>,
    /// The exit code of the process.
    pub exit_code: u8,
}

/// Counts by reason.
pub type Counts = Vec<(Reason, u64)>;

/// What a summary needs in addition to the report.
pub struct Setting<'a> {
    /// The ids of the detectors, in the order of the tally.
    pub detectors: &'a [String],
    /// The allow-list entries, then the rules, in the order of the tally; `None` if not in effect
    /// any longer.
    pub rules: &'a [Option<String>],
    /// Returns whether rejects for this reason are kept as dead letters.
    pub keeps: &'a dyn Fn(Reason) -> bool,
    /// The duration of the run.
    pub elapsed: Duration,
    /// Worker threads.
    pub threads: usize,
    /// The highest value of the memory formula.
    pub memory_ceiling_bytes: u64,
    /// The numbers of successful and of refused reloads.
    pub reloads: (u64, u64),
}

impl Summary {
    /// Creates the summary of a run. Its exit code is 0 until it is set.
    pub fn new(report: &Report, setting: &Setting<'_>) -> Self {
        let tally = &report.tally;
        let rejected = |wanted: &dyn Fn(Reason) -> bool| -> Counts {
            let all = Reason::ALL.iter().copied();
            let counted = all.map(|reason| (reason, tally.rejected[reason.index()]));
            counted.filter(|&(reason, n)| n > 0 && wanted(reason)).collect()
        };
        let by_detector = |counts: &[u64]| -> Vec<(String, u64)> {
            let all = setting.detectors.iter().cloned().zip(counts.iter().copied());
            all.filter(|(_, n)| *n > 0).collect()
        };
        let hits = tally.hits.iter().copied().chain(std::iter::repeat(0));
        let rules = setting.rules.iter().zip(hits);
        Self {
            read: report.read(),
            stay: Stays::ALL
                .iter()
                .map(|why| (*why, tally.stay[why.index()]))
                .filter(|(_, n)| *n > 0)
                .collect(),
            dropped: rejected(&|reason| !(setting.keeps)(reason)),
            dead_lettered: rejected(setting.keeps),
            violations: rejected(&Reason::is_violation),
            redactions: by_detector(&tally.redactions),
            observed: by_detector(&tally.observed),
            unmatched_rules: rules
                .filter(|(_, n)| *n == 0)
                .filter_map(|(r, _)| r.clone())
                .collect(),
            unwritten: report.unwritten,
            unaccounted: tally.unaccounted(),
            failed_inputs: report.failed_inputs,
            truncated_inputs: report.truncated_inputs,
            bytes_in: report.bytes_in,
            elapsed: setting.elapsed,
            threads: setting.threads,
            memory_ceiling_bytes: setting.memory_ceiling_bytes,
            reloads: setting.reloads,
            other_file_lines: 0,
            failed_reports: 0,
            error: error(&report.end),
            exit_code: 0,
            tally: tally.clone(),
        }
    }

    /// Returns the number of dropped lines.
    pub fn dropped_total(&self) -> u64 {
        total(&self.dropped)
    }

    /// Returns the number of rejected lines, without those that a rule drops intentionally.
    pub fn refused_total(&self) -> u64 {
        self.tally.rejected_total() - self.tally.intentional()
    }

    /// Returns the throughput in megabytes of input per second.
    pub fn megabytes_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.bytes_in as f64 / 1e6 / seconds } else { 0.0 }
    }
}

fn total(counts: &Counts) -> u64 {
    counts.iter().map(|(_, n)| n).sum()
}

fn error(end: &End) -> Option<String> {
    match end {
        End::Complete | End::Closed => None,
        End::Unfinished(unfinished) => Some(unfinished.to_string()),
        End::Stuck => Some(Stall::Output.to_string()),
        End::Stalled(stall) => Some(stall.to_string()),
        End::Failed(failure) => Some(failure.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::EngineReason;

    pub(super) fn example() -> Summary {
        let mut tally = Tally {
            read: 1213,
            clean: 1100,
            redacted: 80,
            wrapped: 4,
            blank: 2,
            redactions: vec![0, 81],
            observed: vec![7, 0],
            hits: vec![0, 7],
            bytes_in: 0,
            bytes_out: 700_000,
            ..Tally::default()
        };
        tally.stay[Stays::Tried.index()] = 3;
        tally.rejected[EngineReason::Unterminated.index()] = 10;
        tally.rejected[EngineReason::Required.index()] = 8;
        tally.rejected[EngineReason::Text.index()] = 6;
        let report = Report { tally, bytes_in: 750_000, unwritten: 5, ..Report::default() };
        let setting = Setting {
            detectors: &["jwt".into(), "email".into()],
            rules: &[
                Some("tamis.toml:3".into()),
                Some("tokens".into()),
                Some("later".into()),
                None,
            ],
            keeps: &|reason| reason != EngineReason::Text,
            elapsed: Duration::from_millis(500),
            threads: 2,
            memory_ceiling_bytes: 64 << 20,
            reloads: (2, 1),
        };
        Summary::new(&report, &setting)
    }

    #[test]
    fn outcomes_add_up_to_read() {
        let s = example();
        let t = &s.tally;
        let outcomes = t.clean + t.redacted + t.wrapped + t.blank + t.stay_total() + s.unwritten;
        assert_eq!(s.read, outcomes + s.dropped_total() + total(&s.dead_lettered));
        assert_eq!(s.unaccounted, 0);
        assert_eq!(s.stay, [(Stays::Tried, 3)]);
        assert_eq!(s.dropped, [(Reason::from(EngineReason::Text), 6)]);
        assert_eq!(s.violations, [(Reason::from(EngineReason::Required), 8)]);
        assert_eq!(s.redactions, [("email".to_string(), 81)]);
        assert_eq!(s.observed, [("jwt".to_string(), 7)]);
        assert_eq!(s.unmatched_rules, ["tamis.toml:3", "later"]);
    }
}
