//! The metrics by name. Names and labels are stable. Label values are words of this program, never
//! text from an event.

use std::time::{Duration, UNIX_EPOCH};

use super::{Snapshot, Telemetry, process, routes};
use crate::{
    app::{packs, visible::visible},
    journal::stderr,
    metrics::{Family, Kind, Sample},
    pipeline::Reason,
};

impl Telemetry {
    /// Returns all metrics; the counts come from one snapshot.
    pub(super) fn families(&self) -> Vec<Family> {
        let seen = self.seen().clone();
        let mut all = lines(&seen);
        all.extend(self.findings(&seen));
        all.extend(inputs(&seen));
        all.extend(self.stages());
        all.extend(self.program());
        if self.is_member {
            all.extend(self.member_status.families());
        }
        all
    }

    fn findings(&self, seen: &Snapshot) -> Vec<Family> {
        let tally = &seen.tally;
        let rejected = |reason: Reason| tally.rejected[reason.index()] as f64;
        let by_reason = Reason::ALL.iter().map(|&reason| {
            let to = if (self.keeps)(reason) { "dead_letter" } else { "dropped" };
            Sample::of(&[reason.word(), to], rejected(reason))
        });
        let mut violations = seen.violations.clone();
        let all_routes = self.live.routes();
        for schema in all_routes.iter().filter_map(|route| route.schema.as_ref()) {
            for reason in Reason::ALL.iter().filter(|reason| reason.is_violation()) {
                violations.entry((schema.clone(), reason.word())).or_default();
            }
        }
        let violations = violations.iter().map(|((schema, reason), count)| {
            Sample::of(&[&visible(schema), reason], *count as f64)
        });
        let detectors = self.live.detectors();
        let by_detector = |counts: &[u64]| -> Vec<Sample> {
            let counts = counts.iter().copied().chain(std::iter::repeat(0));
            let all = detectors.iter().zip(counts);
            all.map(|(id, count)| Sample::of(&[id], count as f64)).collect()
        };
        let mut all = vec![
            Family::counter(
                "tamis_rejected_lines",
                "Lines that were not forwarded, by reason and destination.",
                &["reason", "to"],
                by_reason.collect(),
            ),
            Family::counter(
                "tamis_schema_violations",
                "Lines that violated a schema, by schema and reason.",
                &["schema", "reason"],
                violations.collect(),
            ),
            Family::counter(
                "tamis_redactions",
                "Redactions, by detector.",
                &["detector"],
                by_detector(&tally.redactions),
            ),
            Family::counter(
                "tamis_observed_findings",
                "Findings that a rule counted without redacting, by detector.",
                &["detector"],
                by_detector(&tally.observed),
            ),
        ];
        all.extend(routes::families(seen, &all_routes, &detectors));
        all
    }

    fn stages(&self) -> Vec<Family> {
        let meters = &self.meters;
        let stages = [
            ("read", &meters.read),
            ("judge", &meters.judge),
            ("deliver", &meters.deliver),
            ("acknowledge", &meters.acknowledge),
        ];
        let stages = stages.map(|(stage, times)| Sample::histogram(&[stage], times));
        let (in_use, chunks) = meters.fill();
        let free = chunks.saturating_sub(in_use);
        vec![
            Family {
                name: "tamis_stage_seconds",
                kind: Kind::Histogram,
                help: "How long a chunk took in each stage; `read` includes the wait for input.",
                labels: &["stage"],
                samples: stages.into(),
            },
            Family {
                name: "tamis_acknowledged_age_seconds",
                kind: Kind::Histogram,
                help: "Time from reading a chunk to its acknowledgement.",
                labels: &[],
                samples: vec![Sample::histogram(&[], &meters.age)],
            },
            Family::gauge(
                "tamis_oldest_unacknowledged_seconds",
                "Time since the oldest unacknowledged chunk was read.",
                &[],
                value(meters.oldest().as_secs_f64()),
            ),
            Family::counter(
                "tamis_worker_busy_seconds",
                "Seconds that workers spent judging and delivering; divide its rate by \
                 tamis_workers for the utilization.",
                &[],
                value(meters.busy().as_secs_f64()),
            ),
            Family::counter(
                "tamis_other_file_lines",
                "Lines written to `_other`, because the file that their fields name could not be \
                 written.",
                &[],
                value(meters.other() as f64),
            ),
            Family::gauge("tamis_workers", "Worker threads.", &[], value(self.threads as f64)),
            Family::gauge(
                "tamis_chunks",
                "Chunks of the fixed pool, by state; if none is free, a sink slows the source.",
                &["state"],
                vec![Sample::of(&["in_use"], in_use as f64), Sample::of(&["free"], free as f64)],
            ),
        ]
    }

    fn program(&self) -> Vec<Family> {
        let ceiling = self.room.ceiling_bytes(self.counts.ceiling_bytes());
        let (reloads, refused) = self.counts.reloads();
        let since = self.started.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let known = |known: Option<f64>| known.map(value).unwrap_or_default();
        vec![
            Family::counter(
                "tamis_config_reloads",
                "Reloads of the configuration, by result.",
                &["result"],
                vec![
                    Sample::of(&["taken"], reloads as f64),
                    Sample::of(&["refused"], refused as f64),
                ],
            ),
            Family::counter(
                "tamis_report_failures",
                "Reports of the run (metrics, statistics) that could not be written.",
                &[],
                value(self.failed_reports() as f64),
            ),
            Family::counter(
                "tamis_dropped_log_lines",
                "Lines of the program's own log that were dropped, because standard error was not \
                 read.",
                &[],
                value(stderr::dropped_lines() as f64),
            ),
            Family::gauge(
                "tamis_memory_ceiling_bytes",
                "The memory ceiling, by the formula in the documentation.",
                &[],
                value(ceiling as f64),
            ),
            Family::gauge(
                "tamis_build_info",
                "Always 1; the labels show the version and the digest of the built-in packs.",
                &["version", "packs"],
                vec![Sample::of(&[env!("CARGO_PKG_VERSION"), &packs::digest()], 1.0)],
            ),
            Family::gauge(
                "process_resident_memory_bytes",
                "Resident memory in bytes.",
                &[],
                known(process::resident_bytes().map(|n| n as f64)),
            ),
            Family::counter(
                "process_cpu_seconds",
                "User and system CPU time in seconds.",
                &[],
                known(process::cpu_seconds()),
            ),
            Family::gauge(
                "process_open_fds",
                "Open file descriptors.",
                &[],
                known(process::open_files().map(|n| n as f64)),
            ),
            Family::gauge(
                "process_start_time_seconds",
                "Start time of the process, in seconds since the Unix epoch.",
                &[],
                value(since.as_secs_f64()),
            ),
        ]
    }
}

fn lines(seen: &Snapshot) -> Vec<Family> {
    let tally = &seen.tally;
    let outcomes = [
        ("clean", tally.clean),
        ("redacted", tally.redacted),
        ("wrapped", tally.wrapped),
        ("blank", tally.blank),
        ("tombstones", tally.tombstones),
        ("joined", tally.joined),
        ("stay", tally.stay_total()),
        ("rejected", tally.rejected_total() - tally.intentional()),
        ("intentional", tally.intentional()),
    ];
    let outcomes = outcomes.map(|(outcome, count)| Sample::of(&[outcome], count as f64));
    vec![
        Family::counter(
            "tamis_lines",
            "Lines by outcome; each line has exactly one.",
            &["outcome"],
            outcomes.into(),
        ),
        Family::counter(
            "tamis_lines_read",
            "Lines read: with an outcome, in flight, or returned.",
            &[],
            value((tally.read + seen.in_flight + seen.returned) as f64),
        ),
        Family::counter(
            "tamis_returned_records",
            "Records that were read and returned without an outcome; they are counted when they \
             are read again.",
            &[],
            value(seen.returned as f64),
        ),
        Family::gauge(
            "tamis_lines_in_flight",
            "Lines that were read and have no outcome yet.",
            &[],
            value(seen.in_flight as f64),
        ),
        Family::gauge(
            "tamis_lines_unaccounted",
            "Lines with an outcome minus the sum of the outcomes, from one snapshot: always 0.",
            &[],
            value(tally.unaccounted() as f64),
        ),
    ]
}

fn inputs(seen: &Snapshot) -> Vec<Family> {
    let one = |name, help, count: u64| Family::counter(name, help, &[], value(count as f64));
    vec![
        one("tamis_read_bytes", "Bytes read.", seen.bytes_in),
        one("tamis_written_bytes", "Bytes forwarded.", seen.tally.bytes_out),
        one(
            "tamis_removed_prefixes",
            "Lines from which a byte order mark, NUL bytes or record separators before the event \
             were removed.",
            seen.tally.prefixes,
        ),
        one(
            "tamis_failed_inputs",
            "Inputs that could not be opened, or not be read to their end.",
            seen.failed_inputs,
        ),
        one(
            "tamis_truncated_inputs",
            "Followed inputs that were truncated in place; lines may be lost each time.",
            seen.truncated_inputs,
        ),
        one(
            "tamis_checkpoint_failures",
            "Times that writing checkpoints began to fail; Tamis retries until it succeeds.",
            seen.checkpoint_failures,
        ),
    ]
}

/// Returns the only sample of a family without labels.
fn value(value: f64) -> Vec<Sample> {
    vec![Sample::of(&[], value)]
}
