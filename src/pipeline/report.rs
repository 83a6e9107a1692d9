//! What a run came to.

use std::{collections::BTreeMap, io, sync::Arc};

use crate::engine::Tally;

/// How a run ended.
#[derive(Debug, Default)]
pub enum End {
    /// All that was read was delivered.
    #[default]
    Complete,
    /// Nobody reads the output any more: no failure, but no reason to go on.
    Closed,
    /// The output stood still after a stop.
    Stuck,
    /// Something broke.
    Failed(Failure),
}

/// What broke.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The output.
    #[error("the output failed: {0}")]
    Sink(#[source] io::Error),
    /// Where records come from.
    #[error("the source failed: {0}")]
    Source(#[source] io::Error),
    /// The dead letter.
    #[error("the dead letter failed: {0}")]
    DeadLetter(#[source] io::Error),
    /// A worker: a bug.
    #[error("an internal error (see above); nothing more was written, please report it")]
    Worker,
    /// The system gave no threads.
    #[error("no more threads: {0}; try a smaller --threads")]
    Threads(#[source] io::Error),
}

/// Lines that a schema refused, by its name and the reason.
pub type Violations = BTreeMap<(Arc<str>, &'static str), u64>;

/// The counts of a run, and its end.
#[derive(Debug, Default)]
pub struct Report {
    /// What was judged *and* delivered.
    pub tally: Tally,
    /// What of that schemas refused: a reload can change the one in force.
    pub violations: Violations,
    /// Lines that were read, and neither written nor dead-lettered.
    pub unwritten: u64,
    /// Records that were read and given back unsettled; they are read again, and counted then.
    pub returned: u64,
    /// Bytes of input, byte order marks and discarded rests of lines included.
    pub bytes_in: u64,
    /// Inputs that could not be opened or read to their end.
    pub failed_inputs: u64,
    /// Inputs that were truncated in place while they were followed.
    pub truncated_inputs: u64,
    /// How it ended.
    pub end: End,
}

impl Report {
    /// All lines read.
    pub fn read(&self) -> u64 {
        self.tally.read + self.unwritten
    }

    /// Whether lines came in that are not blank, and none could be forwarded.
    pub fn fruitless(&self) -> bool {
        self.read() > self.tally.blank && self.tally.forwarded() == 0
    }

    /// Whether what was written is worth keeping in place of an older output.
    pub(super) fn worth_keeping(&self) -> bool {
        let failed = self.failed_inputs > 0;
        matches!(self.end, End::Complete) && !self.fruitless() && fit(&self.tally, failed)
    }
}

/// Whether what was forwarded, of a run or of one input, may take a place: something, or nothing
/// where there was nothing to forward.
pub(super) fn fit(tally: &Tally, failed: bool) -> bool {
    let nothing = tally.forwarded() == 0;
    let fruitless = nothing && tally.read > tally.blank;
    !(fruitless || nothing && failed)
}
