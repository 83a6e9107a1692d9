//! The ledger of a run.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use super::report::{End, Report, Violations};
use crate::engine::{Reason, Tally};

/// What is known of a run while it runs; the only state that threads share beside the channels.
#[derive(Default)]
pub(super) struct Ledger {
    judged: AtomicU64,
    /// Of these, given back to be read again.
    returned: AtomicU64,
    /// A line is read in part and waits in the reader for a free batch.
    held: AtomicU64,
    writes: AtomicU64,
    failed_inputs: AtomicU64,
    truncated_inputs: AtomicU64,
    /// Positions could not be kept.
    owes: AtomicBool,
    settled: Mutex<Settled>,
}

#[derive(Default, Clone)]
struct Settled {
    tally: Tally,
    bytes_in: u64,
    violations: Violations,
}

impl Ledger {
    pub(super) fn judged(&self, lines: u64) {
        self.judged.fetch_add(lines, Relaxed);
    }

    /// So many that were judged are read again, and counted then.
    pub(super) fn give_back(&self, records: u64) {
        self.returned.fetch_add(records, Relaxed);
    }

    pub(super) fn hold(&self, lines: u64) {
        self.held.store(lines, Relaxed);
    }

    pub(super) fn input_failed(&self) {
        self.failed_inputs.fetch_add(1, Relaxed);
    }

    pub(super) fn owe(&self, owes: bool) {
        self.owes.store(owes, Relaxed);
    }

    /// Whether an acknowledgement failed, and is to be tried again.
    pub(super) fn owes(&self) -> bool {
        self.owes.load(Relaxed)
    }

    pub(super) fn input_truncated(&self) {
        self.truncated_inputs.fetch_add(1, Relaxed);
    }

    /// A sink took something.
    pub(super) fn wrote(&self) {
        self.writes.fetch_add(1, Relaxed);
    }

    /// Rises with every write that a sink took.
    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Relaxed)
    }

    /// What was settled, and the rest as unwritten.
    pub(super) fn report(&self, end: End) -> Report {
        let Settled { tally, bytes_in, violations } = self.settled().clone();
        let read = self.judged.load(Relaxed) + self.held.load(Relaxed);
        let returned = self.returned.load(Relaxed);
        Report {
            unwritten: read.saturating_sub(tally.read + returned),
            returned,
            tally,
            violations,
            bytes_in,
            failed_inputs: self.failed_inputs.load(Relaxed),
            truncated_inputs: self.truncated_inputs.load(Relaxed),
            end,
        }
    }

    /// What was judged, by a schema of this name if by one, is delivered.
    pub(super) fn settle(&self, tally: &Tally, bytes_in: u64, schema: Option<&Arc<str>>) {
        let mut settled = self.settled();
        settled.tally += tally;
        settled.bytes_in += bytes_in;
        let Some(schema) = schema.filter(|_| tally.rejected_total() > 0) else { return };
        for reason in Reason::ALL.iter().filter(|reason| reason.is_violation()) {
            let count = tally.rejected[reason.index()];
            if count > 0 {
                *settled.violations.entry((schema.clone(), reason.word())).or_default() += count;
            }
        }
    }

    fn settled(&self) -> MutexGuard<'_, Settled> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
